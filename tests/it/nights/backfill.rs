//! A run a day gives what one run of the last day gives: fingerprints, content, rows, and the report to the byte.

use std::fs;

use super::ground::{Ground, RETAIL, asked, drops};

#[test]
fn a_run_a_day_equals_one_run() {
    let Some(folder) = drops("a_run_a_day_equals_one_run") else { return };
    let full = asked("MATINS_TEST_FULL", 0) == 1;
    // Over the end of a year and of a month; closed days, and months that are over and that are not.
    let (to, as_of) = if full { ("2011-12-09", "2011-12-10") } else { ("2011-01-12", "2011-01-13") };
    let ground = Ground::of_drops_until(&folder, to);
    let range = ["backfill", RETAIL, "--from", "2010-12-01", "--to", to, "--json"];
    let backfill = ground.run("daily", &range).done();
    println!("backfill to {to}: {:.1} s", backfill.took.as_secs_f64());
    let nights = backfill.json();
    let nights = nights.as_array().expect("nights");
    assert!(nights.iter().all(|n| n["published"] == true));
    assert_eq!(nights.len(), ground.contents("daily", RETAIL).len());
    let rows: Vec<u64> = nights.iter().map(|n| n["rows"]["landed"].as_u64().expect("rows")).collect();
    assert!(rows.is_sorted() && rows.first() < rows.last(), "each night sees the exports before its end: {rows:?}");
    let daily = nights.last().expect("a last night");

    let once = ground.run("once", &["run", RETAIL, "--as-of", as_of, "--json"]).done().json();
    for field in ["as_of", "content", "tables", "sources", "rows", "reproducible"] {
        assert_eq!(daily[field], once[field], "{field}");
    }
    if full {
        assert_eq!(once["rows"]["landed"], 541_909);
    }
    let number = |night: &serde_json::Value| night["snapshot"].as_u64().expect("a number");
    let compared = ground.same_rows(RETAIL, ("daily", number(daily)), ("once", number(&once)));
    assert!(compared > 10, "{compared} tables");
    let report = |night: &serde_json::Value| {
        let path = night["reports"][0]["path"].as_str().expect("a report").to_owned();
        fs::read(path).expect("the report")
    };
    assert!(report(daily) == report(&once), "the report is equal to the byte");

    let again = ground.run("daily", &range).done().json();
    assert!(again.as_array().expect("nights").iter().all(|n| n["published"] == false), "nothing to do");
    assert_eq!(ground.contents("daily", RETAIL).len(), nights.len());
}
