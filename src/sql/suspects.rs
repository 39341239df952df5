//! Which expressions of a statement a failure may be of, where the engine says what failed and not where.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{BinaryOperator, CastKind, Expr, Spanned, Statement, Value, Visit, Visitor};

use crate::base::{Place, SourceText};

use super::query::place;

/// What is known of the expression that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clue {
    /// It divides by something that may be zero.
    Division,
    /// It makes a value one of another type.
    Cast,
    /// It is of this operator, as in `*`.
    Operator(String),
    /// It is a query that stands for one value.
    Subquery,
    /// It is this text between quotes.
    Literal(String),
    /// It calls this function.
    Call(String),
}

/// An expression that may have failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    pub place: Place,
    /// In its canonical form.
    pub text: String,
}

/// Every expression of a statement that fits what is known, in the order of the text. `file` is what the statement was
/// parsed from.
pub fn suspects(file: &Arc<SourceText>, statement: &Statement, clue: &Clue) -> Vec<Suspect> {
    let mut looking = Looking { file, clue, found: Vec::new() };
    let _: ControlFlow<()> = statement.visit(&mut looking);
    let mut found = looking.found;
    found.sort_by_key(|suspect| suspect.place.span.start);
    found.dedup();
    found
}

struct Looking<'a> {
    file: &'a Arc<SourceText>,
    clue: &'a Clue,
    found: Vec<Suspect>,
}

impl Visitor for Looking<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if fits(self.clue, expr) {
            let span = match expr {
                // The span of a call holds its arguments, which may be many lines.
                Expr::Function(call) => call.name.span(),
                other => other.span(),
            };
            if span.start.line > 0 {
                self.found.push(Suspect { place: closed(self.file, &place(self.file, span)), text: expr.to_string() });
            }
        }
        ControlFlow::Continue(())
    }
}

fn fits(clue: &Clue, expr: &Expr) -> bool {
    match (clue, expr) {
        (Clue::Division, Expr::BinaryOp { op: BinaryOperator::Divide | BinaryOperator::Modulo, right, .. }) => {
            !never_zero(right)
        }
        (Clue::Operator(sign), Expr::BinaryOp { op, .. }) => op.to_string() == *sign,
        (Clue::Cast, Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, .. })
        | (Clue::Subquery, Expr::Subquery(_)) => true,
        (Clue::Literal(text), Expr::Value(value)) => is_text(&value.value, text),
        (Clue::Literal(text), Expr::TypedString(typed)) => is_text(&typed.value.value, text),
        (Clue::Call(name), Expr::Function(call)) => call.name.to_string().eq_ignore_ascii_case(name),
        _ => false,
    }
}

/// The parser's spans begin after the first parenthesis and end before the last: both are taken in.
fn closed(file: &Arc<SourceText>, place: &Place) -> Place {
    let (text, mut span) = (file.text.as_str(), place.span.clone());
    let (mut before, mut after) = (0, 0);
    for sign in text[span.clone()].chars() {
        match sign {
            '(' => after += 1,
            ')' if after > 0 => after -= 1,
            ')' => before += 1,
            _ => {}
        }
    }
    for _ in 0..before {
        let outside = text[..span.start].trim_end();
        if outside.ends_with('(') {
            span.start = outside.len() - 1;
        }
    }
    for _ in 0..after {
        let outside = text[span.end..].trim_start();
        if outside.starts_with(')') {
            span.end = text.len() - outside.len() + 1;
        }
    }
    Place::new(file, span)
}

fn is_text(value: &Value, text: &str) -> bool {
    matches!(value, Value::SingleQuotedString(found) if found == text)
}

/// Whether a divisor is a number that is not zero, or NULL where it would be.
fn never_zero(divisor: &Expr) -> bool {
    match divisor {
        Expr::Value(value) => {
            let digits = value.value.to_string();
            digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains(|c: char| matches!(c, '1'..='9'))
        }
        Expr::Function(call) => call.name.to_string().eq_ignore_ascii_case("nullif"),
        Expr::Nested(inner) => never_zero(inner),
        Expr::Cast { expr, .. } => never_zero(expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse;

    fn found(text: &str, clue: &Clue) -> Vec<String> {
        let file = SourceText::new("s.sql", text);
        let query = parse(&file).expect("good SQL");
        let all = suspects(&file, query.statement(), clue);
        all.iter().map(|s| format!("{} {}", s.place, s.text)).collect()
    }

    #[test]
    fn what_may_divide_by_zero_is_told_from_what_cannot() {
        let text = "/* matins\ndescription: x\n*/\nSELECT a / b AS x, a / 100.0 AS y,\n  a / nullif(b, 0) AS z, 5 % (a - b) AS r\nFROM core.t";
        assert_eq!(found(text, &Clue::Division), ["s.sql:4:8 a / b", "s.sql:5:26 5 % (a - b)"]);
    }

    #[test]
    fn parentheses_are_whole() {
        let file = SourceText::new("s.sql", "SELECT sum((a + b) / (c - (d ))) AS x FROM core.t");
        let query = parse(&file).expect("good SQL");
        let found = suspects(&file, query.statement(), &Clue::Division);
        assert_eq!(found.len(), 1);
        assert_eq!(&file.text[found[0].place.span.clone()], "(a + b) / (c - (d ))");
    }

    #[test]
    fn casts_operators_literals_and_calls_are_found_where_they_stand() {
        let text = "SELECT CAST(a AS INT) AS x, try_cast(b AS INT) AS y, a * 3 AS z, date_trunc('mont', c) AS m,\n  DATE '2024-13-01' AS d, (SELECT max(e) FROM core.u) AS s FROM core.t";
        assert_eq!(found(text, &Clue::Cast), ["s.sql:1:13 CAST(a AS INT)"]);
        assert_eq!(found(text, &Clue::Operator("*".to_owned())), ["s.sql:1:54 a * 3"]);
        assert_eq!(found(text, &Clue::Literal("mont".to_owned())), ["s.sql:1:77 'mont'"]);
        assert_eq!(found(text, &Clue::Literal("2024-13-01".to_owned())), ["s.sql:2:8 DATE '2024-13-01'"]);
        assert_eq!(found(text, &Clue::Call("DATE_TRUNC".to_owned())), ["s.sql:1:66 date_trunc('mont', c)"]);
        assert_eq!(found(text, &Clue::Subquery).len(), 1);
    }
}
