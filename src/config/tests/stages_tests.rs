//! What the tests beside stages mean, and what is said of broken ones.

use chrono_tz::Europe::London;

use super::super::{GivenFrom, StageTest, stage_tests};
use super::{GOOD, files, lines, read, with};
use crate::base::Diagnostics;
use crate::system::ProjectFiles;

const PATH: &str = "sql/crm/kpis/kpi/net_revenue.test.yaml";

/// The good project with this file of tests.
pub(super) fn with_tests(text: &str) -> ProjectFiles {
    with(&[(PATH, text)])
}

fn told(files: &ProjectFiles) -> (Vec<StageTest>, Diagnostics) {
    let project = read(files).0.expect("a project");
    stage_tests(files, &project)
}

#[test]
fn every_key_of_a_test() {
    let (tests, found) = told(&with_tests(include_str!("good/net_revenue.test.yaml")));
    assert_eq!(lines(&found), Vec::<String>::new());
    let [test, block] = tests.as_slice() else { panic!("two tests, not {tests:?}") };
    assert_eq!((test.table.to_string().as_str(), test.pack.as_str()), ("kpi.net_revenue", "crm/kpis"));
    assert_eq!((test.name.as_str(), test.place.to_string()), ("every key", format!("{PATH}:3:11")));
    assert_eq!(test.interval.end.timezone(), London);
    assert_eq!((test.interval.end - test.interval.start).num_days(), 31);
    assert_eq!((test.params.len(), test.ordered, test.tolerance), (1, Some(true), Some(0.01)));
    let rows = |name: &str| match &test.given[&name.parse().expect("a table")].from {
        GivenFrom::Rows(rows) => rows.clone(),
        GivenFrom::Sql(..) => panic!("{name} is given as rows"),
    };
    let orders = rows("core.orders");
    let names: Vec<&str> = orders.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["order_id", "net", "bdate", "paid", "note"]);
    let cell = |row: usize, name: &str| {
        orders.rows[row].cell(name).map(|c| (c.text.clone().unwrap_or_else(|| "NULL".to_owned()), c.quoted))
    };
    let of = |text: &str, quoted| Some((text.to_owned(), quoted));
    assert_eq!(
        (cell(0, "net"), cell(0, "paid"), cell(0, "note")),
        (of("12.50", false), of("true", false), of("NULL", false))
    );
    assert_eq!((cell(1, "order_id"), cell(1, "bdate")), (of("17", true), None));
    assert!(rows("core.refunds").rows.is_empty());
    let consents = rows("core.consents");
    let texts: Vec<Option<&str>> =
        consents.rows.iter().flat_map(|row| &row.cells).map(|(_, cell)| cell.text.as_deref()).collect();
    assert_eq!(texts, [Some("ann"), Some("true"), Some("one, \"two\""), Some("bob"), None, Some("")]);
    assert_eq!(consents.rows[1].place.to_string(), format!("{PATH}:21:11"));
    assert!(
        matches!(&test.given[&"core.costs".parse().expect("a table")].from, GivenFrom::Sql(sql, _) if sql.text.starts_with("SELECT"))
    );
    assert_eq!((block.expect.rows.len(), block.given.len(), block.ordered), (1, 0, None));
}

/// A night reads no test, so a mistake in one stops none.
#[test]
fn a_project_is_read_without_its_tests() {
    assert!(read(&with_tests("not: [read")).1.is_empty());
    assert_eq!(told(&files(&GOOD)).1.0.len(), 1);
}

#[test]
fn all_mistakes_of_a_test_are_told_at_once() {
    let text = "\
tests:
  - name: one
    as_of: 2024-08-02
    interval: month
    gven: {}
    given:
      kpi.net_revenue: []
      core.orders: {csv: \"a,b\\n1\\n\"}
      Orders: []
    expect: [{value: [1]}]
    fails: unique(order_id)
  - name: one
    as_of: soon
    expect: []
    tolerance: -1
";
    let (tests, found) = told(&with_tests(text));
    assert!(tests.is_empty());
    let mut codes: Vec<String> = lines(&found)
        .iter()
        .map(|line| line.trim_start_matches(PATH).split(": ").next().unwrap_or_default().to_owned())
        .collect();
    codes.sort();
    assert_eq!(
        codes,
        [
            ":10:22 wrong-type",
            ":11:12 unknown-check",
            ":12:11 duplicate-name",
            ":13:12 bad-as-of",
            ":15:16 wrong-value",
            ":3:12 bad-as-of",
            ":5:5 unknown-key",
            ":7:7 given-itself",
            ":8:32 bad-csv",
            ":9:7 bad-name",
        ],
        "{:#?}",
        lines(&found)
    );
}

#[test]
fn a_file_of_tests_lies_beside_its_stage() {
    let found = told(&with(&[("sql/crm/kpis/kpi/net_revenu.test.yaml", "tests: []"), (PATH, "tests: []")])).1;
    let lines = lines(&found);
    assert!(lines[0].contains("no-stage: there is no stage `sql/crm/kpis/kpi/net_revenu.sql`"), "{lines:?}");
    assert!(lines[0].contains("did you mean `sql/crm/kpis/kpi/net_revenue.sql`?"), "{lines:?}");
    assert!(lines[1].contains("empty-list"), "{lines:?}");
}
