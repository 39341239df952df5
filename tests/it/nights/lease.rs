//! One run of a pipeline at a time: two at once, one that waits, a frozen holder, one that is told to stop, a dead one.

use std::time::{Duration, Instant};

use super::ground::{COMPANY, Ended, Going, Ground};
use crate::project::{Project, terminate};

/// Enough work that a second process meets the first one at it.
const CUSTOMERS: u32 = 1500;

#[test]
fn of_two_runs_at_once_one_publishes() {
    let ground = Ground::of_the_company(CUSTOMERS);
    for lake in ["one", "two", "three"] {
        let (a, b) = (ground.start(lake, &["run", "--json"]), ground.start(lake, &["run", "--json"]));
        let ids = [a.id(), b.id()];
        let both = [a.wait(), b.wait()];
        assert_eq!(both.iter().filter(|ended| has_published(ended)).count(), 1, "{}{}", both[0].err, both[1].err);
        let winner = usize::from(has_published(&both[1]));
        let loser = &both[1 - winner];
        println!("of_two_runs_at_once_one_publishes: the other ended with {}", loser.code());
        if loser.code() == 0 {
            // It came so late that the work was done.
            assert_eq!(loser.json()["published"], false);
        } else {
            refused(loser, ids[winner]);
        }
        assert_eq!(ground.publications(lake, COMPANY).len(), 1);
    }
    let contents: Vec<_> =
        ["one", "two", "three"].iter().map(|lake| ground.contents(lake, COMPANY)["2025-01-01"].1.clone()).collect();
    assert!(contents.iter().all(|content| *content == contents[0]));
}

#[test]
fn a_second_run_is_refused_or_waits() {
    let ground = Ground::of_the_company(CUSTOMERS);
    let mut first = ground.start("lake", &["run", "--json"]);
    ground.until_held("lake", COMPANY, 1, &mut first);
    let waiting = ground.start("lake", &["run", "--json", "--wait"]);
    let other = ground.run("lake", &["run"]);
    refused(&other, first.id());
    let backfill = ground.run("lake", &["backfill", "--from", "2024-12-30", "--to", "2024-12-31"]);
    refused(&backfill, first.id());
    assert!(first.is_running() && ground.chain("lake", COMPANY).len() == 1, "the refused changed nothing");

    let first = first.wait();
    assert!(has_published(&first), "{}", first.err);
    let waiting = waiting.wait().done();
    assert_eq!(waiting.json()["published"], false, "whoever waited finds nothing to do");
    assert_eq!(waiting.json()["snapshot"], first.json()["snapshot"]);
    assert_eq!(ground.publications("lake", COMPANY).len(), 1);
    let records = ground.run("lake", &["runs", "--json"]).done().json();
    assert_eq!(records.as_array().expect("runs").len(), 1, "one run worked");
}

#[test]
fn a_frozen_holder_that_wakes_cannot_publish() {
    let ground = Ground::of_the_company(CUSTOMERS).with("MATINS_LEASE_TIMEOUT", "1");
    let mut frozen = frozen(&ground, "lake");
    // It is alive, and on this machine: only its silence is a reason to take over.
    let other = ground.run("lake", &["run", "--json", "--wait"]).done();
    assert!(has_published(&other), "{}", other.err);
    took_over_by_silence(&other);
    wakes_in_vain(&ground, &mut frozen);

    let published = ground.publications("lake", COMPANY);
    assert_eq!(published.len(), 1);
    assert_eq!(published[0]["epoch"], 2);
    let records = ground.run("lake", &["runs", "--json"]).done().json();
    let status = |at: usize| records[at]["finished"]["status"].as_str().unwrap_or_default().to_owned();
    assert_eq!([status(0), status(1)], ["published", "fenced"], "newest first");
    let mails = std::fs::read_dir(ground.mail()).expect("the mail").count();
    assert_eq!(mails, 1, "the fenced run mailed nothing");
}

/// Nobody asked to wait here, and a night must not stay undone because a process hangs.
#[test]
fn a_silent_holder_is_taken_over_without_wait() {
    let ground = Ground::of_the_company(CUSTOMERS).with("MATINS_LEASE_TIMEOUT", "1");
    let mut frozen = frozen(&ground, "lake");
    let beat = ground.lake("lake").join(format!("beats/{COMPANY}/{:010}.json", 1));
    frozen.until("an old beat", || {
        let written = beat.metadata().and_then(|m| m.modified()).expect("a beat");
        written.elapsed().is_ok_and(|age| age > Duration::from_millis(1100))
    });
    let other = ground.run("lake", &["run", "--json"]).done();
    assert!(has_published(&other), "{}", other.err);
    took_over_by_silence(&other);
    wakes_in_vain(&ground, &mut frozen);
    assert_eq!(ground.publications("lake", COMPANY).len(), 1);
}

#[test]
fn a_run_that_is_told_to_stop_gives_its_lease_back() {
    let ground = Ground::of_the_company(CUSTOMERS);
    let mut epoch = 0;
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        epoch += 1;
        let mut run = ground.start("lake", &["run"]);
        ground.until_held("lake", COMPANY, epoch, &mut run);
        until_recorded(&ground, &mut run, usize::try_from(epoch).expect("small"));
        run.signal(signal);
        let ended = run.wait();
        assert_eq!(ended.code(), code, "{}", ended.err);
        let records = ground.run("lake", &["runs", "--json"]).done().json();
        assert_eq!(records[0]["finished"]["status"], "cancelled", "newest first: {records}");
        let links = ground.chain("lake", COMPANY);
        let last = links.last().expect("a link");
        assert!(last["lease"].is_null() && last["head"].is_null(), "free again, and nothing published: {last}");
    }
    let next = ground.run("lake", &["run", "--json"]).done();
    assert!(has_published(&next));
    assert!(phase(&next, "lease") < 5_000, "nobody had to be waited for");
    // Of a backfill too.
    let mut run = ground.start("lake", &["backfill", "--from", "2024-12-20", "--to", "2024-12-31"]);
    ground.until_held("lake", COMPANY, epoch + 2, &mut run);
    run.signal("TERM");
    assert_eq!(run.wait().code(), 143);
    assert!(ground.chain("lake", COMPANY).last().expect("a link")["lease"].is_null());
}

#[test]
fn a_dead_holder_of_this_machine_is_taken_over_at_once() {
    // With the real time-out, so that waiting for it would show.
    let ground = Ground::of_the_company(CUSTOMERS);
    let mut run = ground.start("lake", &["run"]);
    ground.until_held("lake", COMPANY, 1, &mut run);
    let (killed, _) = run.kill_when(|_| true);
    assert!(killed);
    assert!(!ground.link("lake", COMPANY, 1).expect("a link")["lease"].is_null(), "it left its lease behind");
    let next = ground.run("lake", &["run", "--json"]).done();
    assert!(has_published(&next));
    let waited = phase(&next, "lease");
    println!("a_dead_holder_of_this_machine_is_taken_over_at_once: after {waited} ms");
    assert!(waited < 5_000, "{waited} ms");
    let published = ground.publications("lake", COMPANY);
    assert_eq!((published.len(), &published[0]["epoch"]), (1, &serde_json::json!(2)));
}

/// A run that was stopped at its work, under the lease: one stopped before it had looked again would find the other's
/// snapshot when it wakes, and nothing to do.
fn frozen(ground: &Ground, lake: &str) -> Going {
    let mut run = ground.start(lake, &["run", "--json"]);
    let landed = ground.lake(lake).join("landed");
    run.until("its first landed export", || landed.is_dir());
    run.signal("STOP");
    assert_eq!(ground.chain(lake, COMPANY).len(), 1, "it was stopped before it published");
    run
}

fn took_over_by_silence(other: &Ended) {
    let waited = phase(other, "lease");
    println!("took over after {waited} ms of a time-out of 1000 ms");
    assert!(waited >= 1_000, "{waited} ms is less than the time-out");
}

/// Awake again, it goes on with its work, finds itself fenced, and says so.
fn wakes_in_vain(ground: &Ground, frozen: &mut Going) {
    assert!(frozen.is_running(), "a stopped process is alive");
    let before = ground.chain("lake", COMPANY);
    frozen.signal("CONT");
    let ended = frozen.end();
    assert_eq!(ended.code(), 6, "{}", ended.err);
    assert!(ended.err.contains("taken over"), "{}", ended.err);
    assert_eq!(ground.chain("lake", COMPANY), before, "it added nothing");
}

/// Exit code 6, and who holds it.
fn refused(ended: &Ended, holder: u32) {
    assert_eq!(ended.code(), 6, "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("held by run") && ended.err.contains(&format!("process {holder}")), "{}", ended.err);
}

fn has_published(ended: &Ended) -> bool {
    ended.code() == 0 && ended.json()["published"] == true
}

fn phase(ended: &Ended, name: &str) -> u64 {
    ended.json()["phases_ms"][name].as_u64().unwrap_or(0)
}

/// Waits until so many runs have recorded that they began, and not just made their folders.
fn until_recorded(ground: &Ground, run: &mut Going, count: usize) {
    let records = ground.lake("lake").join("runs").join(COMPANY);
    run.until("its record", || {
        let runs = std::fs::read_dir(&records).into_iter().flatten().flatten();
        runs.filter(|run| run.path().join("started.json").is_file()).count() == count
    });
}

#[test]
fn a_run_is_cancelled_and_watched_from_another_process() {
    let ground = Ground::of_the_company(6000).with("MATINS_LEASE_TIMEOUT", "1");
    let mut run = ground.start("lake", &["run"]);
    until_recorded(&ground, &mut run, 1);
    let watcher = ground.start("lake", &["runs", "watch"]);
    ground.run("lake", &["runs", "cancel", "--why", "the exports are of last year"]).done();

    let run = run.wait();
    assert_eq!(run.code(), 143, "{}", run.err);
    assert!(run.err.contains("cancelled by") && run.err.contains("the exports are of last year"), "{}", run.err);
    let watcher = watcher.wait();
    assert_eq!(watcher.code(), 143, "{}", watcher.err);
    let shown = ground.run("lake", &["runs", "show", "--json"]).done().json();
    assert_eq!(shown["finished"]["status"], "cancelled");
    assert!(ground.publications("lake", COMPANY).is_empty());
    assert_eq!(ground.run("lake", &["runs", "cancel"]).code(), 2, "what is over cannot be cancelled");

    // The lease is free at once, and the wish was for that run alone.
    let again = ground.run("lake", &["run", "--json"]).done().json();
    assert_eq!(again["published"], true);
}

#[test]
fn a_backfill_that_is_cancelled_ends_with_the_run_it_was_at() {
    let ground = Ground::of_the_company(CUSTOMERS);
    let filling = ground.start("lake", &["backfill", "--from", "2024-12-16", "--to", "2024-12-31"]);
    // Runs are short, so the wish may come too late for the one it names, and between two there is none to name.
    let asked = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        ground.run("lake", &["runs", "cancel", "--why", "enough"]).code() == 0
    });
    assert!(asked, "a run was seen");
    let ended = filling.wait();
    assert_eq!(ended.code(), 143, "{}", ended.err);
    assert!(ended.err.contains("enough"), "{}", ended.err);
    assert!(ground.publications("lake", COMPANY).len() < 16, "it ended before the last");
    // The lease is given back, and what is missing is made by asking again.
    ground.run("lake", &["backfill", "--from", "2024-12-16", "--to", "2024-12-17"]).done();
}

#[test]
fn work_that_lasts_too_long_is_given_up() {
    let ground = Ground::of_the_company(6000);
    ground.edit("pipelines/customer-health.yaml", "interval: day", "interval: day\ntimeouts: {run: 1s}");
    let late = ground.run("lake", &["run"]);
    assert_eq!(late.code(), 4, "{}", late.err);
    assert!(late.err.contains("did not end within 1.0 s") && late.err.contains("timeouts: {run: …}"), "{}", late.err);
    let shown = ground.run("lake", &["runs", "show", "--json"]).done().json();
    assert_eq!(shown["finished"]["status"], "failed");
    ground.edit("pipelines/customer-health.yaml", "timeouts: {run: 1s}", "timeouts: {run: 1h, step: 10m}");
    ground.run("lake", &["run"]).done();
}

#[test]
fn a_stage_that_lasts_longer_than_its_head_says_is_given_up_alone() {
    let project = Project::shop_of_days(20);
    // Few rows are read, and a join makes as many of them as there are grains of sand.
    let endless = "/* matins\ndescription: Counts for days\nkey: [n]\ntimeout: 1s\n*/\nSELECT count(*) AS n\nFROM core.orders AS a, core.orders AS b, core.orders AS c, core.orders AS d, core.orders AS e, core.orders AS f,\n    core.orders AS g, core.orders AS h\nWHERE a.net + b.net + c.net + d.net + e.net + f.net + g.net + h.net > 1\n";
    project.write("sql/shop/mart/endless.sql", endless);
    let late = project.matins(&["run", "--as-of", "2024-01-21"]).code(4);
    let late = late.says("make mart.endless did not end within 1.0 s").says("`timeout` in the head of its stage");
    late.says_not("panicked");
    let steps = project.matins(&["runs", "show", "--json"]).ok().json()["finished"]["steps"].clone();
    let failed: Vec<_> = steps.as_array().expect("steps").iter().filter(|s| s["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{steps:#}");
    assert_eq!(failed[0]["step"], "make mart.endless");
    // What the others made is there, and the words of a head change no fingerprint.
    project.remove("sql/shop/mart/endless.sql");
    project.night("2024-01-21");
}

/// Calls that nothing can interrupt keep every thread; who stops the run is heard all the same.
#[test]
fn a_run_whose_threads_are_all_busy_is_stopped() {
    let project = Project::shop_of_days(20).busy();
    let run = project.start(&["run", "--as-of", "2024-01-21"]);
    project.until_busy(&project.path("lake/runs/shop"));
    let since = Instant::now();
    // As `timeout` does, which tells the process and then its group: one wish.
    terminate(&run);
    terminate(&run);
    let ended = run.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert_eq!(project.matins(&["runs", "--json"]).ok().json()[0]["finished"]["status"], "cancelled");
    assert!(project.chain("shop").last().expect("a link")["lease"].is_null(), "given back");
}

#[test]
fn a_killed_run_is_neither_waited_for_nor_cancelled() {
    let ground = Ground::of_the_company(6000);
    let mut run = ground.start("lake", &["run"]);
    until_recorded(&ground, &mut run, 1);
    run.kill_when(|_| true);
    for words in [&["runs", "watch"][..], &["runs", "cancel"]] {
        let said = ground.run("lake", words);
        assert_eq!(said.code(), 4, "{}", said.err);
        assert!(said.err.contains("was interrupted: its process is gone"), "{}", said.err);
    }
}
