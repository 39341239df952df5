//! Collecting: never what is reached, never at once, never what a run is about to use.

use chrono::{DateTime, TimeDelta, Utc};

use super::{day, publish, sealed, take};
use crate::base::{Fingerprint, TableName};
use crate::lake::testing::{
    both_kinds, dead_process, fingerprint, in_memory, landed, now, pipeline, run, source, this_machine,
};
use crate::lake::{
    Balance, ChainError, DataFile, GcPhase, GcPolicy, GcReport, Lake, LakeError, RawExport, RawTable, TablePart, gc,
    gc_doomed, lease, paths,
};

/// Objects carry the real time of writing; this is long after it.
fn later(days: i64) -> DateTime<Utc> {
    crate::system::Clock::Real.now() + TimeDelta::days(days)
}

async fn collect(lake: &Lake, days: i64) -> GcReport {
    let policy = GcPolicy { keep: 1, min_age: TimeDelta::days(2), wait: TimeDelta::days(1), dry_run: false };
    gc(lake, &this_machine(), &policy, &format!("n{days}"), later(days)).await.expect("collected")
}

async fn part(lake: &Lake, of: &str, attempt: &str) -> TablePart {
    let table: TableName = "core.orders".parse().expect("a name");
    let path = format!("{}/part-0.parquet", paths::table_attempt(&table, &fingerprint(of), attempt));
    lake.put(&path, "rows").await.expect("written");
    let files = vec![DataFile { path, rows: 1, size_bytes: 4 }];
    let part = TablePart {
        late: None,
        fingerprint: fingerprint(of),
        table,
        period: None,
        files,
        rows: 1,
        rows_quarantined: 0,
        quarantine: None,
    };
    lake.put_part(part).await.expect("marked")
}

/// A night: an export lands, a raw table and a stage's table are made of it, and they are published.
async fn night(lake: &Lake, id: &str, end: i64) -> Vec<String> {
    let landed = lake.put_landed(landed(lake, id, "a").await).await.expect("marked");
    let raw = RawTable {
        fingerprint: fingerprint(&format!("raw {id}")),
        source: source(),
        exports: vec![RawExport {
            fingerprint: landed.fingerprint,
            path: landed.export.path.clone(),
            date: None,
            files: landed.files.clone(),
            rows_read: 1,
            rows_quarantined: 0,
            quarantine: None,
        }],
        balance: Balance { read: 1, landed: 1, ..Balance::default() },
        dropped: None,
    };
    let raw = lake.put_raw_table(raw).await.expect("marked");
    let part = part(lake, &format!("part {id}"), "a").await;
    let checks = fingerprint("checks");
    lake.put_check_outcomes(&part.table, &part.fingerprint, &checks, Vec::new()).await.expect("put");
    let mut held = take(lake, id).await;
    let tables = vec![sealed("raw.orders", raw.fingerprint), sealed("core.orders", part.fingerprint)];
    publish(lake, &mut held, &format!("{id}1"), day(end), tables).await;
    held.release(lake, &format!("{id}2"), now()).await.expect("released");
    let report = format!("reports/p/2024-03-01/{:010}/executive/all.en.html", held.last_publication().expect("one"));
    lake.put(&report, "<html>").await.expect("written");
    vec![
        landed.files[0].path.clone(),
        part.files[0].path.clone(),
        paths::landed_marker(&source(), &landed.fingerprint),
        paths::table_marker(&TableName::raw(&source()), &raw.fingerprint),
        paths::table_marker(&part.table, &part.fingerprint),
        paths::check_outcomes(&part.table, &part.fingerprint, &checks),
        report,
    ]
}

async fn all_there(lake: &Lake, paths: &[String]) -> bool {
    for path in paths {
        if !lake.exists(path).await.expect("looked") {
            return false;
        }
    }
    true
}

fn needed(id: &str) -> Vec<Fingerprint> {
    vec![fingerprint(id)]
}

#[tokio::test]
async fn only_what_is_unreached_goes_and_only_after_the_wait() {
    for (lake, _folder) in both_kinds() {
        let old = night(&lake, "one", 1).await;
        let new = night(&lake, "two", 2).await;
        // An attempt that lost, in a folder that is reached.
        let lost = format!("{}/part-0.parquet", paths::landed_attempt(&source(), &fingerprint("two"), "b"));
        lake.put(&lost, "rows").await.expect("written");
        assert_eq!(collect(&lake, 1).await.phase, GcPhase::Nothing, "all of it is young");
        let listed = collect(&lake, 3).await;
        assert_eq!(listed.phase, GcPhase::Listed);
        let mut expected = [old.clone(), vec![lost.clone()]].concat();
        let mut found = listed.objects.clone();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        assert!(gc_doomed(&lake).await.expect("read").contains(&fingerprint("one")));
        assert!(!gc_doomed(&lake).await.expect("read").contains(&fingerprint("two")));
        assert!(matches!(collect(&lake, 3).await.phase, GcPhase::Waiting { .. }));
        assert!(all_there(&lake, &expected).await, "nothing goes before the wait is over");
        assert_eq!(collect(&lake, 5).await.phase, GcPhase::Deleted);
        for path in expected {
            assert!(!lake.exists(&path).await.expect("looked"), "{path}");
        }
        assert!(all_there(&lake, &new).await);
        assert!(gc_doomed(&lake).await.expect("read").0.is_empty());
        assert_eq!(collect(&lake, 6).await.phase, GcPhase::Nothing);
        assert!(lake.landed(&source(), &fingerprint("one")).await.expect("read").is_none());
    }
}

#[tokio::test]
async fn what_was_published_again_after_the_list_stays() {
    let lake = in_memory();
    let one = night(&lake, "one", 1).await;
    night(&lake, "two", 2).await;
    collect(&lake, 3).await;
    let mut held = take(&lake, "r").await;
    let tables = ["raw", "part"].map(|of| fingerprint(&format!("{of} one")));
    let tables = vec![sealed("raw.orders", tables[0]), sealed("core.orders", tables[1])];
    publish(&lake, &mut held, "r1", day(1), tables).await;
    held.release(&lake, "r2", now()).await.expect("released");
    let pages = |path: &String| path.starts_with("reports/");
    assert!(collect(&lake, 5).await.objects.iter().all(pages), "those of the snapshot before are no longer shown");
    let data: Vec<String> = one.into_iter().filter(|path| !pages(path)).collect();
    assert!(all_there(&lake, &data).await);
}

#[tokio::test]
async fn readers_go_back_to_what_is_there_and_to_nothing_that_was_collected() {
    let lake = in_memory();
    let one = night(&lake, "one", 1).await;
    night(&lake, "two", 2).await;
    collect(&lake, 3).await;
    let mut held = take(&lake, "r").await;
    held.rollback(&lake, 2, true, "r1", now()).await.expect("rolled back");
    assert_eq!(collect(&lake, 5).await.objects, Vec::<String>::new());
    assert!(all_there(&lake, &one).await);

    let mut held = take(&lake, "s").await;
    held.release_rollback(&lake, true, "s1", now()).await.expect("released");
    for days in [6, 8] {
        collect(&lake, days).await;
    }
    assert!(!all_there(&lake, &one).await);
    let mut held = take(&lake, "t").await;
    let refused = held.rollback(&lake, 2, true, "t1", now()).await;
    assert!(matches!(refused, Err(ChainError::Collected { number: 2, .. })), "{refused:?}");
    held.release(&lake, "t2", now()).await.expect("released");
}

#[tokio::test]
async fn a_run_that_needs_something_on_the_list_calls_it_off() {
    let lake = in_memory();
    let old = night(&lake, "one", 1).await;
    night(&lake, "two", 2).await;
    collect(&lake, 3).await;
    let doomed = gc_doomed(&lake).await.expect("read");
    doomed.spare(&lake, needed("two"), "s", now()).await.expect("none of it is on the list");
    assert!(!gc_doomed(&lake).await.expect("read").0.is_empty());
    doomed.spare(&lake, needed("one"), "s", now()).await.expect("spared");
    assert!(gc_doomed(&lake).await.expect("read").0.is_empty());
    // The list is forgotten, and a new one begins with a new wait.
    assert_eq!(collect(&lake, 5).await.phase, GcPhase::Listed);
    assert!(all_there(&lake, &old).await);
}

#[tokio::test]
async fn too_late_to_call_it_off_is_said() {
    let lake = in_memory();
    night(&lake, "one", 1).await;
    night(&lake, "two", 2).await;
    collect(&lake, 3).await;
    let doomed = gc_doomed(&lake).await.expect("read");
    collect(&lake, 5).await;
    let error = doomed.spare(&lake, needed("one"), "s", now()).await.expect_err("deleted");
    assert!(matches!(error, LakeError::BeingCollected { .. }) && error.is_transient());
    gc_doomed(&lake).await.expect("read").spare(&lake, needed("one"), "s", now()).await.expect("there is none now");
}

#[tokio::test]
async fn nothing_is_deleted_while_somebody_may_be_at_work() {
    let lake = in_memory();
    night(&lake, "one", 1).await;
    night(&lake, "two", 2).await;
    collect(&lake, 3).await;
    // Taken shortly before the second call, by the clock of the links.
    let taken_at = later(5) - TimeDelta::hours(1);
    let held = lease::take(&lake, &pipeline(), super::holder(), run("x"), "x", taken_at, &this_machine()).await;
    let mut held = held.expect("taken");
    assert_eq!(collect(&lake, 5).await.phase, GcPhase::Held { pipeline: "p".into() });
    held.release(&lake, "x1", taken_at).await.expect("released");
    lease::take(&lake, &pipeline(), dead_process(), run("y"), "y", taken_at, &this_machine()).await.expect("taken");
    assert_eq!(collect(&lake, 5).await.phase, GcPhase::Deleted, "a dead holder does nothing any more");
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let lake = in_memory();
    let old = night(&lake, "one", 1).await;
    night(&lake, "two", 2).await;
    let policy = GcPolicy { keep: 1, min_age: TimeDelta::zero(), wait: TimeDelta::zero(), dry_run: true };
    for _ in 0..2 {
        let report = gc(&lake, &this_machine(), &policy, "n", later(9)).await.expect("looked");
        assert_eq!((report.phase, report.objects.len()), (GcPhase::Listed, old.len()));
    }
    assert!(lake.list(paths::GC).await.expect("listed").is_empty());
}
