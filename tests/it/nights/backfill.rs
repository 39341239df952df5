//! A run a day gives what one run of the last day gives: fingerprints, content, rows, and the report to the byte. So does a
//! range in any order, side by side, and stopped at any instant.

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ground::{Ground, RETAIL, Random, asked, drops};
use crate::project::{Project, terminate};

const RANGE: [&str; 5] = ["backfill", "--from", "2023-12-20", "--to", "2024-01-20"];
const INTERVALS: usize = 32;

/// The shop with twenty days of exports, a report, and a table by month that is made in parts.
fn shop() -> Project {
    let project = Project::shop_of_days(20);
    project.write("report-templates/r.html", "<html><body><p>Orders</p></body></html>");
    project.edit(
        "pipelines/shop.yaml",
        "packs: [shop]\n",
        "packs: [shop]\nreports:\n  - {name: r, template: r.html, recipients: [a@example.com]}\n",
    );
    project.with(
        "sql/shop/mart/notes.sql",
        "/* matins\nincremental: month\n*/\nSELECT order_id, note FROM raw.orders WHERE note IS NOT NULL\n",
    )
}

/// Fills an empty lake of the same project: an export's time is part of what it is.
fn filled(project: &Project, more: &[&str]) -> Value {
    emptied(project);
    let words: Vec<&str> = RANGE.iter().chain(more).copied().chain(["--json"]).collect();
    project.matins(&words).ok().json()
}

fn emptied(project: &Project) {
    if project.path("lake").exists() {
        fs::remove_dir_all(project.path("lake")).expect("the next one begins anew");
    }
}

fn rows(project: &Project) -> [Vec<Value>; 3] {
    ["core.orders ORDER BY order_id", "mart.days ORDER BY bdate", "mart.notes ORDER BY order_id"]
        .map(|from| project.query(&format!("SELECT * FROM {from}")))
}

#[test]
fn a_range_in_any_order_and_side_by_side_is_the_same() {
    let project = shop();
    let nights = filled(&project, &[]);
    let (contents, rows_of_plain) = (project.contents("shop"), rows(&project));
    assert_eq!(contents.len(), INTERVALS);
    let work = |nights: &Value| {
        let steps = nights.as_array().expect("nights").iter().flat_map(|n| n["steps"].as_array().expect("steps"));
        let mut ran: Vec<String> = steps.map(|s| format!("{} {}", s["step"], s["outcome"])).collect();
        ran.sort_unstable();
        ran
    };
    for more in [&["--newest-first"][..], &["--parallel", "4"], &["--newest-first", "--parallel", "3"]] {
        let made = filled(&project, more);
        assert_eq!(project.contents("shop"), contents, "{more:?}");
        assert_eq!(rows(&project), rows_of_plain, "{more:?}");
        // Each step ran once, whichever interval needed it first.
        assert_eq!(work(&made).len(), work(&nights).len(), "{more:?}");
        assert!(work(&made).iter().all(|s| s.ends_with("\"ran\"")), "{more:?}");
        let made = made.as_array().expect("nights");
        let reports = |n: &Value| n["reports"].as_array().is_some_and(|r| !r.is_empty());
        let with_reports: Vec<&Value> = made.iter().filter(|n| reports(n)).collect();
        assert_eq!(with_reports.len(), 1, "{more:?}");
        assert_eq!(with_reports[0]["as_of"], "2024-01-21", "the newest has the report");
        let newest_first = more.contains(&"--newest-first");
        assert_eq!(made[0]["as_of"], if newest_first { "2024-01-21" } else { "2023-12-21" });
        assert!(project.files("mail").is_empty(), "nothing was mailed");
        let head = project.chain("shop").last().expect("a link")["head"].as_u64().expect("a head");
        let head = &project.chain("shop")[usize::try_from(head - 1).expect("small")];
        assert_eq!(head["publication"]["as_of"], "2024-01-21", "readers follow the newest interval");
        let again = project.matins(&RANGE).ok();
        again.says("0 published, 32 were there already");
    }
}

/// What a backfill of older intervals publishes moves neither readers nor the schedule.
#[test]
fn newest_first_leaves_the_head_and_the_schedule_where_they_are() {
    let project = shop();
    project.edit("pipelines/shop.yaml", "interval: day\n", "interval: day\nschedule: {cron: \"30 2 * * *\"}\n");
    let clock = "2024-01-18T10:00:00Z..2024-01-20T12:00:00Z";
    let served = project.command(&["serve"]).env("MATINS_CLOCK", clock).output().expect("it ends by itself");
    assert!(served.status.success());
    let state = || {
        let schedule = project.matins(&["schedule", "shop", "--json"]).ok().json();
        (schedule[0]["cursor"].clone(), project.value("SELECT max(bdate) FROM core.orders"))
    };
    let before = state();
    assert_eq!(before.1, "2024-01-19");
    let words = ["backfill", "--from", "2024-01-02", "--to", "2024-01-12", "--newest-first", "--parallel", "2"];
    project.matins(&words).ok().says("11 published");
    assert_eq!(state(), before);
}

#[test]
fn a_dry_run_counts_what_the_backfill_then_does() {
    let project = shop();
    for more in [&[][..], &["--newest-first"]] {
        project.matins(&["backfill", "--from", "2024-01-05", "--to", "2024-01-07"]).ok();
        let words: Vec<&str> = RANGE.iter().chain(more).copied().chain(["--json"]).collect();
        let before = project.files("lake");
        let looked = project.matins(&[&words[..], &["--dry-run"]].concat()).ok().json();
        assert_eq!(project.files("lake"), before, "a dry run writes nothing");
        assert_eq!(looked["total"]["published"], 3);
        assert_eq!(looked["total"]["to_publish"], INTERVALS - 3);
        let nights = project.matins(&words).ok().json();
        let (looked, nights) = (looked["intervals"].as_array().expect("a list"), nights.as_array().expect("a list"));
        for (one, night) in looked.iter().zip(nights) {
            assert_eq!(one["as_of"], night["as_of"]);
            assert_eq!(one["published"] == true, night["published"] == false, "{one}");
            let steps = night["steps"].as_array().expect("steps");
            for kind in ["land", "assemble", "make", "check"] {
                let ran = steps.iter().filter(|s| s["step"].as_str().is_some_and(|s| s.starts_with(kind))).count();
                assert_eq!(one[kind], ran, "{kind} as of {}", one["as_of"]);
            }
            assert!(one["published"] == true || one["reused"] == night["steps_reused"], "{one}");
        }
        emptied(&project);
    }
    project.matins(&RANGE).ok();
    let words: Vec<&str> = RANGE.iter().copied().chain(["--dry-run"]).collect();
    project.matins(&words).ok().says("32 are published, 0 to publish");
}

/// Told to stop at instants it knows nothing of: what stands is whole, the lease is free, and the same command goes on.
#[test]
fn a_backfill_that_is_stopped_again_and_again_ends_like_one_that_was_not() {
    let test = "a_backfill_that_is_stopped_again_and_again_ends_like_one_that_was_not";
    let since = Instant::now();
    let project = shop();
    filled(&project, &[]);
    let took = since.elapsed();
    let (contents, rows_of_calm) = (project.contents("shop"), rows(&project));
    let mut random = Random::new(test);
    for more in [&[][..], &["--newest-first", "--parallel", "3"]] {
        emptied(&project);
        let words: Vec<&str> = RANGE.iter().chain(more).copied().collect();
        let mut stopped = Vec::new();
        for _ in 0..asked("MATINS_TEST_KILLS", 6) {
            let going = project.start(&words);
            let after = random.below(took / 4) + Duration::from_millis(10);
            sleep(after);
            terminate(&going);
            let ended = going.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&ended.stderr);
            match ended.status.code() {
                // Before the program listens to signals, one ends it as it ends any.
                Some(143) | None => stopped.push(after),
                Some(0) => break,
                other => panic!("{other:?}: {said}"),
            }
            let chain = project.chain("shop");
            assert!(chain.last().is_none_or(|link| link["lease"].is_null()), "the lease is free: {said}");
            let runs = project.matins(&["runs", "--json", "--limit", "100"]).ok().json();
            let runs = runs.as_array().expect("runs").clone();
            let ends: Vec<&str> = runs.iter().filter_map(|r| r["finished"]["status"].as_str()).collect();
            assert_eq!(ends.len(), runs.len(), "every run has its end");
            assert!(ends.iter().all(|status| ["published", "cancelled"].contains(status)), "{ends:?}");
        }
        println!("{test}: {more:?} stopped after {stopped:.0?}");
        assert!(stopped.len() > 2, "too few were stopped at work: {stopped:?}");
        project.matins(&words).ok();
        assert_eq!(project.contents("shop"), contents);
        assert_eq!(rows(&project), rows_of_calm);
    }
}

/// An interval that cannot be published ends the backfill there. What was made of later ones stays.
#[test]
fn an_interval_that_is_blocked_ends_it_and_what_was_made_ahead_stays() {
    let project = shop();
    project.edit("sql/shop/core/orders.sql", "key: [order_id]\n", "key: [order_id]\nchecks: [{row_count: {max: 9}}]\n");
    let words = ["backfill", "--from", "2024-01-01", "--to", "2024-01-08", "--parallel", "3"];
    project.matins(&words).code(3).says("1 check blocks publishing");
    assert_eq!(project.contents("shop").len(), 3);
    assert!(project.chain("shop").last().expect("a link")["lease"].is_null());
    project.edit("sql/shop/core/orders.sql", "max: 9", "max: 90");
    let next = project.matins(&[&words[..], &["--json"]].concat()).ok().json();
    let chain = project.chain("shop");
    let published: BTreeSet<&str> = chain.iter().filter_map(|link| link["publication"]["as_of"].as_str()).collect();
    assert_eq!(published.len(), 8);
    let fourth = &next[3];
    let steps: Vec<&str> =
        fourth["steps"].as_array().expect("steps").iter().filter_map(|s| s["step"].as_str()).collect();
    assert_eq!(steps, ["check core.orders"], "all else was made before");
}

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
