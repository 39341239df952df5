//! `sql/<pack…>/<schema>/<table>.test.yaml` → the tests of the stage beside it: the rows it is given, and those it must make.
//!
//! Read by whoever tests or checks, and by no run: a mistake in a test stops no night.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use chrono::Weekday;
use chrono_tz::Tz;

use crate::base::{AsOf, Cadence, Diagnostic, Diagnostics, Interval, Place, SourceText, TableName};
use crate::system::{Environment, ProjectFiles};

use super::keys::{EXPECT, GIVEN, TEST, TEST_FILE};
use super::model::{Given, GivenFrom, Project, Stage, StageTest, WrittenCell, WrittenRow, WrittenRows};
use super::pipeline::params;
use super::shape::{Fields, Reading, Shape};
use super::tree::{Node, Value, parse};
use super::words::{name, zone};

const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// Every test of a project, in the order of their files, and every mistake in them that needs neither SQL nor data to be seen.
pub fn stage_tests(files: &ProjectFiles, project: &Project) -> (Vec<StageTest>, Diagnostics) {
    let (mut tests, mut found) = (Vec::new(), Diagnostics::default());
    for (path, file) in files.below("sql/", "") {
        let Some(stem) = ENDINGS.iter().find_map(|ending| path.strip_suffix(ending)) else { continue };
        let sql = format!("{stem}.sql");
        let stage = project.packs.values().flat_map(|p| &p.stages).find(|s| s.file.path == Path::new(&sql));
        // A stage that could not be read has been told of.
        if stage.is_none() && !files.texts.contains_key(&sql) {
            found.push(orphan(file, &sql, files));
        }
        tests.extend(read(file, stage, &mut found));
    }
    (tests, found)
}

fn orphan(file: &Arc<SourceText>, sql: &str, files: &ProjectFiles) -> Diagnostic {
    let folder = sql.rsplit_once('/').map_or("", |(folder, _)| folder);
    let beside = files.below(folder, ".sql").map(|(path, _)| path);
    Diagnostic::error("no-stage", format!("there is no stage `{sql}`"))
        .at(Place::file(file))
        .help("tests lie beside their stage and are called like it: `<table>.test.yaml` beside `<table>.sql`")
        .did_you_mean(sql, beside)
}

/// The tests of one file. Without a stage there is nothing to test, but the file's own mistakes are told.
fn read(file: &Arc<SourceText>, stage: Option<&Stage>, found: &mut Diagnostics) -> Vec<StageTest> {
    // What a test says does not depend on the machine it runs on.
    let Some(node) = parse(file, 0..file.text.len(), &Environment::default(), found) else { return Vec::new() };
    let mut reading = Reading { file, found };
    reading.examine("a stage's tests", &node, &Shape::Object(&TEST_FILE));
    let fields = Fields::new(&node, &TEST_FILE);
    let Some(stage) = stage else { return Vec::new() };
    let nodes = fields.get("tests").filter(|n| matches!(n.value, Value::List(_)));
    if let Some(node) = nodes.filter(|n| n.items().is_empty()) {
        reading.error("empty-list", &node.span, "`tests` has no test", "write one, or remove the file");
    }
    let mut names = BTreeSet::new();
    let mut tests = Vec::new();
    for node in nodes.map(Node::items).unwrap_or_default() {
        let fields = Fields::new(node, &TEST);
        if let Some((node, text)) = fields.get("name").and_then(|n| Some((n, n.text()?)))
            && !names.insert(text.to_owned())
        {
            let message = format!("two tests of `{}` are called `{text}`", stage.table);
            reading.error("duplicate-name", &node.span, message, "give one of them another name");
        }
        tests.extend(test(&mut reading, node, stage));
    }
    tests
}

fn test(reading: &mut Reading<'_>, node: &Node, stage: &Stage) -> Option<StageTest> {
    let fields = Fields::new(node, &TEST);
    let name = fields.get("name").and_then(|n| Some((n.text()?.to_owned(), reading.place(&n.span))));
    let interval = interval(reading, fields);
    let params = params(reading, fields);
    let given = given(reading, fields, stage);
    let expect = fields.get("expect").and_then(|n| expected(reading, n));
    let tolerance = tolerance(reading, fields);
    let fails = fails(reading, fields, stage);
    let (name, place) = name?;
    Some(StageTest {
        table: stage.table.clone(),
        pack: stage.pack.clone(),
        name,
        place,
        interval: interval?,
        params,
        given,
        expect: expect?,
        ordered: fields.boolean("ordered"),
        tolerance,
        fails,
    })
}

fn interval(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<Interval> {
    let zone = fields.get("time_zone").map_or(Some(Tz::UTC), |n| zone(reading, n));
    let unit = fields.text("interval").unwrap_or("day");
    let cadence = match unit {
        "hour" => Cadence::Hour,
        "week" => Cadence::Week { starts: Weekday::Mon },
        "month" => Cadence::Month,
        "quarter" => Cadence::Quarter,
        _ => Cadence::Day,
    };
    let node = fields.get("as_of")?;
    let text = node.text()?;
    let end = match AsOf::parse(text, zone?) {
        Ok(end) => end,
        Err(why) => {
            reading.error("bad-as-of", &node.span, why, "write it like `2025-01-31` or `2025-01-31T14:00`");
            return None;
        }
    };
    let found = cadence.ending_at(end.0);
    if found.is_none() {
        let holds = cadence.containing(end.0);
        let help = format!("one ends at {}, the next at {}", AsOf(holds.start), holds.as_of());
        reading.error("bad-as-of", &node.span, format!("no {unit} ends at {end}"), help);
    }
    found
}

fn given(reading: &mut Reading<'_>, fields: Fields<'_>, stage: &Stage) -> BTreeMap<TableName, Given> {
    let mut all = BTreeMap::new();
    for entry in fields.get("given").map(Node::entries).unwrap_or_default() {
        let table = name::<TableName>(reading, &entry.key, &entry.key_span);
        let place = reading.place(&entry.key_span);
        if table.as_ref() == Some(&stage.table) {
            let message = format!("`{}` is what the test makes, so it cannot be given", stage.table);
            reading.error("given-itself", &entry.key_span, message, "give what the stage reads");
            continue;
        }
        let from = match &entry.node.value {
            Value::Map(_) => {
                let fields = Fields::new(&entry.node, &GIVEN);
                let sql = fields.get("sql").and_then(|n| Some((n, n.text()?)));
                let csv = fields.get("csv").and_then(|n| csv(reading, n));
                let sql = sql.map(|(node, text)| {
                    let file = SourceText::new(reading.file.path.clone(), text);
                    GivenFrom::Sql(file, reading.place(&reading.first_line(&node.span)))
                });
                sql.or(csv.map(GivenFrom::Rows))
            }
            Value::List(items) => Some(GivenFrom::Rows(rows(reading, items))),
            _ => None,
        };
        if let (Some(table), Some(from)) = (table, from) {
            all.insert(table, Given { from, place });
        }
    }
    all
}

fn expected(reading: &mut Reading<'_>, node: &Node) -> Option<WrittenRows> {
    match &node.value {
        Value::List(items) => Some(rows(reading, items)),
        Value::Map(_) => Fields::new(node, &EXPECT).get("csv").and_then(|n| csv(reading, n)),
        _ => None,
    }
}

/// `[{column: value}]`.
fn rows(reading: &Reading<'_>, items: &[Node]) -> WrittenRows {
    let mut all = WrittenRows::default();
    for item in items {
        let cells = item.entries().iter().filter_map(|entry| {
            let (text, quoted) = match &entry.node.value {
                Value::Null => (None, false),
                _ => (Some(entry.node.text()?.to_owned()), entry.node.scalar().is_some_and(|s| !s.plain)),
            };
            // A value that is nothing has no place of its own.
            let place = reading.place(if text.is_some() { &entry.node.span } else { &entry.key_span });
            Some((entry.key.clone(), WrittenCell { text, quoted, place }))
        });
        let cells: Vec<_> = cells.collect();
        for entry in item.entries() {
            all.names(&entry.key, reading.place(&entry.key_span));
        }
        all.rows.push(WrittenRow { cells, place: reading.place(&reading.first_line(&item.span)) });
    }
    all
}

impl WrittenRows {
    fn names(&mut self, column: &str, place: Place) {
        if self.columns.iter().all(|(known, _)| known != column) {
            self.columns.push((column.to_owned(), place));
        }
    }
}

/// A block of CSV: a header, then a row a line. An empty field is NULL, and spaces around a field that is not in quotes are none
/// of its.
fn csv(reading: &mut Reading<'_>, node: &Node) -> Option<WrittenRows> {
    let text = node.text()?;
    let mut from = node.span.start;
    let mut header: Option<Vec<String>> = None;
    let mut all = WrittenRows::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let span = line_of(reading, node, &mut from, line);
        let Some(fields) = fields_of(line) else {
            let help =
                "quotes are closed in the line they open in, and stand around a whole field; inside they are doubled";
            reading.error("bad-csv", &span, "a quote of this line is not closed, or stands within a field", help);
            return None;
        };
        let Some(columns) = &header else {
            let names: Vec<String> = fields.into_iter().map(|(text, _)| text).collect();
            if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                let message = format!("the header names `{}` twice", twice.1);
                reading.error("duplicate-name", &span, message, "remove one of them");
                return None;
            }
            for name in &names {
                all.names(name, reading.place(&span));
            }
            header = Some(names);
            continue;
        };
        if fields.len() != columns.len() {
            let message = format!("the header has {} columns, this row {}", columns.len(), fields.len());
            reading.error(
                "bad-csv",
                &span,
                message,
                "an empty field is NULL: write its comma; put quotes around a text with a comma",
            );
            continue;
        }
        let cell = |(text, quoted): (String, bool)| WrittenCell {
            text: (quoted || !text.is_empty()).then_some(text),
            quoted,
            place: reading.place(&span),
        };
        let cells = columns.iter().cloned().zip(fields.into_iter().map(cell)).collect();
        all.rows.push(WrittenRow { cells, place: reading.place(&span) });
    }
    if header.is_none() {
        reading.error("bad-csv", &node.span, "there is no header", "write the names of the columns in the first line");
    }
    header.map(|_| all)
}

/// The fields of a line, each with whether it stands in quotes.
fn fields_of(line: &str) -> Option<Vec<(String, bool)>> {
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let Some(mut inside) = text.trim_start().strip_prefix('"') else {
            let (field, after) = text.split_once(',').map_or((text, None), |(field, after)| (field, Some(after)));
            if field.contains('"') {
                return None;
            }
            fields.push((field.trim().to_owned(), false));
            rest = after;
            continue;
        };
        let mut field = String::new();
        loop {
            let (before, after) = inside.split_once('"')?;
            field.push_str(before);
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    inside = more;
                }
                None => {
                    inside = after.trim_start();
                    break;
                }
            }
        }
        fields.push((field, true));
        rest = match inside.strip_prefix(',') {
            Some(after) => Some(after),
            None if inside.is_empty() => None,
            None => return None,
        };
    }
    Some(fields)
}

/// Where a line of a text stands in its file, from where the line before ended.
fn line_of(reading: &Reading<'_>, node: &Node, from: &mut usize, line: &str) -> Range<usize> {
    let line = line.trim();
    match reading.file.text.get(*from..node.span.end).and_then(|text| text.find(line)) {
        Some(at) => {
            let start = *from + at;
            *from = start + line.len();
            start..*from
        }
        None => node.span.clone(),
    }
}

fn tolerance(reading: &mut Reading<'_>, fields: Fields<'_>) -> Option<f64> {
    let node = fields.get("tolerance")?;
    let tolerance = node.text()?.parse::<f64>().ok()?;
    if tolerance < 0.0 {
        let message = format!("`tolerance` must not be negative: `{}`", reading.shown(node));
        reading.error("wrong-value", &node.span, message, "write how far a float may be off, as in `0.001`");
    }
    Some(tolerance)
}

fn fails(reading: &mut Reading<'_>, fields: Fields<'_>, stage: &Stage) -> Vec<String> {
    let known: Vec<&str> = stage.head.checks.iter().map(|c| c.name.as_str()).collect();
    let mut all = Vec::new();
    for node in fields.get("fails").map(Node::items).unwrap_or_default() {
        let Some(text) = node.text() else { continue };
        if !known.contains(&text) {
            let message = format!("`{}` has no check `{}`", stage.table, reading.shown(node));
            reading.unknown("unknown-check", &node.span, message, text, "checks", known.iter().copied());
        }
        all.push(text.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv() {
        let fields = |line: &str| -> Option<Vec<(String, bool)>> { fields_of(line) };
        let of = |all: &[(&str, bool)]| Some(all.iter().map(|(t, q)| ((*t).to_owned(), *q)).collect::<Vec<_>>());
        assert_eq!(fields("a, 2 ,,"), of(&[("a", false), ("2", false), ("", false), ("", false)]));
        assert_eq!(fields(r#""a, ""b""" , "", c"#), of(&[("a, \"b\"", true), ("", true), ("c", false)]));
        for bad in [r#""a"#, r#""a" b"#, r#"a"b"#] {
            assert_eq!(fields(bad), None, "{bad}");
        }
    }
}
