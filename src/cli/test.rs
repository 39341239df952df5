//! `matins test`: what the tests of stages came to; of those that failed, the rows that differ.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::base::Place;
use crate::cli::args::{Cli, TestArgs};
use crate::cli::project::files;
use crate::cli::screen::{DIM, GREEN, RED, Screen};
use crate::config;
use crate::run::{Finding, Outcome, RunError, Tested, test_stages};
use crate::stage::Difference;
use crate::system::System;

/// Findings of one test that people are shown; JSON has all.
const SHOWN: usize = 20;

pub async fn test(cli: &Cli, screen: &Screen, system: &System, args: &TestArgs) -> Result<(), RunError> {
    let files = files(cli)?;
    let (project, found) = config::load(&files, &system.environment);
    let Some(project) = project.filter(|_| !found.has_errors()) else { return Err(RunError::Project(found)) };
    let tested = test_stages(&files, &project, system, args.pattern.as_deref()).await?;
    let failed = tested.outcomes.iter().filter(|o| !o.findings.is_empty()).count();
    if screen.json {
        screen.print_json(&as_json(&tested, failed));
    } else {
        for outcome in tested.outcomes.iter().filter(|o| args.verbose || !o.findings.is_empty()) {
            show(screen, outcome);
        }
        if args.verbose && !tested.untested.is_empty() {
            screen.say(&format!("{} no test", have(tested.untested.len())));
        }
        if failed == 0 && !screen.quiet {
            screen.print(&summary(&tested));
        }
    }
    if failed > 0 { Err(RunError::Tests { failed, tests: tested.outcomes.len() }) } else { Ok(()) }
}

fn summary(tested: &Tested) -> String {
    if tested.outcomes.is_empty() {
        return "there are no tests: they lie beside the stages, as `<table>.test.yaml`".to_owned();
    }
    let files: BTreeSet<_> = tested.outcomes.iter().map(|o| &o.test.place.file.path).collect();
    let seconds = tested.took.as_secs_f64();
    format!("{}, {} passed in {seconds:.1} s", count(files.len(), "file"), count(tested.outcomes.len(), "test"))
}

fn show(screen: &Screen, outcome: &Outcome) {
    let (test, at) = (&outcome.test, line_of(&outcome.test.place));
    if outcome.findings.is_empty() {
        let took = outcome.took.as_millis();
        screen.print(&format!("{GREEN}passed{GREEN:#} {}: {} {DIM}({took} ms){DIM:#}", test.table, test.name));
        return;
    }
    screen.print(&format!("{RED}failed{RED:#} {}: {} {DIM}({at}){DIM:#}", test.table, test.name));
    for finding in outcome.findings.iter().take(SHOWN) {
        for line in lines(screen, finding) {
            screen.print(&format!("  {line}"));
        }
    }
    if outcome.findings.len() > SHOWN {
        screen.print(&format!("  and {} more", outcome.findings.len() - SHOWN));
    }
}

fn lines(screen: &Screen, finding: &Finding) -> Vec<String> {
    match finding {
        Finding::Rows(Difference::Missing { place, row }) => {
            vec![format!("{RED}-{RED:#} missing     {} {DIM}(line {}){DIM:#}", pairs(row), number(place))]
        }
        Finding::Rows(Difference::Unexpected { row }) => {
            vec![format!("{GREEN}+{GREEN:#} unexpected  {}", pairs(row))]
        }
        Finding::Rows(Difference::Differs { place, of, cells }) => {
            let width = cells.iter().map(|cell| cell.column.chars().count()).max().unwrap_or(0);
            let head = format!("~ differs     {} {DIM}(line {}){DIM:#}", pairs(of), number(place));
            let cells = cells.iter().map(|cell| {
                let (column, expected, got) = (&cell.column, &cell.expected, &cell.got);
                format!("    {column:<width$}  expected {RED}{expected}{RED:#}, got {GREEN}{got}{GREEN:#}")
            });
            std::iter::once(head).chain(cells).collect()
        }
        Finding::Rows(Difference::Order { place, row }) => vec![
            format!(
                "all rows are there, in another order; the first that is elsewhere: {} (line {})",
                pairs(row),
                number(place)
            ),
            "the stage orders its rows, so their order counts; `ordered: false` says that it does not".to_owned(),
        ],
        Finding::Rows(Difference::NoColumn { place, column, columns }) => {
            vec![format!("there is no column `{column}` (line {}): there are {}", number(place), columns.join(", "))]
        }
        Finding::Check(outcome) => vec![format!(
            "the check `{}` is broken by {}; `fails: [\"{}\"]` says that it must be",
            outcome.check,
            count(usize::try_from(outcome.bad_rows).unwrap_or(usize::MAX), "row"),
            outcome.check,
        )],
        Finding::Held(check) => vec![format!("the check `{check}` was to be broken, and is not")],
        Finding::Statement(mistake) => screen.shown(mistake).lines().map(str::to_owned).collect(),
    }
}

/// `period 2024-01-01, value 30`.
fn pairs(row: &[(String, String)]) -> String {
    row.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn number(place: &Place) -> usize {
    place.file.line_column(place.span.start).0
}

fn line_of(place: &Place) -> String {
    format!("{}:{}", place.file.path.display(), number(place))
}

fn as_json(tested: &Tested, failed: usize) -> Value {
    let tests: Vec<Value> = tested
        .outcomes
        .iter()
        .map(|outcome| {
            let test = &outcome.test;
            json!({
                "table": test.table.to_string(),
                "name": test.name,
                "file": test.place.file.path.display().to_string(),
                "line": number(&test.place),
                "status": if outcome.findings.is_empty() { "passed" } else { "failed" },
                "findings": outcome.findings.iter().map(finding).collect::<Vec<_>>(),
                "took_ms": millis(outcome.took),
            })
        })
        .collect();
    let files: BTreeSet<_> = tested.outcomes.iter().map(|o| &o.test.place.file.path).collect();
    json!({
        "files": files.len(),
        "passed": tested.outcomes.len() - failed,
        "failed": failed,
        "tests": tests,
        "untested": tested.untested.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "took_ms": millis(tested.took),
    })
}

fn finding(finding: &Finding) -> Value {
    let object = |row: &[(String, String)]| -> Value {
        row.iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    match finding {
        Finding::Rows(Difference::Missing { place, row }) => {
            json!({ "kind": "missing", "line": number(place), "row": object(row) })
        }
        Finding::Rows(Difference::Unexpected { row }) => json!({ "kind": "unexpected", "row": object(row) }),
        Finding::Rows(Difference::Differs { place, of, cells }) => {
            let cells: Vec<Value> =
                cells.iter().map(|c| json!({ "column": c.column, "expected": c.expected, "got": c.got })).collect();
            json!({ "kind": "differs", "line": number(place), "row": object(of), "cells": cells })
        }
        Finding::Rows(Difference::Order { place, row }) => {
            json!({ "kind": "order", "line": number(place), "row": object(row) })
        }
        Finding::Rows(Difference::NoColumn { place, column, .. }) => {
            json!({ "kind": "no_column", "line": number(place), "column": column })
        }
        Finding::Check(outcome) => {
            json!({ "kind": "check", "check": outcome.check, "bad_rows": outcome.bad_rows, "rows": outcome.rows })
        }
        Finding::Held(check) => json!({ "kind": "check_held", "check": check }),
        Finding::Statement(mistake) => json!({
            "kind": "statement",
            "message": mistake.message,
            "file": mistake.place.as_ref().map(|p| p.file.path.display().to_string()),
            "line": mistake.place.as_ref().map(number),
        }),
    }
}

fn millis(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn have(stages: usize) -> String {
    if stages == 1 { "1 stage has".to_owned() } else { format!("{stages} stages have") }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
