//! Killed at any instant and started again: one mail, and one message in the outbox that was accepted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::ground::{COMPANY, Ground, Random, asked};

#[test]
fn a_night_killed_at_any_instant_mails_once() {
    let test = "a_night_killed_at_any_instant_mails_once";
    let mut random = Random::new(test);
    let ground = Ground::of_the_company(500);
    let (lake, mail) = (ground.lake("lake"), ground.mail());
    let mut killed = 0;
    for _ in 0..3 {
        let after = random.below(Duration::from_millis(1200));
        killed += usize::from(ground.start("lake", &["run"]).kill_when(|since| since >= after).0);
    }
    // Then at the instants around delivery that matter: as soon as the trace of one is seen.
    let published = || {
        let links = (1..).map_while(|number| ground.link("lake", COMPANY, number));
        links.last().is_some_and(|link| !link["head"].is_null())
    };
    let message = || !found(&lake.join("outbox"), "message.eml").is_empty();
    let marked = || !found(&lake.join("outbox"), "01.json").is_empty();
    let mailed = || !found(&mail, ".eml").is_empty();
    let traces: [&dyn Fn() -> bool; 4] = [&published, &message, &marked, &mailed];
    for trace in traces {
        if !trace() {
            killed += usize::from(ground.start("lake", &["run"]).kill_when(|_| trace()).0);
        }
    }
    println!("{test}: killed {killed} times on the way");
    assert!(killed > 3);
    let night = ground.run("lake", &["run", "--json"]).done().json();
    mailed_once(&ground);
    let message = night["reports"][0]["messages"][0]["note"].as_str().expect("where the mail is").to_owned();
    assert!(Path::new(&message).is_file(), "{message}");
    assert_eq!(ground.publications("lake", COMPANY).len(), 1);
    // And once more, with nothing to do.
    ground.run("lake", &["run"]).done();
    mailed_once(&ground);
}

/// The same where only the mail is left to do, so that every instant of delivery is hit by some round.
#[test]
fn a_delivery_killed_at_any_instant_mails_once() {
    let test = "a_delivery_killed_at_any_instant_mails_once";
    let mut random = Random::new(test);
    let ground = Ground::of_the_company(300);
    ground.run("lake", &["run", "--no-mail"]).done();
    assert!(found(&ground.mail(), ".eml").is_empty(), "nothing is sent");
    let calm = ground.run("lake", &["run"]).done();
    mailed_once(&ground);
    let (mut killed, mut midway) = (0, 0);
    for _ in 0..asked("MATINS_TEST_KILLS", 15) {
        for folder in [ground.mail(), ground.lake("lake").join("outbox"), ground.lake("lake").join("reports")] {
            fs::remove_dir_all(folder).expect("a folder");
        }
        for _ in 0..2 {
            let after = random.below(calm.took);
            killed += usize::from(ground.start("lake", &["run"]).kill_when(|since| since >= after).0);
        }
        midway += usize::from(ground.lake("lake").join("outbox").exists());
        ground.run("lake", &["run"]).done();
        mailed_once(&ground);
    }
    println!("{test}: {killed} kills, {midway} rounds had begun to deliver");
    assert!(killed > 5);
}

fn mailed_once(ground: &Ground) {
    let mails = found(&ground.mail(), ".eml");
    assert_eq!(mails.len(), 1, "{mails:?}");
    let outbox = ground.lake("lake").join("outbox");
    let messages = found(&outbox, "message.eml");
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(fs::read(&mails[0]).expect("the mail"), fs::read(&messages[0]).expect("the message"), "final bytes");
    let mut steps = found(&outbox, ".json");
    steps.retain(|path| path.parent().is_some_and(|folder| folder.ends_with("state")));
    steps.sort();
    let states: Vec<String> = steps
        .iter()
        .map(|path| {
            let step: Value = serde_json::from_slice(&fs::read(path).expect("a step")).expect("JSON");
            step["data"]["state"].as_str().expect("a state").to_owned()
        })
        .collect();
    assert_eq!(states, ["sending", "accepted"]);
}

/// Files at any depth whose name ends so; none where the folder is absent.
fn found(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let paths = entries.filter_map(|e| Some(e.ok()?.path()));
    paths
        .flat_map(|path| {
            let is_it = path.to_string_lossy().ends_with(ending);
            if path.is_dir() { found(&path, ending) } else { Vec::from_iter(is_it.then_some(path)) }
        })
        .collect()
}
