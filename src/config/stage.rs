//! `sql/<pack…>/<schema>/<table>.sql` → a stage: where it lies says what it makes, its head says what is true of it.

use std::ops::Range;
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, PackName, Place, SourceText, TableName};
use crate::system::Environment;

use super::check;
use super::keys::{HEAD, INCREMENTAL};
use super::model::{ByTime, Head, Incremental, Period, Severity, Stage, Words};
use super::project::span_of_time;
use super::shape::{Fields, Reading, Shape};
use super::tree::{Node, parse};

/// Schemas that Matins fills itself.
const RESERVED: [&str; 3] = ["raw", "system", "information_schema"];

pub(super) fn read(
    path: &str,
    file: &Arc<SourceText>,
    environment: &Environment,
    found: &mut Diagnostics,
) -> Option<Stage> {
    // The head is read even where the path is wrong, for its own mistakes.
    let head = head(file, environment, found).unwrap_or_default();
    let bad =
        |code, message: String, help: &str| Some(Diagnostic::error(code, message).at(Place::file(file)).help(help));
    let inner = path.strip_prefix("sql/").and_then(|p| p.strip_suffix(".sql")).unwrap_or(path);
    let mut parts = inner.rsplitn(3, '/');
    let (Some(table), Some(schema), Some(pack)) = (parts.next(), parts.next(), parts.next()) else {
        let message = format!("`{path}` does not say which pack and schema it is of");
        found.0.extend(bad("bad-stage-path", message, "a stage lies at `sql/<pack>/<schema>/<table>.sql`"));
        return None;
    };
    let renamed = "folders and files below `sql/` are named in lower-case letters, digits and `_`";
    let pack_name = pack.parse::<PackName>().map_err(|e| found.0.extend(bad("bad-name", e.to_string(), renamed))).ok();
    let table = TableName::new(schema, table).map_err(|e| found.0.extend(bad("bad-name", e.to_string(), renamed))).ok();
    if RESERVED.contains(&schema) {
        let message = format!("the schema `{schema}` is Matins's own");
        found.0.extend(bad("reserved-name", message, "put the stage into a folder of another name"));
    }
    Some(Stage { table: table?, pack: pack_name?, file: Arc::clone(file), head })
}

/// The head of a stage, when it has one.
fn head(file: &Arc<SourceText>, environment: &Environment, found: &mut Diagnostics) -> Option<Head> {
    let text = file.text.as_str();
    let Some(opening) = opening(text) else {
        if let Some(at) = misplaced(text) {
            found.push(
                Diagnostic::error("misplaced-head", "a stage's head stands at the very top of its file")
                    .at(Place::new(file, at))
                    .help("move it before everything but white space and `--` comments"),
            );
        }
        return None;
    };
    let Some(length) = text[opening.end..].find("*/") else {
        found.push(
            Diagnostic::error("unclosed-head", "the head is never closed")
                .at(Place::new(file, opening))
                .help("write `*/` after its last line"),
        );
        return None;
    };
    let node = parse(file, opening.end..opening.end + length, environment, found)?;
    let mut reading = Reading { file, found };
    reading.examine("the head of a stage", &node, &Shape::Object(&HEAD));
    Some(decode(&mut reading, Fields::new(&node, &HEAD)))
}

/// Where `/* matins` stands, after white space and `--` comments only.
fn opening(text: &str) -> Option<Range<usize>> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n')?.1.trim_start();
    }
    word_after(text, text.len() - rest.len())
}

/// The span of `/* matins`, if that is what begins here.
fn word_after(text: &str, start: usize) -> Option<Range<usize>> {
    let inside = text[start..].strip_prefix("/*")?;
    let after = inside.trim_start_matches([' ', '\t']).strip_prefix("matins")?;
    let ends = after.starts_with(|c: char| c.is_whitespace()) || after.starts_with("*/");
    ends.then(|| start..text.len() - after.len())
}

fn misplaced(text: &str) -> Option<Range<usize>> {
    text.match_indices("/*").find_map(|(at, _)| word_after(text, at))
}

fn decode(reading: &mut Reading<'_>, fields: Fields<'_>) -> Head {
    let mut key: Vec<String> = Vec::new();
    for node in fields.get("key").map(Node::items).unwrap_or_default() {
        let Some(column) = node.text() else { continue };
        if key.iter().any(|k| k == column) {
            reading.error(
                "duplicate-name",
                &node.span,
                format!("the key names `{column}` twice"),
                "remove one of them",
            );
        } else {
            key.push(column.to_owned());
        }
    }
    let mut checks = fields.get("key").map(|n| check::of_key(reading, &key, &n.span)).unwrap_or_default();
    let written = fields.get("checks").map(Node::items).unwrap_or_default();
    let written = written.iter().flat_map(|n| check::read(reading, n)).collect();
    check::add(reading, &mut checks, written);
    let columns = fields.get("columns").map(Node::entries).unwrap_or_default();
    Head {
        description: fields.text("description").map(str::to_owned),
        columns: columns.iter().filter_map(|e| Some((e.key.clone(), e.node.text()?.to_owned()))).collect(),
        key,
        checks,
        incremental: fields.get("incremental").and_then(|n| incremental(reading, n)),
        closed: closed(reading, fields),
        timeout: span_of_time(reading, fields, "timeout"),
        words: Words {
            grain: fields.text("grain").map(str::to_owned),
            formula: fields.text("formula").map(str::to_owned),
            rules: fields.texts("rules"),
            reference: fields.texts("reference"),
        },
    }
}

/// A table that is the same all month has no parts that come.
fn closed(reading: &mut Reading<'_>, fields: Fields<'_>) -> bool {
    let closed = fields.text("closed") == Some("month");
    if let Some(span) = fields.key_span("closed").filter(|_| closed && fields.get("incremental").is_some()) {
        let message = "a stage is either `closed` or `incremental`".to_owned();
        reading.error("closed-incremental", span, message, "leave one of them out");
    }
    closed
}

/// `month`, or a mapping that says by which time of the rows.
fn incremental(reading: &mut Reading<'_>, node: &Node) -> Option<Incremental> {
    let period = |text: &str| match text {
        "day" => Some(Period::Day),
        "month" => Some(Period::Month),
        _ => None,
    };
    if let Some(text) = node.text() {
        return Some(Incremental { every: period(text)?, by: None });
    }
    let fields = Fields::new(node, &INCREMENTAL);
    let (lookback, lookahead) = (days(reading, fields, "lookback"), days(reading, fields, "lookahead"));
    let by = fields.get("by")?;
    let by = ByTime {
        column: by.text()?.to_owned(),
        lookback_days: lookback.unwrap_or(0),
        lookahead_days: lookahead.unwrap_or(0),
        late: if fields.text("late") == Some("warn") { Severity::Warn } else { Severity::Error },
        place: reading.place(&by.span),
    };
    Some(Incremental { every: period(fields.text("every")?)?, by: Some(by) })
}

/// `3d`, of a key that is there.
pub(super) fn days(reading: &mut Reading<'_>, fields: Fields<'_>, key: &str) -> Option<u32> {
    let node = fields.get(key)?;
    let text = node.text()?;
    let days =
        text.strip_suffix('d').map(str::trim_end).filter(|n| n.len() <= 4 && n.bytes().all(|b| b.is_ascii_digit()));
    let days = days.and_then(|n| n.parse().ok());
    if days.is_none() {
        let message = format!("`{key}` must be a number of days, not `{}`", reading.shown(node));
        reading.error("wrong-value", &node.span, message, "exports are dated by the day: write it like `3d`");
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_head_begins() {
        for (text, expected) in [
            ("/* matins\nkey: a\n*/", Some(0..9)),
            ("-- words\n\n  /*matins */SELECT", Some(12..20)),
            ("/* matinsx */", None),
            ("/* other */ /* matins */", None),
            ("SELECT 1", None),
            ("-- only words", None),
        ] {
            assert_eq!(opening(text), expected, "{text}");
        }
    }
}
