//! The fixtures beside the stages: `sql/**/<table>.test.yaml` gives rows of what a stage reads, and the rows it must make of them.
//!
//! Each test is a project of its own. A table that is not given is made by its stage of `sql/crm`. Figures are told by hand in the
//! fixture's comments, so a number is held to as many decimals as it is written with, and a whole one or one of a single decimal to
//! be exact.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime};
use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use crate::crm::company;
use crate::project::Project;

/// The types of columns, by canonical table.
type Contract = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn what_stages_make_of_the_rows_beside_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    below(&root.join("sql"), &mut files);
    let stages: BTreeMap<String, PathBuf> = files
        .iter()
        .filter(|f| f.starts_with(root.join("sql/crm")))
        .filter_map(|f| Some((made(f, ".sql")?, f.clone())))
        .collect();
    let contract = contract(&root.join("docs/core-tables.md"));
    let mut wrong = Vec::new();
    let mut held = 0;
    for file in &files {
        let Some(table) = made(file, ".test.yaml") else { continue };
        for test in yaml(file)["tests"].as_array().expect("a list of tests") {
            let project = project(&table, test, &stages, &contract);
            let said = project.matins(&["run", "--as-of", text(&test["as_of"])]);
            assert_eq!(said.code, 0, "{table}, {}:\n{}{}", test["name"], said.out, said.err);
            wrong.extend(differences(&project, &table, test));
            held += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held > 0, "no fixture was found");
}

/// Every file below a folder, in order.
fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}

/// `…/<schema>/<table><ending>` → `schema.table`.
fn made(file: &Path, ending: &str) -> Option<String> {
    let table = file.file_name()?.to_str()?.strip_suffix(ending)?;
    let schema = file.parent()?.file_name()?.to_str()?;
    Some(format!("{schema}.{table}"))
}

/// A company that has what the test gives, and of `sql/crm` the stage with all it stands on.
fn project(table: &str, test: &Value, stages: &BTreeMap<String, PathBuf>, contract: &Contract) -> Project {
    let given = test["given"].as_object().expect("given tables");
    let (mut wanted, mut needed) = (vec![table.to_owned()], BTreeSet::new());
    while let Some(next) = wanted.pop() {
        let Some(file) = stages.get(&next).filter(|_| !given.contains_key(&next)) else { continue };
        if needed.insert(next) {
            wanted.extend(reads(&std::fs::read_to_string(file).expect("a stage")));
        }
    }
    let files: Vec<&PathBuf> = needed.iter().map(|name| &stages[name]).collect();
    let packs: BTreeSet<&str> =
        files.iter().map(|file| text_of(file.ancestors().nth(2).and_then(Path::file_name))).collect();
    let names: Vec<String> = packs.iter().map(|pack| format!(", crm/{pack}")).collect();
    let params =
        test["params"].as_object().into_iter().flatten().map(|(name, value)| format!("  {name}: {}\n", shown(value)));
    let params = format!("params:\n{}", params.collect::<String>());
    let project = company(&format!("interval: day\npacks: [shop{}]\n{params}", names.concat()), &[]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for pack in packs {
        // KPIs are of tables that are not all here.
        let words = std::fs::read_to_string(root.join(format!("sql/crm/{pack}/pack.yaml"))).expect("a pack's words");
        project.write(&format!("sql/crm/{pack}/pack.yaml"), words.split("kpis:").next().unwrap_or_default());
    }
    for file in files {
        let path = file.strip_prefix(root).expect("below the root").to_str().expect("a path of text");
        project.write(path, std::fs::read(file).expect("a stage"));
    }
    for (name, rows) in given {
        project.write(&format!("sql/shop/{}.sql", name.replace('.', "/")), statement(name, rows, contract));
    }
    project
}

/// The tables that stand after FROM and JOIN.
fn reads(stage: &str) -> Vec<String> {
    let body = stage.split_once("*/").map_or(stage, |(_, body)| body);
    let words: Vec<&str> = body.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| matches!(pair[0], "FROM" | "JOIN"));
    pairs.map(|pair| pair[1].trim_matches(|c| "(),".contains(c)).to_owned()).collect()
}

/// A stage of given rows: its own `sql`, or a list of them.
fn statement(table: &str, given: &Value, contract: &Contract) -> String {
    if let Some(sql) = given.get("sql") {
        return text(sql).to_owned();
    }
    let none = BTreeMap::new();
    let known = contract.get(table).unwrap_or(&none);
    let rows: Vec<&Map<String, Value>> =
        given.as_array().expect("rows").iter().map(|row| row.as_object().expect("a row")).collect();
    if rows.is_empty() {
        let columns: Vec<String> = known.iter().map(|(name, kind)| format!("CAST(NULL AS {kind}) AS {name}")).collect();
        return format!("SELECT {} WHERE FALSE", columns.join(", "));
    }
    let names: BTreeSet<&String> = rows.iter().flat_map(|row| row.keys()).collect();
    let kind = |name: &String| {
        let first = || rows.iter().filter_map(|row| row.get(name)).find(|value| !value.is_null());
        known.get(name).cloned().unwrap_or_else(|| first().map_or("VARCHAR", guessed).to_owned())
    };
    let kinds: BTreeMap<&String, String> = names.iter().map(|name| (*name, kind(name))).collect();
    let literal = |row: &Map<String, Value>, (name, kind): (&&String, &String)| match row.get(*name) {
        None | Some(Value::Null) => format!("CAST(NULL AS {kind})"),
        Some(value) => format!("CAST('{}' AS {kind})", shown(value).replace('\'', "''")),
    };
    let lines: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", kinds.iter().map(|one| literal(row, one)).collect::<Vec<_>>().join(", ")))
        .collect();
    let columns: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let columns = columns.join(", ");
    format!("SELECT {columns} FROM (VALUES {}) AS t ({columns})", lines.join(", "))
}

/// The type of a column that the core contract does not have, by its first value.
fn guessed(value: &Value) -> &'static str {
    let written = shown(value);
    match value {
        Value::Bool(_) => "BOOLEAN",
        _ if written.parse::<i64>().is_ok() => "BIGINT",
        _ if written.parse::<f64>().is_ok() => "DOUBLE",
        _ if NaiveDate::from_str(&written).is_ok() => "DATE",
        _ if NaiveDateTime::from_str(&written).is_ok() => "TIMESTAMP",
        _ => "VARCHAR",
    }
}

/// What was wanted and is not there, and what is there and was not wanted. Only the columns a fixture names are looked at.
fn differences(project: &Project, table: &str, test: &Value) -> Vec<String> {
    let mut left = project.query(&format!("SELECT * FROM {table}"));
    let mut wrong = Vec::new();
    for wanted in test["expect"].as_array().expect("expected rows") {
        let row = wanted.as_object().expect("a row");
        match left.iter().position(|got| row.iter().all(|(name, value)| same(&got[name], value))) {
            Some(at) => drop(left.remove(at)),
            None => wrong.push(format!("{table}, {}: wanted {wanted}", test["name"])),
        }
    }
    wrong.extend(left.iter().map(|got| format!("{table}, {}: got {got}", test["name"])));
    wrong
}

fn same(got: &Value, wanted: &Value) -> bool {
    match (got, wanted) {
        (Value::Null, _) | (_, Value::Null) => got == wanted,
        _ => shown(got) == shown(wanted) || near(&shown(got), &shown(wanted)),
    }
}

fn near(got: &str, wanted: &str) -> bool {
    let decimals = wanted.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let reach = match i32::try_from(decimals) {
        Ok(decimals) if decimals > 1 => 0.6 * 10_f64.powi(-decimals),
        _ => 1e-9,
    };
    got.parse::<f64>().ok().zip(wanted.parse::<f64>().ok()).is_some_and(|(got, wanted)| (got - wanted).abs() <= reach)
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}"))
}

fn text_of(name: Option<&std::ffi::OsStr>) -> &str {
    name.and_then(std::ffi::OsStr::to_str).expect("a name of text")
}

/// `docs/core-tables.md`, which is written from the contract.
fn contract(page: &Path) -> Contract {
    let mut found = Contract::new();
    let mut table = String::new();
    for line in std::fs::read_to_string(page).expect("the page of the core tables").lines() {
        if let Some(name) = line.strip_prefix("## ") {
            name.clone_into(&mut table);
        } else if let Some((column, kind)) = line.strip_prefix("| ").and_then(|row| row.split_once(" | "))
            && column.contains('`')
        {
            let kind = kind.split(" | ").next().unwrap_or_default();
            let column = column.trim_matches(|c| "*`".contains(c));
            found.entry(table.clone()).or_default().insert(column.to_owned(), kind.to_owned());
        }
    }
    found
}

enum Open {
    List(Vec<Value>),
    /// With the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

/// A file of YAML. What is neither empty nor true or false is a text, numbers included: they are held to the decimals they have.
fn yaml(file: &Path) -> Value {
    let written = std::fs::read_to_string(file).expect("a fixture");
    let options = granit_parser::options! { emit_comments: false, flow_nesting_limit: 60, block_nesting_limit: 60 };
    let mut parser = Parser::new_from_str_with_options(&written, options);
    let mut open: Vec<Open> = Vec::new();
    let mut root = Value::Null;
    while let Some(next) = parser.next_event() {
        let (event, _) = next.unwrap_or_else(|error| panic!("{}: {}", file.display(), error.info()));
        let value = match event {
            Event::Scalar(text, style, ..) => Some(scalar(&text, style)),
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|closed| match closed {
                Open::List(items) => Value::Array(items),
                Open::Map(entries, _) => Value::Object(entries),
            }),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                None
            }
            _ => None,
        };
        let Some(value) = value else { continue };
        match open.last_mut() {
            None => root = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(entries, key)) => match key.take() {
                None => *key = Some(shown(&value)),
                Some(name) => assert!(entries.insert(name, value).is_none(), "{}: a key stands twice", file.display()),
            },
        }
    }
    root
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match text {
        "" | "~" | "null" if style == ScalarStyle::Plain => Value::Null,
        "true" | "false" if style == ScalarStyle::Plain => Value::Bool(text == "true"),
        _ => Value::String(text.to_owned()),
    }
}
