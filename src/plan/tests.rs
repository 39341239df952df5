//! Parts of incremental stages and stages of closed months, over a small project given as text.

use std::collections::BTreeMap;

use chrono::{NaiveDate, Utc};

use super::{Existing, Export, Input, Inventory, Memory, Remembered, Wanted, graph, plan, wanted};
use crate::base::{AsOf, Cadence, Diagnostics, SourceName, SourceText};
use crate::config::{Project, load};
use crate::system::{Environment, ProjectFiles};

const LINES: &str = "/* matins\nincremental: month\n*/\nSELECT id, day FROM raw.lines";
const ORDERS: &str = "/* matins\nincremental: month\n*/\nSELECT id, max(day) AS day FROM core.lines GROUP BY id";
const PLAIN: &str = "SELECT count(*) AS n FROM core.orders";

fn project(stages: &[(&str, &str)]) -> Project {
    project_of(&[], stages)
}

/// With more lines for the pipeline, and for its source.
fn project_of(more: &[(&str, &str)], stages: &[(&str, &str)]) -> Project {
    let (project, found) = loaded(more, stages);
    assert!(!found.has_errors(), "{found:?}");
    project.expect("a good project")
}

fn loaded(more: &[(&str, &str)], stages: &[(&str, &str)]) -> (Option<Project>, Diagnostics) {
    let (of_pipeline, of_source) = more.first().copied().unwrap_or_default();
    let pipeline = format!(
        "description: x\n{of_pipeline}\nsources:\n  lines:\n    path: drops://{{date}}.csv\n{of_source}    columns: {{id: text, day: date}}\npacks: [p]\n"
    );
    let texts = [
        ("matins.yaml", "lake: lake\ntime_zone: UTC\nstores: {drops: drops}\n"),
        ("pipelines/a.yaml", pipeline.as_str()),
    ];
    let texts: BTreeMap<_, _> =
        texts.iter().chain(stages).map(|(path, text)| ((*path).to_owned(), SourceText::new(*path, *text))).collect();
    load(&ProjectFiles { root: "/project".into(), texts }, &Environment::default())
}

fn wanted_from(project: &Project, dates: &[&str]) -> Wanted {
    wanted_at(project, dates, "2011-03-01")
}

fn wanted_at(project: &Project, dates: &[&str], as_of: &str) -> Wanted {
    wanted_with(project, dates, as_of, &BTreeMap::new())
}

fn wanted_with(project: &Project, dates: &[&str], as_of: &str, memories: &BTreeMap<SourceName, Memory>) -> Wanted {
    let pipeline = project.pipelines.values().next().expect("one pipeline");
    let (graph, found) = graph(project, pipeline);
    assert!(!found.has_errors(), "{found:?}");
    let exports = dates.iter().map(|date| Export {
        path: format!("{date}.csv"),
        size_bytes: 1,
        e_tag: Some("1".to_owned()),
        modified: chrono::DateTime::<Utc>::MIN_UTC,
        date: date.parse::<NaiveDate>().ok(),
    });
    let source = pipeline.sources.keys().next().expect("one source").clone();
    let inventory = Inventory {
        source: Some(source.clone()),
        store_url: "drops".to_owned(),
        exports: exports.collect(),
        beside: vec![],
    };
    let end = AsOf::parse(as_of, pipeline.time_zone).expect("a date").0;
    let interval = Cadence::Day.ending_at(end).expect("a day");
    wanted(pipeline, &graph, interval, &[(source, inventory)].into(), memories).expect("nothing vanished")
}

#[test]
fn an_incremental_stage_over_an_incremental_table_has_its_parts() {
    let project =
        project(&[("sql/p/core/lines.sql", LINES), ("sql/p/core/orders.sql", ORDERS), ("sql/p/core/plain.sql", PLAIN)]);
    let before = wanted_from(&project, &["2011-01-05", "2011-02-03"]);
    let after = wanted_from(&project, &["2011-01-05", "2011-02-03", "2011-02-04"]);
    let [lines, orders, plain] = &before.tables[..] else { panic!("three tables") };
    for table in [lines, orders] {
        let periods: Vec<_> = table.parts.iter().map(|part| part.period.as_deref()).collect();
        assert_eq!(periods, [Some("2011-01"), Some("2011-02")]);
    }
    for (part, read) in orders.parts.iter().zip(&lines.parts) {
        assert_eq!(part.reads.values().collect::<Vec<_>>(), [&Input::Parts(vec![read.fingerprint])]);
    }
    assert_eq!(plain.parts.len(), 1);
    // A new export of February leaves January's parts what they were, all the way down.
    for at in [0, 1] {
        assert_eq!(before.tables[at].parts[0].fingerprint, after.tables[at].parts[0].fingerprint);
        assert_ne!(before.tables[at].parts[1].fingerprint, after.tables[at].parts[1].fingerprint);
    }
}

#[test]
fn before_the_first_export_there_is_one_empty_part() {
    let project = project(&[("sql/p/core/lines.sql", LINES), ("sql/p/core/orders.sql", ORDERS)]);
    for table in wanted_from(&project, &[]).tables {
        assert_eq!(table.parts.len(), 1, "{}", table.node.table());
        assert_eq!(table.parts[0].period.as_deref(), Some("none"));
    }
}

#[test]
fn an_incremental_stage_over_a_plain_one_is_a_mistake() {
    let plain = "SELECT id, day FROM raw.lines";
    let project = project(&[("sql/p/core/lines.sql", plain), ("sql/p/core/orders.sql", ORDERS)]);
    let pipeline = project.pipelines.values().next().expect("one pipeline");
    let (_, found) = graph(&project, pipeline);
    let codes: Vec<&str> = found.0.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["incremental-undated"]);
}

const COUNT: &str = "SELECT count(*) AS n FROM raw.lines WHERE day < $as_of";
const OF_CLOSED: &str = "/* matins\nclosed: month\n*/\nSELECT n, $as_of AS as_of FROM core.counted";

/// A table of closed months over one that is made every night.
fn of_closed_months() -> Project {
    project(&[("sql/p/core/counted.sql", COUNT), ("sql/p/core/closed.sql", OF_CLOSED)])
}

#[test]
fn a_stage_of_closed_months_is_one_table_from_when_the_month_is_whole() {
    let project = of_closed_months();
    let dates = ["2011-01-05", "2011-01-31", "2011-02-01", "2011-02-03"];
    let [night, first, later, next] =
        ["2011-02-01", "2011-02-02", "2011-02-17", "2011-03-01"].map(|as_of| wanted_at(&project, &dates, as_of));
    let of = |wanted: &Wanted, table: &str| wanted.table(&table.parse().expect("a name")).expect("a table").fingerprint;
    // The first export after the month may bring its last days.
    assert_ne!(of(&night, "core.closed"), of(&first, "core.closed"));
    assert_eq!(of(&first, "core.closed"), of(&later, "core.closed"));
    assert_ne!(of(&first, "core.counted"), of(&later, "core.counted"));
    assert_ne!(of(&later, "core.closed"), of(&next, "core.closed"));
    let closed = later.closed.as_deref().expect("stages of closed months");
    assert_eq!(closed.interval.as_of().to_string(), "2011-02-01");
    // Of a company that was silent since, what it is made from is named as it was that night.
    let silent = ["2011-02-01", "2011-02-17"].map(|as_of| wanted_at(&project, &dates[..2], as_of));
    let closed = silent[1].closed.as_deref().expect("stages of closed months");
    assert_eq!(of(closed, "core.counted"), of(&silent[0], "core.counted"));
}

#[test]
fn what_a_stage_of_closed_months_stands_on_is_made_only_where_it_is_missing() {
    let project = of_closed_months();
    let dates = ["2011-01-05", "2011-02-03", "2011-02-05"];
    let steps = |wanted: &Wanted, existing: &Existing| {
        let plan = plan(wanted.clone(), existing, None, true);
        for (at, step) in plan.steps.iter().enumerate() {
            assert!(step.needs.iter().all(|need| *need < at), "{step:?}");
        }
        plan.steps.iter().map(|s| s.task.to_string()).filter(|s| !s.starts_with("check")).collect::<Vec<_>>()
    };
    let later = wanted_at(&project, &dates, "2011-02-17");
    let cold = [
        "land lines 2011-01-05.csv",
        "land lines 2011-02-03.csv",
        "land lines 2011-02-05.csv",
        "assemble raw.lines",
        "make core.counted",
        "assemble raw.lines as of 2011-02-01",
        "make core.counted as of 2011-02-01",
        "make core.closed",
    ];
    assert_eq!(steps(&later, &Existing::default()), cold);
    // After the night that the month was whole, nothing of it again.
    let first = wanted_at(&project, &dates, "2011-02-04");
    let mut existing = Existing { made: first.outputs().collect(), ..Existing::default() };
    let night = ["land lines 2011-02-05.csv", "assemble raw.lines", "make core.counted"];
    assert_eq!(steps(&later, &existing), night);
    // What is there needs nothing that is gone.
    let closed = later.closed.as_deref().expect("stages of closed months");
    existing.made.retain(|made| closed.tables[0].made().all(|gone| gone != *made));
    assert_eq!(steps(&later, &existing), night);
}

#[test]
fn a_month_is_closed_when_its_last_exports_have_come() {
    let waits = project_of(
        &[("close_after: 2d", "")],
        &[("sql/p/core/counted.sql", COUNT), ("sql/p/core/closed.sql", OF_CLOSED)],
    );
    let dates = ["2011-01-31", "2011-02-01", "2011-02-02"];
    let seen = |as_of: &str| {
        let wanted = wanted_at(&waits, &dates, as_of);
        let closed = wanted.closed.expect("stages of closed months");
        let paths: Vec<String> =
            closed.sources.values().flat_map(|s| s.exports.iter().map(|e| e.path.clone())).collect();
        (closed.interval.as_of().to_string(), paths.join(" "))
    };
    assert_eq!(seen("2011-02-02"), ("2011-01-01".to_owned(), "2011-01-31.csv".to_owned()));
    let all = "2011-01-31.csv 2011-02-01.csv 2011-02-02.csv".to_owned();
    assert_eq!(seen("2011-02-03"), ("2011-02-01".to_owned(), all));
}

#[test]
fn the_dump_a_month_was_closed_with_is_remembered_when_its_store_has_dropped_it() {
    let dumps = project_of(
        &[("", "    mode: full\n")],
        &[("sql/p/core/counted.sql", COUNT), ("sql/p/core/closed.sql", OF_CLOSED)],
    );
    let all = wanted_at(&dumps, &["2011-01-30", "2011-01-31", "2011-02-01", "2011-02-02"], "2011-02-17");
    let path = |wanted: &Wanted| {
        wanted.closed.as_ref().map(|c| c.sources.values().next().expect("one").exports[0].path.clone())
    };
    assert_eq!(path(&all).as_deref(), Some("2011-02-01.csv"));
    // Never seen before: the first that is left is nearest to the end of the month.
    let left = ["2011-02-02", "2011-02-03"];
    assert_eq!(path(&wanted_at(&dumps, &left, "2011-02-17")).as_deref(), Some("2011-02-02.csv"));
    // Seen before, and its rows are there.
    let closed = all.closed.as_deref().expect("stages of closed months");
    let (name, source) = closed.sources.first_key_value().expect("one source");
    let exports = source.exports.iter();
    let memory = Memory {
        contract: Some(source.contract),
        exports: exports.map(|e| Remembered { path: e.path.clone(), date: e.date, landed: e.landed }).collect(),
    };
    let again = wanted_with(&dumps, &left, "2011-02-17", &[(name.clone(), memory)].into());
    assert_eq!(again.closed.expect("stages of closed months").tables[1].fingerprint, closed.tables[1].fingerprint);
}

#[test]
fn a_stage_is_closed_or_incremental() {
    let both = OF_CLOSED.replace("closed: month", "closed: month\nincremental: month");
    let (_, found) = loaded(&[], &[("sql/p/core/counted.sql", COUNT), ("sql/p/core/closed.sql", &both)]);
    let codes: Vec<&str> = found.0.iter().map(|d| d.code).collect();
    assert_eq!(codes, ["closed-incremental"]);
}
