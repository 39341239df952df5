//! Pieces of SQL that are written by the program: quoted names and texts, and the expressions of checks.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

/// A column's name as SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a SQL literal.
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Reads one expression, whole, and gives its canonical form; anything after it is an error.
pub fn predicate(text: &str) -> Result<String, String> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).map_err(|e| e.to_string())?;
    let expr = parser.parse_expr().map_err(|e| e.to_string())?;
    match parser.next_token().token {
        Token::EOF => Ok(expr.to_string()),
        more => Err(format!("`{more}` stands after the expression")),
    }
}
