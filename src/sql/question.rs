//! A person's question: one statement as it was typed, and the tables it names. What it may do the engine decides.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Statement, visit_relations};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::base::{Diagnostic, Diagnostics, Place, SourceText};

use super::query::{normal, syntax_error};

/// One statement that somebody typed.
#[derive(Debug, Clone)]
pub struct Question {
    pub text: Arc<SourceText>,
    statement: Statement,
    /// The tables it names, and its common table expressions, as in `core.orders`.
    pub names: BTreeSet<String>,
}

impl Question {
    /// The parsed statement, for the engine.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Reads a question: nothing is refused here but what does not parse, and what is not one statement.
pub fn question(text: &str) -> Result<Question, Diagnostics> {
    let file = SourceText::new("query", text);
    let mut statements =
        Parser::parse_sql(&GenericDialect {}, text).map_err(|e| syntax_error(&file, &e.to_string()))?;
    if statements.len() != 1 {
        let found =
            if statements.is_empty() { "nothing".to_owned() } else { format!("{} statements", statements.len()) };
        return Err(Diagnostic::error("one-statement", format!("a question is one SELECT, and this is {found}"))
            .at(Place::file(&file))
            .help("as in `SELECT * FROM system.runs`; `SHOW TABLES` lists what can be asked")
            .into());
    }
    let mut names = BTreeSet::new();
    let _: ControlFlow<()> = visit_relations(&statements, |name| {
        let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(normal).collect();
        names.insert(parts.join("."));
        ControlFlow::Continue(())
    });
    Ok(Question { text: file, statement: statements.remove(0), names })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_tables_and_mistakes_have_places() {
        let asked = question("SELECT * FROM core.Orders o JOIN \"raw\".x USING (id)").expect("good SQL");
        assert_eq!(asked.names.into_iter().collect::<Vec<_>>(), ["core.orders", "raw.x"]);
        for (text, code, place) in [
            ("", "one-statement", "query:1:1"),
            ("SELECT 1; SELECT 2", "one-statement", "query:1:1"),
            ("SELECT 1\nFORM x y z", "sql-syntax", "query:2:"),
        ] {
            let found = question(text).expect_err("a mistake").0.remove(0);
            assert_eq!(found.code, code, "{text}");
            assert!(found.place.is_some_and(|at| at.to_string().starts_with(place)), "{text}");
        }
    }
}
