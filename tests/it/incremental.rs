//! Stages in parts by a time of their rows: only touched periods are made again, the rows are those of one whole table, and no
//! row that comes too late is lost in silence.

use std::time::Duration;

use serde_json::Value;

use crate::nights::{Random, asked};
use crate::project::{Project, Said};

const PIPELINE: &str = "\
interval: day
sources:
  events:
    path: exports://events/{date}.csv
    columns:
      id: {type: text, required: true}
      at: timestamp
      net: {type: \"decimal(18,4)\", required: true}
packs: [shop]
";

const STATEMENT: &str =
    "SELECT CAST(at AS DATE) AS bdate, count(*) AS events, sum(net) AS net FROM raw.events GROUP BY 1";

fn project(incremental: &str) -> Project {
    Project::shop()
        .with("pipelines/shop.yaml", PIPELINE)
        .with("sql/shop/core/orders.sql", format!("/* matins\nincremental: {incremental}\n*/\n{STATEMENT}\n"))
        .with("sql/shop/core/whole.sql", format!("{STATEMENT}\n"))
        // In the parts of what it reads.
        .with(
            "sql/shop/mart/days.sql",
            format!(
                "/* matins\nkey: bdate\nincremental: {}\n*/\nSELECT bdate, net / events AS mean FROM core.orders\n",
                if incremental.contains("month") { "month" } else { "day" }
            ),
        )
}

/// One export of January or February 2024, counted from the 1st of January, with the times of its rows.
fn export(project: &Project, day: u32, times: &[String]) {
    let lines: String = times.iter().enumerate().map(|(n, at)| format!("{day}-{n},{at},{}.25\n", n + 1)).collect();
    project.write(&format!("exports/events/{}.csv", date(day.into())), format!("id,at,net\n{lines}"));
}

/// So many days after 2023-12-31.
fn date(day: i64) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2023, 12, 31).expect("a date") + chrono::Duration::days(day)
}

fn at(day: i64) -> String {
    format!("{} 12:30:00", date(day))
}

fn same_as_whole(project: &Project, snapshot: &[&str]) {
    let ask = |sql: &str| -> Vec<Value> {
        let words = [&["query", "--json", sql][..], snapshot].concat();
        project.matins(&words).ok().json().as_array().expect("rows").clone()
    };
    let parts = ask("SELECT * FROM core.orders ORDER BY bdate");
    assert_eq!(parts, ask("SELECT * FROM core.whole ORDER BY bdate"), "{snapshot:?}");
    assert_eq!(
        ask("SELECT * FROM mart.days ORDER BY bdate"),
        ask("SELECT bdate, net / events AS mean FROM core.whole ORDER BY bdate"),
        "{snapshot:?}"
    );
}

fn made(night: &Value, table: &str) -> Vec<String> {
    let steps = night["steps"].as_array().expect("steps").iter().filter_map(|s| s["step"].as_str());
    steps.filter_map(|s| s.strip_prefix(&format!("make {table} "))).map(str::to_owned).collect()
}

#[test]
fn nights_with_late_rows_give_what_one_whole_table_gives() {
    let test = "nights_with_late_rows_give_what_one_whole_table_gives";
    let mut random = Random::new(test);
    let mut below = |limit: i64| {
        let limit = Duration::from_micros(u64::try_from(limit).expect("not negative"));
        i64::try_from(random.below(limit).as_micros()).expect("small")
    };
    for case in 0..asked("MATINS_TEST_CASES", 4) {
        let (lookback, lookahead) = (below(5), below(3));
        let every = if case % 2 == 0 { "day" } else { "month" };
        let words = format!("{{by: at, every: {every}, lookback: {lookback}d, lookahead: {lookahead}d}}");
        let project = project(&words);
        // Over the end of a month; now and then a day without an export, or an export without rows.
        for day in 24..40u32 {
            if below(5) == 0 {
                continue;
            }
            let count = below(7);
            let times: Vec<String> =
                (0..count).map(|_| at(i64::from(day) + lookahead - below(lookback + lookahead + 1))).collect();
            export(&project, day, &times);
        }
        let range = ["backfill", "--from", "2024-01-25", "--to", "2024-02-10", "--json"];
        let nights = project.matins(&range).ok().json();
        let nights = nights.as_array().expect("nights");
        println!("{test}: {words}, {} nights", nights.len());
        for at in [nights.len() / 3, nights.len() / 2, nights.len() - 1] {
            let number = nights[at]["snapshot"].to_string();
            same_as_whole(&project, &["--snapshot", &number]);
        }
        // The same rows, whichever way they came: one run of the last day has the same content.
        let content = nights[nights.len() - 1]["content"].clone();
        std::fs::remove_dir_all(project.path("lake")).expect("anew");
        assert_eq!(project.night("2024-02-11")["content"], content);
    }
}

#[test]
fn one_new_export_makes_the_parts_it_can_have_rows_of_and_no_others() {
    let project = project("{by: at, every: day, lookback: 2d}");
    for day in 1..=8 {
        export(&project, day, &[at(day.into()), at(i64::from(day) - 1), at(i64::from(day) - 2)]);
    }
    project.night("2024-01-09");
    export(&project, 9, &[at(9), at(7)]);
    let night = project.night("2024-01-10");
    let touched = ["2024-01-07", "2024-01-08", "2024-01-09"];
    assert_eq!(made(&night, "core.orders"), touched);
    assert_eq!(made(&night, "mart.days"), touched, "all the way down");
    same_as_whole(&project, &[]);

    // A correction of an old export touches its own.
    export(&project, 4, &[at(4)]);
    let night = project.night("2024-01-10");
    assert_eq!(made(&night, "core.orders"), ["2024-01-02", "2024-01-03", "2024-01-04"]);
    same_as_whole(&project, &[]);
}

fn late(said: &Said) -> &str {
    said.err.lines().find(|l| l.contains("late(at)")).unwrap_or_else(|| panic!("no word of it:\n{}", said.err))
}

#[test]
fn a_row_that_comes_too_late_blocks_and_says_what_would_let_it_in() {
    let project = project("{by: at, every: day, lookback: 2d}");
    for day in 10..=14 {
        export(&project, day, &[at(day.into()), at(i64::from(day) - 2)]);
    }
    project.night("2024-01-15");
    export(&project, 15, &[at(15), at(9), at(12)]);
    export(&project, 16, &[at(16), at(17)]);
    let said = project.matins(&["run", "--as-of", "2024-01-17"]).code(3);
    let line = late(&said);
    for part in [
        "failed late(at) on core.orders: 3 of 15 rows",
        "`events/2024-01-15.csv` brought rows of 2024-01-09, 6 days before its date",
        "`lookback` is 2d; `lookback: 6d` lets them in",
        "`events/2024-01-16.csv` brought rows of 2024-01-17, after its date; `lookahead: 1d` lets them in",
    ] {
        assert!(line.contains(part), "no `{part}` in {line}");
    }
    assert_eq!(project.contents("shop").len(), 1, "nothing was published");

    // What it says is enough, and less is not.
    project.edit("sql/shop/core/orders.sql", "lookback: 2d", "lookback: 5d, lookahead: 1d");
    project.matins(&["run", "--as-of", "2024-01-17"]).code(3);
    project.edit("sql/shop/core/orders.sql", "lookback: 5d", "lookback: 6d");
    project.matins(&["run", "--as-of", "2024-01-17"]).ok();
    same_as_whole(&project, &[]);
}

#[test]
fn rows_that_may_be_left_out_are_told_and_rows_without_a_time_too() {
    let project = project("{by: at, every: month, late: warn}");
    export(&project, 31, &[at(31)]);
    export(&project, 32, &[at(32), at(31), String::new()]);
    let said = project.matins(&["run", "--as-of", "2024-02-02"]).ok();
    let line = said.out.lines().find(|l| l.contains("late(at)")).expect("it is told");
    assert!(line.contains("noted late(at) on core.orders: 2 of 4 rows"), "{line}");
    assert!(line.contains("`lookback: 1d` lets them in") && line.contains("1 rows have no `at`"), "{line}");
    assert_eq!(project.value("SELECT sum(events) FROM core.orders"), "2");
    // Asked again, it is not counted again, and still known.
    export(&project, 33, &[at(33)]);
    let said = project.matins(&["run", "--as-of", "2024-02-03"]).ok().says("2 of 5 rows");
    assert_eq!(said.code, 0);
}

#[test]
fn what_cannot_be_made_in_parts_by_a_time_is_a_mistake() {
    for (head, message) in [
        ("{by: att, every: day}", "`raw.events` has no column `att`"),
        ("{by: id, every: day}", "`id` of `raw.events` is neither a date nor a timestamp"),
    ] {
        let project = project(head);
        project.matins(&["check"]).code(2).says("incremental-by").says(message);
    }
    let project = project("{by: at, every: day}");
    project.edit("sql/shop/mart/days.sql", "incremental: day", "incremental: {by: bdate, every: day}");
    project.matins(&["check"]).code(2).says("reads no exports whose rows could be told apart by `bdate`");
    project.edit("sql/shop/mart/days.sql", "incremental: {by: bdate, every: day}", "incremental: day");
    project.edit("sql/shop/mart/days.sql", "FROM core.orders", "FROM core.orders JOIN raw.events ON true");
    project.matins(&["check"]).code(2).says("incremental-mixed");
}
