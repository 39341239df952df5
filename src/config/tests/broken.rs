//! Broken texts and what is said of each: `cases.txt` holds both, and is compared whole.

use std::fmt::Write as _;

use super::{lines, read, with};

const CASES: &str = include_str!("cases.txt");

/// A case is `=== path`, the text, then `---` and one diagnostic a line.
#[test]
fn each_broken_text_is_told_what_is_wrong_and_where() {
    let mut actual = String::new();
    for case in CASES.split("=== ").skip(1) {
        let (path, rest) = case.split_once('\n').expect("a path");
        let (text, _) = rest.split_once("\n--->\n").expect("the end of the text");
        let (_, found) = read(&with(&[(path, text)]));
        write!(actual, "=== {path}\n{text}\n--->\n").expect("a string grows");
        for line in lines(&found) {
            let line = line.strip_prefix(path).map_or(line.as_str(), |l| l.trim_start_matches(':'));
            writeln!(actual, "{line}").expect("a string grows");
        }
        actual.push('\n');
    }
    if actual != CASES {
        println!("{actual}");
        panic!("what is said has changed; all of it stands above, as `cases.txt` would hold it");
    }
}

#[test]
fn a_channel_is_reached_safely_or_not_at_all() {
    let text = "stores: {exports: exports, retail: x}\nchannels:\n  a: {slack: \"http://example.com/x\"}\n  \
                b: {slack: \"https://example.com/x\", secret: s}\n  c: {webhook: \"http://127.0.0.1:80/x\"}\nsite: ftp://x\n";
    let (_, found) = read(&with(&[("matins.yaml", text)]));
    assert_eq!(found.0.iter().map(|d| d.code).collect::<Vec<_>>(), ["bad-url", "unused-key", "bad-url"], "{found:?}");
}

/// Of what two packs say differently the pipeline must say which; what both say alike, or it says itself, is no question.
#[test]
fn a_parameter_has_one_value() {
    let shop = |params: &str| read(&with(&[("sql/shop/pack.yaml", &format!("params: {params}\n"))])).1;
    assert!(shop("{quiet_days: 30, vat: 0.21}").0.is_empty());
    let told = lines(&shop("{quiet_days: 31}"));
    assert_eq!(told.len(), 1, "{told:?}");
    let words =
        "duplicate-name: two packs of this pipeline give the parameter `quiet_days` different values «quiet_days»";
    assert!(told[0].starts_with("sql/crm/kpis/pack.yaml:12:21 ") && told[0].contains(words), "{told:?}");
    assert!(told[0].contains("sql/shop/pack.yaml:1:10"), "{told:?}");
}

/// Ten mistakes over three files are told in one go, in the order of the files.
#[test]
fn all_mistakes_are_told_at_once() {
    let project = "time_zone: Europe/Londn\nmemory: lots\ndefault_pipeline: custmer-health\nstores: {exports: exports, retail: x}\nmali: {}\n";
    let pipeline = "\
schedule: {cron: 30 25 * * *}
sources:
  orders:
    path: export://orders/{date}.csv
    key: ordr_id
    columns: {order_id: strng}
packs: [shp]
";
    let stage = "/* matins\nkey: order_id\nchecks: [{range: {column: net, min: 5, max: 1}}]\n*/ SELECT 1";
    let (project, found) = read(&with(&[
        ("matins.yaml", project),
        ("pipelines/customer-health.yaml", pipeline),
        ("sql/shop/core/orders.sql", stage),
    ]));
    let told: Vec<String> =
        found.0.iter().map(|d| format!("{} {}", d.place.as_ref().expect("a place"), d.code)).collect();
    assert_eq!(
        told,
        [
            "matins.yaml:1:12 unknown-time-zone",
            "matins.yaml:2:9 bad-size",
            "matins.yaml:3:19 unknown-pipeline",
            "matins.yaml:5:1 unknown-key",
            "pipelines/customer-health.yaml:1:21 bad-cron",
            "pipelines/customer-health.yaml:4:11 unknown-store",
            "pipelines/customer-health.yaml:5:10 unknown-column",
            "pipelines/customer-health.yaml:6:25 unknown-type",
            "pipelines/customer-health.yaml:7:9 unknown-pack",
            "sql/shop/core/orders.sql:3:45 bad-range",
        ]
    );
    // What could be understood is there, for the rooms that come after.
    let project = project.expect("a project");
    let pipeline = project.pipelines.values().next().expect("the pipeline");
    assert_eq!(pipeline.sources.values().next().expect("the source").columns[0].name, "order_id");
}

#[test]
fn no_project_is_a_diagnostic_too() {
    let (project, found) = read(&super::files(&[]));
    assert!(project.is_none());
    assert_eq!(found.0[0].code, "no-project");
}
