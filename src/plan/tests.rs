//! Parts of incremental stages, over a small project given as text.

use std::collections::BTreeMap;

use chrono::{NaiveDate, Utc};

use super::{Export, Input, Inventory, Wanted, graph, wanted};
use crate::base::{AsOf, Cadence, SourceText};
use crate::config::{Project, load};
use crate::system::{Environment, ProjectFiles};

const LINES: &str = "/* matins\nincremental: month\n*/\nSELECT id, day FROM raw.lines";
const ORDERS: &str = "/* matins\nincremental: month\n*/\nSELECT id, max(day) AS day FROM core.lines GROUP BY id";
const PLAIN: &str = "SELECT count(*) AS n FROM core.orders";

fn project(stages: &[(&str, &str)]) -> Project {
    let pipeline = "description: x\nsources:\n  lines:\n    path: drops://{date}.csv\n    columns: {id: text, day: date}\npacks: [p]\n";
    let texts =
        [("matins.yaml", "lake: lake\ntime_zone: UTC\nstores: {drops: drops}\n"), ("pipelines/a.yaml", pipeline)];
    let texts: BTreeMap<_, _> =
        texts.iter().chain(stages).map(|(path, text)| ((*path).to_owned(), SourceText::new(*path, *text))).collect();
    let (project, found) = load(&ProjectFiles { root: "/project".into(), texts }, &Environment::default());
    assert!(!found.has_errors(), "{found:?}");
    project.expect("a good project")
}

fn wanted_from(project: &Project, dates: &[&str]) -> Wanted {
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
    let end = AsOf::parse("2011-03-01", pipeline.time_zone).expect("a date").0;
    let interval = Cadence::Day.ending_at(end).expect("a day");
    wanted(pipeline, &graph, interval, &[(source, inventory)].into(), &BTreeMap::new()).expect("nothing vanished")
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
