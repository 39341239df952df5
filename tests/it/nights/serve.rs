//! `matins serve` as a process, by a clock that leaps from fire to fire: a year, an outage, edits, two schedulers, a backfill
//! that gives way, a signal.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ground::{Going, Ground, RETAIL, drops};
use crate::project::{Project, seconds_ago, terminate};

const NIGHTLY: &str = "interval: day\nschedule: {cron: \"30 2 * * *\"}\n";

/// The shop with exports of January 2024, and a schedule.
fn shop(schedule: &str) -> Project {
    let project = Project::shop_of_days(20);
    project.edit("pipelines/shop.yaml", "interval: day\n", &format!("interval: day\nschedule: {schedule}\n"));
    project
}

/// Lets a scheduler live from one instant to another.
fn live(project: &Project, from: &str, until: &str) -> String {
    let output = project.command(&["serve"]).env("MATINS_CLOCK", format!("{from}..{until}")).output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}");
    said
}

/// Starts the program and leaves it going.
fn start(project: &Project, clock: Option<&str>, words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_matins"));
    command.current_dir(project.path("")).env_clear().args(words).stdout(Stdio::null()).stderr(Stdio::piped());
    command.envs(clock.map(|clock| ("MATINS_CLOCK", clock)));
    command.spawn().expect("the program starts")
}

#[test]
fn what_check_finds_is_found_at_the_start_and_not_at_night() {
    let project = shop("{cron: \"30 2 * * *\"}");
    project.edit("sql/shop/mart/days.sql", "sum(net)", "sum(nett)");
    project.matins(&["serve"]).code(2).says("sql/shop/mart/days.sql:4").says("did you mean `net`?");
    project.edit("sql/shop/mart/days.sql", "sum(nett)", "sum(net)");
    project.matins(&["serve", "shopp"]).code(2).says("there is no pipeline `shopp`");
}

fn json(project: &Project, words: &[&str]) -> Value {
    project.matins(words).ok().json()
}

/// `as_of` of every publication, in order, and the runs that led to them.
fn published(project: &Project) -> Vec<String> {
    let links = (1..).map_while(|n| fs::read(project.path(&format!("lake/snapshots/shop/{n:010}.json"))).ok());
    let links = links.map(|bytes| serde_json::from_slice::<Value>(&bytes).expect("a link")["data"].clone());
    links.filter_map(|link| Some(link["publication"]["as_of"].as_str()?.to_owned())).collect()
}

fn cursor(project: &Project) -> Value {
    json(project, &["schedule", "shop", "--json"])[0]["cursor"].clone()
}

fn subjects(project: &Project) -> Vec<String> {
    let folder = project.path("mail");
    let Ok(entries) = fs::read_dir(&folder) else { return vec![] };
    let mut names: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    names.sort();
    let subject = |path: &Path| {
        let text = fs::read_to_string(path).expect("a message");
        let line = text.lines().find(|l| l.starts_with("Subject: ")).expect("a subject").to_owned();
        line["Subject: ".len()..].to_owned()
    };
    names.iter().map(|path| subject(path)).collect()
}

#[test]
fn five_missed_nights_are_five_data_runs_and_one_report_marked_late() {
    let project = shop("{cron: \"30 2 * * *\"}");
    project.write("report-templates/r.html", "<html><body><p>Orders</p></body></html>");
    project.edit(
        "pipelines/shop.yaml",
        "packs: [shop]\n",
        "packs: [shop]\nreports:\n  - {name: r, template: r.html, recipients: [a@example.com]}\n",
    );
    live(&project, "2024-01-01T10:00:00Z", "2024-01-02T12:00:00Z");
    assert_eq!((published(&project).len(), subjects(&project).len()), (1, 1));
    let said = live(&project, "2024-01-07T09:00:00Z", "2024-01-07T12:00:00Z");
    let days: Vec<String> = (2..=7).map(|d| format!("2024-01-{d:02}")).collect();
    assert_eq!(published(&project), days, "{said}");
    let subjects = subjects(&project);
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(!subjects[0].starts_with("Late") && subjects[1].starts_with("Late: R"), "{subjects:?}");
    let mail = fs::read_to_string(project.path("mail/2024-01-07-shop-r-a@example.com.eml")).expect("the message");
    assert!(mail.contains("This report is late: it was due at 2024-01-07 02:30 UTC."), "{mail}");
    let runs = json(&project, &["runs", "--json"]);
    assert_eq!(runs[0]["started"]["cause"], "cron");
    assert_eq!(runs[0]["started"]["due_at"], "2024-01-07T02:30:00Z");
}

#[test]
fn an_edit_a_pause_and_a_restart_fire_nothing_old() {
    let project = shop("{cron: \"30 2 * * *\"}");
    live(&project, "2024-01-01T10:00:00Z", "2024-01-03T12:00:00Z");
    assert_eq!(published(&project), ["2024-01-02", "2024-01-03"]);
    // Two nights nobody is there; then the cron is another one.
    project.edit("pipelines/shop.yaml", "30 2 * * *", "30 5 * * *");
    let said = live(&project, "2024-01-05T10:00:00Z", "2024-01-06T12:00:00Z");
    assert_eq!(published(&project)[2..], ["2024-01-06"], "{said}");
    assert!(said.contains("skipped 2024-01-03T00:00 to 2024-01-05T00:00: the schedule was changed"), "{said}");
    project.edit("pipelines/shop.yaml", "\"}", "\", paused: true}");
    live(&project, "2024-01-06T13:00:00Z", "2024-01-08T12:00:00Z");
    project.edit("pipelines/shop.yaml", ", paused: true", "");
    live(&project, "2024-01-08T13:00:00Z", "2024-01-09T12:00:00Z");
    assert_eq!(published(&project)[3..], ["2024-01-09"]);
    // Restarting it is no edit, and finds nothing to do.
    live(&project, "2024-01-09T13:00:00Z", "2024-01-09T14:00:00Z");
    assert_eq!(published(&project).len(), 4);
    let why: Vec<String> =
        cursor(&project)["skipped"].as_array().expect("skips").iter().map(|s| s["why"].to_string()).collect();
    assert!(why[0].contains("was changed") && why[1].contains("was paused") && why.len() == 2, "{why:?}");
    let listed = project.matins(&["schedule", "shop"]).ok().out;
    assert!(listed.contains("skipped 2024-01-06 to 2024-01-08: the schedule was paused"), "{listed}");
}

#[test]
fn a_night_that_fails_is_accounted_for_and_the_next_one_runs() {
    let project = shop("{cron: \"30 2 * * *\"}");
    project.edit("sql/shop/core/orders.sql", "key: [order_id]\n", "key: [order_id]\nchecks: [{row_count: {max: 6}}]\n");
    let said = live(&project, "2024-01-01T10:00:00Z", "2024-01-04T12:00:00Z");
    assert_eq!(published(&project), ["2024-01-02", "2024-01-03"]);
    assert!(said.contains("as of 2024-01-04: failed: 1 check blocks publishing"), "{said}");
    let cursor = cursor(&project);
    assert_eq!(cursor["intervals_until"], "2024-01-04T00:00:00Z");
    assert!(cursor["skipped"][0]["why"].as_str().expect("a reason").starts_with("the run failed: 1 check"));
    project.edit("sql/shop/core/orders.sql", "max: 6", "max: 60");
    live(&project, "2024-01-04T13:00:00Z", "2024-01-05T12:00:00Z");
    assert_eq!(published(&project)[2..], ["2024-01-05"]);
}

#[test]
fn pipelines_wait_for_each_other_and_for_their_exports() {
    let project = shop("{exports: orders, look_every_minutes: 60}");
    project.write("pipelines/later.yaml", crate::project::SHOP.replace("interval: day\n", "schedule: {after: shop}\n"));
    for day in 3..=20 {
        project.remove(&format!("exports/orders/2024-01-{day:02}.csv"));
    }
    live(&project, "2024-01-01T10:00:00Z", "2024-01-05T12:00:00Z");
    // The day before it was deployed had no export by then, so it was still waited for, and runs with the next one's.
    assert_eq!(published(&project), ["2024-01-01", "2024-01-02", "2024-01-03"], "there are no more exports");
    let later = json(&project, &["runs", "--pipeline", "later", "--json"]);
    let of = |at: usize| (later[at]["started"]["as_of"].clone(), later[at]["started"]["cause"].clone());
    assert_eq!((of(1), of(0)), (("2024-01-02".into(), "after".into()), ("2024-01-03".into(), "after".into())));
    // The third day's comes two days late, with the fourth's: both nights run.
    for day in [3, 4] {
        let lines = format!("{}{day}-1,2024-01-{day:02},10.00,fine\n", crate::project::HEADER);
        project.write(&format!("exports/orders/2024-01-{day:02}.csv"), lines);
    }
    live(&project, "2024-01-05T12:00:00Z", "2024-01-05T14:00:00Z");
    assert_eq!(published(&project)[3..], ["2024-01-04", "2024-01-05"]);
}

#[test]
fn of_three_schedulers_one_publishes_each_night() {
    let project = shop("{cron: \"30 2 * * *\"}");
    let clock = "2024-01-01T10:00:00Z..2024-01-12T12:00:00Z";
    let all = [(); 3].map(|()| start(&project, Some(clock), &["serve"]));
    for one in all {
        let ended = one.wait_with_output().expect("it ends by itself");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let days: Vec<String> = (2..=12).map(|d| format!("2024-01-{d:02}")).collect();
    assert_eq!(published(&project), days);
    let backfill = Project::shop_of_days(20);
    backfill.matins(&["backfill", "--from", "2024-01-01", "--to", "2024-01-11"]).ok();
    let rows = |project: &Project| project.query("SELECT bdate, orders, net FROM mart.days ORDER BY bdate");
    assert_eq!(rows(&project), rows(&backfill));
}

/// The nightly run goes between two intervals of a backfill, which then goes on.
#[test]
fn a_backfill_gives_way_to_a_night_that_is_due() {
    let project = shop("{cron: \"30 2 * * *\"}");
    let clock = "2024-01-18T10:00:00Z..2024-01-18T12:00:00Z";
    start(&project, Some(clock), &["serve"]).wait_with_output().expect("it takes the schedule over");
    let filling = start(&project, None, &["backfill", "--from", "2023-10-01", "--to", "2024-01-10"]);
    let taken = || fs::read_dir(project.path("lake/snapshots/shop")).map_or(0, Iterator::count) > 5;
    let since = Instant::now();
    while !taken() {
        assert!(since.elapsed().as_secs() < 60, "the backfill works");
        sleep(Duration::from_millis(5));
    }
    // By a real clock, so that it waits as it does at night: this morning's run is due.
    let now = "2024-01-19T02:30:00Z x1 since ".to_owned() + &seconds_ago(1);
    let mut serving = start(&project, Some(&now), &["serve"]);
    while !published(&project).contains(&"2024-01-19".to_owned()) {
        assert!(since.elapsed().as_secs() < 90 && serving.try_wait().expect("our own").is_none(), "the night runs");
        sleep(Duration::from_millis(20));
    }
    terminate(&serving);
    serving.wait_with_output().expect("it ends");
    let filled = filling.wait_with_output().expect("it ends");
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let all = published(&project);
    let at = all.iter().position(|as_of| as_of == "2024-01-19").expect("the night");
    assert_eq!(all.len(), 103, "102 intervals and the night");
    assert!(at > 0 && at < 102, "it went between: {at}");
}

/// A signal gives the lease back, and leaves the night to be run by whoever comes next.
#[test]
fn told_to_stop_it_stops_cleanly() {
    let project = shop("{cron: \"* * * * * *\", overlap: skip}");
    let mut going = start(&project, None, &["serve"]);
    let chain = project.path("lake/snapshots/shop");
    let since = Instant::now();
    while fs::read_dir(&chain).map_or(0, Iterator::count) < 3 {
        assert!(going.try_wait().expect("our own").is_none() && since.elapsed().as_secs() < 60, "it works");
        sleep(Duration::from_millis(5));
    }
    terminate(&going);
    let ended = going.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let last = (1..).map_while(|n| fs::read(chain.join(format!("{n:010}.json"))).ok()).last().expect("a link");
    let last: Value = serde_json::from_slice(&last).expect("a link");
    assert!(last["data"]["lease"].is_null(), "the lease was given back: {last}");
}

/// A person's word counts: the night is accounted for with their reason, and does not run again.
#[test]
fn a_night_that_is_cancelled_is_not_started_again() {
    let project = shop("{cron: \"30 2 * * *\"}");
    project.write(
        "sql/shop/mart/slow.sql",
        "WITH pairs AS (SELECT repeat(a.order_id || b.order_id, 12) AS id FROM core.orders a CROSS JOIN core.orders b)\n\
         SELECT sum(levenshtein(a.id, b.id)) AS n FROM pairs a CROSS JOIN pairs b\n",
    );
    let clock = "2024-01-18T10:00:00Z..2024-01-18T12:00:00Z";
    start(&project, Some(clock), &["serve"]).wait_with_output().expect("it takes the schedule over");
    let now = "2024-01-19T02:30:00Z x1 since ".to_owned() + &seconds_ago(1);
    let mut serving = start(&project, Some(&now), &["serve"]);
    let since = Instant::now();
    let runs = || {
        let entries = fs::read_dir(project.path("lake/runs/shop")).into_iter().flatten().flatten();
        entries.filter(|run| run.path().join("started.json").is_file()).count()
    };
    let mut until = |what: &str, so: &dyn Fn() -> bool| {
        while !so() {
            assert!(serving.try_wait().expect("our own").is_none() && since.elapsed().as_secs() < 90, "{what}");
            sleep(Duration::from_millis(20));
        }
    };
    until("the night begins", &|| runs() == 1);
    project.matins(&["runs", "cancel", "--why", "the exports are wrong"]).ok();
    until("it is accounted for", &|| cursor(&project)["intervals_until"] == "2024-01-19T00:00:00Z");
    let why = cursor(&project)["skipped"][0]["why"].to_string();
    assert!(why.contains("cancelled by") && why.contains("the exports are wrong"), "{why}");
    // Whoever comes next does not start it either.
    sleep(Duration::from_secs(3));
    terminate(&serving);
    serving.wait_with_output().expect("it ends");
    live(&project, "2024-01-19T04:00:00Z", "2024-01-19T12:00:00Z");
    assert_eq!((runs(), published(&project).len()), (1, 0));
    let records = json(&project, &["runs", "--json"]);
    assert_eq!(records[0]["finished"]["status"], "cancelled");
}

#[test]
fn a_year_of_nights_through_serve_equals_a_backfill() {
    let test = "a_year_of_nights_through_serve_equals_a_backfill";
    let Some(folder) = drops(test) else { return };
    // A whole year takes some minutes.
    let whole = super::asked("MATINS_TEST_FULL", 0) == 1;
    let (end, last) =
        if whole { ("2011-12-10T12:00:00Z", "2011-12-09") } else { ("2011-01-20T12:00:00Z", "2011-01-19") };
    let ground = if whole { Ground::of_drops(&folder) } else { Ground::of_drops_until(&folder, last) };
    ground.edit("pipelines/online-retail.yaml", "interval: day\n", NIGHTLY);
    let ground = ground.with("MATINS_CLOCK", &format!("2010-12-01T10:00:00Z..{end}"));
    let mut serving: Going = ground.start("served", &["serve", RETAIL]);
    serving.end().done();
    ground.run("filled", &["backfill", RETAIL, "--from", "2010-12-01", "--to", last]).done();
    let by_content = |lake: &str| -> Vec<(String, String)> {
        ground.contents(lake, RETAIL).into_iter().map(|(as_of, (_, content))| (as_of, content)).collect()
    };
    let served = by_content("served");
    println!("{test}: {} nights", served.len());
    assert_eq!(served, by_content("filled"));
    assert_eq!(served.len(), if whole { 374 } else { 50 });
}
