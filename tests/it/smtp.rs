//! The program as a process against a mail server that fails at every point, and killed at random instants: nobody gets two
//! messages, and whoever got none stands in the outbox with the reason. `benches/mail.py` is the long form.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nights::Random;
use crate::project::{Project, SHOP};

/// What happens to the message of one recipient, by what its address begins with.
const FAULTS: [(&str, &str); 9] = [
    ("good", "accepted"),
    ("later-mail", "deferred"),
    ("later-rcpt", "deferred"),
    ("never-rcpt", "failed"),
    ("hangup-rcpt", "deferred"),
    ("later-end", "deferred"),
    ("never-end", "failed"),
    ("hangup-data", "unknown"),
    ("hangup-end", "unknown"),
];

/// Recipients whose message was taken whole, in order; the answer may have been lost.
type Took = Arc<Mutex<Vec<String>>>;

/// A mail server in this process. Its threads end with the test's process.
fn serve() -> (u16, Took) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let took = Took::default();
    let kept = Arc::clone(&took);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let took = Arc::clone(&kept);
            std::thread::spawn(move || talk(&stream, &took));
        }
    });
    (port, took)
}

/// One connection, until somebody hangs up.
fn talk(stream: &TcpStream, took: &Took) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    let mut write = stream.try_clone().ok()?;
    let mut say = |words: &str| write.write_all(format!("{words}\r\n").as_bytes()).ok();
    say("220 test ESMTP")?;
    let mut recipient = String::new();
    while let Some(line) = lines.next() {
        let verb = line.get(..4).unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" => say("250-test\r\n250 SIZE 10000000")?,
            "MAIL" => say("250 ok")?,
            "RCPT" => {
                line.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut recipient);
                match recipient.split('@').next().unwrap_or_default() {
                    n if n.starts_with("later-mail") => say("421 4.3.2 closing, come back")?,
                    n if n.starts_with("later-rcpt") => say("450 4.2.1 greylisted")?,
                    n if n.starts_with("never-rcpt") => say("550 5.1.1 no such mailbox")?,
                    n if n.starts_with("hangup-rcpt") => return None,
                    _ => say("250 ok")?,
                }
            }
            "DATA" => {
                if recipient.starts_with("hangup-data") {
                    return None;
                }
                say("354 go on")?;
                for line in lines.by_ref() {
                    if line == "." {
                        break;
                    }
                }
                if recipient.starts_with("later-end") {
                    say("452 4.3.1 full")?;
                } else if recipient.starts_with("never-end") {
                    say("554 5.6.0 spam")?;
                } else {
                    took.lock().expect("took").push(recipient.clone());
                    if recipient.starts_with("hangup-end") {
                        return None;
                    }
                    say("250 2.0.0 queued")?;
                }
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    None
}

fn project(port: u16, recipients: &[String]) -> Project {
    let report = format!(
        "reports:\n  - name: page\n    template: page.html\n    data: {{days: mart.days}}\n    recipients: [{}]\n",
        recipients.join(", ")
    );
    Project::shop_of_days(1)
        .with("pipelines/shop.yaml", format!("{SHOP}{report}"))
        .with("report-templates/page.html", "{% for row in data.days.rows %}<p>{{ row.net }}</p>{% endfor %}\n")
        .with(
            "matins.yaml",
            format!(
                "lake: lake\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {{exports: exports}}\nmail:\n  \
                 from: matins@example.com\n  transport: {{smtp: {{host: 127.0.0.1, port: {port}, security: none, timeout_s: 5}}}}\n"
            ),
        )
}

/// State and note of each recipient's message.
fn outbox(project: &Project) -> BTreeMap<String, (String, String)> {
    let Value::Array(all) = project.matins(&["outbox", "list", "--limit", "10000", "--json"]).ok().json() else {
        panic!("a list")
    };
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    all.iter().map(|m| (text(&m["message"]["to"]), (text(&m["state"]), text(&m["note"])))).collect()
}

#[test]
fn every_fault_of_a_mail_server_is_told_and_nobody_gets_two() {
    let (port, took) = serve();
    let people: Vec<String> =
        FAULTS.iter().flat_map(|(what, _)| (0..4).map(move |n| format!("{what}-{n}@example.com"))).collect();
    let project = project(port, &people);
    // Published, and not all of it delivered.
    project.matins(&["run", "--as-of", "2024-01-02"]).code(5).says("matins outbox list");
    for _ in 0..2 {
        project.matins(&["outbox", "deliver"]);
    }
    let outbox = outbox(&project);
    assert_eq!(outbox.len(), people.len());
    let took = took.lock().expect("took").clone();
    for (to, (state, note)) in &outbox {
        let times = took.iter().filter(|t| *t == to).count();
        let (what, expected) = FAULTS.iter().find(|(what, _)| to.starts_with(what)).expect("a fault");
        assert_eq!(state, expected, "{to}: {note}");
        let arrives = matches!(*what, "good" | "hangup-end");
        assert_eq!(times, usize::from(arrives), "{to}: {state}, {note}");
        assert!(!note.is_empty(), "{to} is {state} without a reason");
    }
}

#[test]
fn killed_at_any_instant_of_delivery_nobody_gets_two_mails() {
    let test = "killed_at_any_instant_of_delivery_nobody_gets_two_mails";
    let mut random = Random::new(test);
    let (port, took) = serve();
    let people: Vec<String> = (0..120).map(|n| format!("good-{n}@example.com")).collect();
    let project = project(port, &people);
    project.matins(&["run", "--as-of", "2024-01-02", "--no-mail"]).ok();
    let mut killed = 0;
    for _ in 0..crate::nights::asked("MATINS_TEST_KILLS", 15) {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("matins"))
            .current_dir(project.path(""))
            .env_clear()
            .args(["run", "--as-of", "2024-01-02"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let (since, after) = (Instant::now(), random.below(Duration::from_millis(300)));
        while child.try_wait().expect("our own process").is_none() {
            if since.elapsed() >= after {
                child.kill().expect("our own process");
                killed += 1;
                break;
            }
            sleep(Duration::from_micros(200));
        }
        child.wait().expect("our own process");
    }
    project.matins(&["run", "--as-of", "2024-01-02"]);
    let outbox = outbox(&project);
    assert_eq!(outbox.len(), people.len());
    let took = took.lock().expect("took").clone();
    let (mut unknown, mut arrived) = (0, 0);
    for (to, (state, note)) in &outbox {
        let times = took.iter().filter(|t| *t == to).count();
        assert!(times <= 1, "{to} got {times}");
        match state.as_str() {
            "accepted" => assert_eq!(times, 1, "{to}"),
            "unknown" => {
                assert!(note.contains("process ended"), "{note}");
                unknown += 1;
            }
            other => panic!("{to} is {other}: {note}"),
        }
        arrived += times;
    }
    println!("{test}: killed {killed} times; {arrived} of {} arrived, {unknown} are unknown", people.len());
    assert!(killed > 5);
}
