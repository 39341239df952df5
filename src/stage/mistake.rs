//! What the engine says of a statement, for whoever wrote it: where it stands, what was perhaps meant, what to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::sql::sqlparser::ast::Statement;

use crate::base::{Diagnostic, Place, SourceText, TableName};
use crate::engine::{EngineError, Tables};
use crate::sql::{Clue, Suspect, suspects};

/// Expressions that are told of, where any of several may have failed.
const TOLD: usize = 3;
/// More tables than these are not listed.
const LISTED: usize = 20;

/// The statement the engine refused, and what it may name.
pub struct Refused<'a> {
    pub file: &'a Arc<SourceText>,
    /// As it was parsed from `file`.
    pub statement: &'a Statement,
    /// The columns of the tables it reads.
    pub columns: BTreeMap<TableName, Vec<String>>,
    /// All tables it could have read; empty where that was looked into before.
    pub tables: Vec<String>,
    pub functions: Vec<String>,
}

/// The columns that a statement may name.
pub fn columns(tables: &Tables) -> BTreeMap<TableName, Vec<String>> {
    tables.iter().map(|(name, table)| (name.clone(), names(&table.schema()))).collect()
}

pub(super) fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|f| f.name().clone()).collect()
}

/// The mistake, with its place where one is known. None for what is no fault of the statement.
pub fn mistake(code: &'static str, refused: &Refused<'_>, error: &EngineError) -> Option<Diagnostic> {
    let at = match error {
        EngineError::Plan { at, .. } => at.filter(|(line, _)| *line > 0),
        EngineError::Execution(_) => None,
        _ => return None,
    };
    let message = error.to_string();
    let found = if at.is_some() { Vec::new() } else { suspected(refused, &message) };
    let mistake = named(code, refused, &message);
    let mistake = match what_to_do(&message, &found) {
        Some(help) if mistake.help.is_none() => mistake.help(help),
        _ => mistake,
    };
    Some(match (at, found.first()) {
        (Some((line, column)), _) => mistake.at(word(refused.file, line, column)),
        (None, Some(first)) => mistake.at(first.place.clone()),
        (None, None) => mistake,
    })
}

/// Where a mistake stands and what stands there, in one line.
pub(super) fn shown(mistake: &Diagnostic) -> Option<String> {
    let place = mistake.place.as_ref()?;
    let text = place.file.text.get(place.span.clone())?;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("{place} `{text}`"))
}

/// A mistake in a name, with what was perhaps meant.
fn named(code: &'static str, refused: &Refused<'_>, message: &str) -> Diagnostic {
    let between =
        |from: &str, to: char| message.strip_prefix(from).and_then(|rest| rest.split_once(to)).map(|(n, _)| n);
    if let Some(name) = between("column '", '\'') {
        let shown = refused.columns.iter().map(|(table, names)| format!("`{table}` has {}", names.join(", ")));
        let all = refused.columns.values().flatten().map(String::as_str);
        let mistake = Diagnostic::error(code, message).did_you_mean(name.rsplit('.').next().unwrap_or(name), all);
        let shown: Vec<String> = shown.collect();
        return if mistake.help.is_some() || shown.is_empty() { mistake } else { mistake.help(shown.join("; ")) };
    }
    if let Some(name) = between("table '", '\'').filter(|_| message.ends_with("not found")) {
        let mistake = Diagnostic::error(code, format!("there is no table `{name}`"));
        let near = mistake.did_you_mean(name, refused.tables.iter().map(String::as_str));
        // Without its schema, a table is not found although its name is right.
        let by_schema = refused.tables.iter().find(|t| t.split_once('.').is_some_and(|(_, table)| table == name));
        return match by_schema {
            Some(whole) => near.help(format!("did you mean `{whole}`?")),
            None if near.help.is_some() || refused.tables.is_empty() => near,
            None if refused.tables.len() > LISTED => near.help("`SHOW TABLES` lists those there are"),
            None => near.help(format!("there are {}", refused.tables.join(", "))),
        };
    }
    if let Some(name) = between("there is no function `", '`') {
        let near = Diagnostic::error(code, message).did_you_mean(name, refused.functions.iter().map(String::as_str));
        return if near.help.is_some() { near } else { near.help("`matins functions` lists those added to SQL's own") };
    }
    Diagnostic::error(code, message)
}

/// The expressions that may have failed, by what the engine says of them.
fn suspected(refused: &Refused<'_>, message: &str) -> Vec<Suspect> {
    let clues = clues(message).into_iter();
    clues
        .map(|clue| suspects(refused.file, refused.statement, &clue))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// The surest first.
fn clues(message: &str) -> Vec<Clue> {
    let mut clues: Vec<Clue> = Vec::new();
    for quote in ['\'', '"'] {
        let quoted = message.split(quote).skip(1).step_by(2).filter(|text| !text.is_empty());
        clues.extend(quoted.map(|text| Clue::Literal(text.to_owned())));
    }
    if message == "division by zero" {
        clues.push(Clue::Division);
    }
    if let Some((_, values)) = message.split_once("verflow happened on: ") {
        clues.extend(
            values
                .split(' ')
                .filter(|w| w.len() == 1 && !w.starts_with(char::is_alphanumeric))
                .map(|sign| Clue::Operator(sign.to_owned())),
        );
    }
    if message.contains("ubquery returned more than one row") {
        clues.push(Clue::Subquery);
    }
    if CASTS.iter().any(|words| message.contains(words)) {
        clues.push(Clue::Cast);
    }
    // `round(…` as in "no function fits `round(…`", or what a function says of itself.
    let call = message.strip_prefix("no function fits `").unwrap_or(message);
    if let Some((name, _)) =
        call.split_once('(').filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
    {
        clues.push(Clue::Call(name.to_owned()));
    }
    clues
}

/// How the engine says that a value does not fit a type.
const CASTS: &[&str] = &[
    "annot cast",
    "an't cast",
    "nable to cast",
    "out of range",
    "too large to store",
    "too small to store",
    "rror parsing",
];

fn what_to_do(message: &str, found: &[Suspect]) -> Option<String> {
    let does = if message == "division by zero" {
        "with `nullif(…, 0)` as the divisor the result is NULL where it is zero"
    } else if message.contains("verflow happened on: ") {
        "cast one side to a wider type first, as in `CAST(… AS DECIMAL(38, 4))`"
    } else if message.contains("ubquery returned more than one row") {
        "have it give one row, by an aggregate such as `max(…)` or a narrower WHERE"
    } else if CASTS.iter().any(|words| message.contains(words)) {
        "`try_cast(… AS …)` gives NULL where a value does not fit"
    } else if message.contains(" not supported: ") {
        "a question only reads: begin it with SELECT, WITH, SHOW or DESCRIBE"
    } else {
        ""
    };
    let mut help: Vec<String> = if does.is_empty() { vec![] } else { vec![does.to_owned()] };
    if found.len() > 1 {
        let told = found.iter().take(TOLD).map(|s| {
            let (line, column) = s.place.file.line_column(s.place.span.start);
            format!("`{}` ({line}:{column})", s.text)
        });
        let more = found.len().saturating_sub(TOLD);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        help.push(format!("it is one of {}{more}", told.collect::<Vec<_>>().join(", ")));
    }
    (!help.is_empty()).then(|| help.join("; "))
}

/// The word at a line and column of a file.
fn word(file: &Arc<SourceText>, line: usize, column: usize) -> Place {
    let start = file.offset(line, column);
    let rest = &file.text[start..];
    let length = match rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.') {
        Some(0) => rest.chars().next().map_or(0, char::len_utf8),
        Some(end) => end,
        None => rest.len(),
    };
    Place::new(file, start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::question;

    fn told(sql: &str, error: &EngineError) -> Diagnostic {
        let question = question(sql).expect("good SQL");
        let refused = Refused {
            file: &question.text,
            statement: question.statement(),
            columns: BTreeMap::from([(
                "core.orders".parse().expect("a table"),
                vec!["order_id".to_owned(), "net".to_owned()],
            )]),
            tables: vec!["core.orders".to_owned(), "system.runs".to_owned()],
            functions: vec!["sum".to_owned(), "round".to_owned()],
        };
        mistake("sql", &refused, error).expect("a mistake of the statement")
    }

    fn plan(message: &str, at: Option<(usize, usize)>) -> EngineError {
        EngineError::Plan { message: message.to_owned(), at }
    }

    #[test]
    fn wrong_names_are_told_with_what_was_perhaps_meant() {
        let column = told("SELECT nett FROM core.orders", &plan("column 'nett' not found", Some((1, 8))));
        assert_eq!(column.place.as_ref().map(ToString::to_string).as_deref(), Some("query:1:8"));
        assert_eq!(column.help.as_deref(), Some("did you mean `net`?"));
        let far = told("SELECT profit FROM core.orders", &plan("column 'profit' not found", Some((1, 8))));
        assert_eq!(far.help.as_deref(), Some("`core.orders` has order_id, net"));
        let table = told("SELECT 1 FROM core.order", &plan("table 'core.order' not found", Some((1, 15))));
        assert_eq!(table.message, "there is no table `core.order`");
        assert_eq!(table.help.as_deref(), Some("did you mean `core.orders`?"));
        let bare = told("SELECT 1 FROM orders", &plan("table 'orders' not found", Some((1, 15))));
        assert_eq!(bare.help.as_deref(), Some("did you mean `core.orders`?"));
        let function = told("SELECT summ(1)", &plan("there is no function `summ`", Some((1, 8))));
        assert_eq!(function.help.as_deref(), Some("did you mean `sum`?"));
    }

    #[test]
    fn what_a_value_does_not_allow_has_a_place_where_it_can_only_be_there() {
        let at = |told: &Diagnostic| told.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let divided =
            told("SELECT net /\n  n FROM core.orders", &EngineError::Execution("division by zero".to_owned()));
        assert_eq!((at(&divided).as_str(), shown(&divided).as_deref()), ("query:1:8", Some("query:1:8 `net / n`")));
        assert!(divided.help.is_some_and(|help| help.contains("nullif(…, 0)") && !help.contains("one of")));
        let two = told("SELECT a / b, c / d", &EngineError::Execution("division by zero".to_owned()));
        assert!(two.help.is_some_and(|help| help.ends_with("it is one of `a / b` (1:8), `c / d` (1:15)")));
        let literal = "cannot cast string 'garbage' to value of Date32 type";
        let literal = told("SELECT 1 WHERE d > 'garbage'", &EngineError::Execution(literal.to_owned()));
        assert_eq!(at(&literal), "query:1:20");
        let call = told("SELECT 1, sum('a')", &plan("no function fits `sum(VARCHAR)`; there is sum(Int64)", None));
        assert_eq!(at(&call), "query:1:11");
        let overflow = EngineError::Execution("overflow happened on: 12 * -100".to_owned());
        assert_eq!(at(&told("SELECT a - b, a * b", &overflow)), "query:1:15");
        assert_eq!(told("SELECT 1", &EngineError::Execution("x".to_owned())).place, None);
    }
}
