//! How a scheduler is seen from outside: its pages, metrics and health over HTTP, traces and lineage at a collector, lines of
//! JSON; and who is told when a pipeline fails, works again or is late.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{HEADER, ORDERS, Project, seconds_ago};

/// A scheduler of its own, with the port it listens at.
struct Serving {
    child: Child,
    address: String,
    said: Arc<Mutex<Vec<String>>>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Serving {
    fn start(project: &Project, more: &[&str]) -> Self {
        Self::by_clock(project, None, more)
    }

    fn by_clock(project: &Project, clock: Option<&str>, more: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("matins"));
        command.current_dir(project.path("")).env_clear().args(["serve", "--listen", "127.0.0.1:0"]).args(more);
        command.envs(clock.map(|clock| ("MATINS_CLOCK", clock)));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut first = Vec::new();
        let begin = lines.by_ref().inspect(|line| first.push(line.clone())).find(|line| line.contains("http://"));
        let line = begin.expect("it says where it listens");
        let address =
            line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned();
        let said = Arc::new(Mutex::new(first));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || lines.for_each(|line| heard.lock().expect("no panic").push(line)));
        Self { child, address, said }
    }

    /// Status, head and body.
    fn get(&self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        (status, head.to_lowercase(), body.to_owned())
    }

    fn status(&self) -> Value {
        let (code, _, body) = self.get("/status");
        assert_eq!(code, 200);
        serde_json::from_str(&body).expect("JSON")
    }

    /// Asks again until it is so.
    fn until(&self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let status = self.status();
            if so(&status) {
                return status;
            }
            assert!(since.elapsed().as_secs() < 60, "{what}: {status:#}\n{:?}", self.said.lock());
            sleep(Duration::from_millis(100));
        }
    }
}

fn shop(schedule: &str) -> Project {
    let project = Project::shop_of_days(2);
    project.edit("pipelines/shop.yaml", "interval: day\n", &format!("interval: day\nschedule: {schedule}\n"));
    project
}

#[test]
fn a_scheduler_shows_how_it_is() {
    let project = shop("{cron: \"* * * * * *\"}");
    let serving = Serving::start(&project, &["--json"]);
    let status = serving.until("it publishes", |s| !s["pipelines"]["shop"]["as_of"].is_null());
    assert_eq!(status["pipelines"]["shop"]["failure"], Value::Null);
    let (code, head, page) = serving.get("/");
    assert_eq!(code, 200);
    assert!(head.contains("content-security-policy: default-src 'none'") && page.contains("<h1>Matins</h1>"), "{head}");
    assert_eq!((serving.get("/healthz").0, serving.get("/readyz").0, serving.get("/nothing").0), (200, 200, 404));
    let (_, head, metrics) = serving.get("/metrics");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    for line in
        ["matins_runs_total{pipeline=\"shop\",end=\"published\"} 1", "matins_next_fire_timestamp_seconds{", "# EOF"]
    {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    // What it says on stderr is one object a line, with the run it is about.
    let said = serving.said.lock().expect("no panic").clone();
    let lines: Vec<Value> = said.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let started = lines.iter().find(|l| l["event"] == "run started").expect("a run");
    let step = lines.iter().find(|l| l["event"] == "step ended" && l["step"] == "make core.orders").expect("a step");
    assert!(step["run"] == started["run"] && step["as_of"] == started["as_of"] && step["rows"] == 6, "{step}");
    assert!(lines.iter().all(|l| l["at"].as_str().is_some_and(|at| at.ends_with('Z'))), "{lines:?}");
    assert_eq!((&lines[0]["event"], &lines[1]["event"]), (&"serving".into(), &"listening".into()));
    // Its lake gone, it lives and is not ready.
    std::fs::rename(project.path("lake"), project.path("moved")).expect("moved");
    project.write("lake", "in the way");
    let since = Instant::now();
    while serving.get("/readyz").0 == 200 {
        assert!(since.elapsed().as_secs() < 30, "it says that it is not ready");
        sleep(Duration::from_millis(200));
    }
    assert_eq!(serving.get("/healthz").0, 200);
}

#[test]
fn an_address_that_is_taken_is_said_and_nothing_runs() {
    let project = shop("{cron: \"30 2 * * *\"}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    project.matins(&["serve", "--listen", &address]).code(4).says(&format!("listening on {address}"));
    project.edit("matins.yaml", "lake: lake\n", "lake: lake\nserve: {listen: \"localhost\"}\n");
    project.matins(&["check"]).code(2).says("is not an address with a port");
}

/// Path, head and body of a request.
type Request = (String, String, Vec<u8>);

/// Takes requests and answers each with nothing, as a collector does; gives back path, head and body of each.
fn collector() -> (String, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                loop {
                    let (mut head, mut line) = (String::new(), String::new());
                    while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                        head += &line;
                        line.clear();
                    }
                    let lower = head.to_lowercase();
                    let length =
                        lower.split("content-length: ").nth(1).and_then(|r| r.lines().next()?.trim().parse().ok());
                    let Some(length) = length else { return };
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).expect("a body");
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    kept.lock().expect("no panic").push((path, lower, body));
                    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("answered");
                }
            });
        }
    });
    (address, seen)
}

#[test]
fn a_run_sends_its_trace_and_its_lineage_where_the_environment_says() {
    let (address, seen) = collector();
    let closed = "/* matins\nclosed: month\n*/\nSELECT count(*) AS orders FROM core.orders\n";
    let project = Project::shop_of_days(1)
        .with("sql/shop/mart/months.sql", closed)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &address)
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=night")
        .variable("OPENLINEAGE_URL", &address)
        .variable("OPENLINEAGE_API_KEY", "secret")
        .variable("OPENLINEAGE_NAMESPACE", "tests");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    let all = std::mem::take(&mut *seen.lock().expect("no panic"));
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
    let traces: Vec<_> = all.iter().filter(|(path, ..)| path == "/v1/traces").collect();
    assert!(
        traces.iter().all(|(_, head, _)| head.contains("application/x-protobuf") && head.contains("x-tenant: night"))
    );
    for text in ["run shop", "make core.orders", "matins.run", "service.name", "2024-01-02"] {
        assert!(traces.iter().any(|(.., body)| has(body, text)), "a span says `{text}`");
    }
    let lineage: Vec<_> = all.iter().filter(|(path, ..)| path == "/api/v1/lineage").collect();
    assert!(lineage.iter().all(|(_, head, _)| head.contains("authorization: bearer secret")));
    let events: Vec<Value> = lineage.iter().map(|(.., body)| serde_json::from_slice(body).expect("JSON")).collect();
    let of = |job: &str, kind: &str| {
        let found = events.iter().find(|e| e["job"]["name"] == job && e["eventType"] == kind);
        found.unwrap_or_else(|| panic!("{kind} of {job} in {events:#?}")).clone()
    };
    let (start, end) = (of("shop", "START"), of("shop", "COMPLETE"));
    assert_eq!(start["run"]["runId"], end["run"]["runId"]);
    assert!(end["run"]["runId"].as_str().is_some_and(|id| id.len() == 36));
    assert_eq!(end["inputs"][0]["name"], "orders/{date}.csv");
    let table = of("shop.core.orders", "COMPLETE");
    assert_eq!(table["inputs"][0]["name"], "raw.orders");
    assert_eq!(table["outputs"][0]["name"], "core.orders");
    assert_eq!(table["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"], 3);
    assert_eq!(table["run"]["facets"]["parent"]["run"]["runId"], start["run"]["runId"]);
    assert!(table["job"]["facets"]["sql"]["query"].as_str().is_some_and(|sql| sql.contains("FROM raw.orders")));
    assert_eq!(table["job"]["namespace"], "tests");
    // As it was at the end of December it is made too, and is not what this run says of it.
    let told = events.iter().filter(|e| e["job"]["name"] == "shop.core.orders").count();
    assert_eq!(told, 1);
    // A run that fails says so.
    project.write(
        "sql/shop/core/orders.sql",
        "SELECT order_id, ordered_on AS bdate, net / 0 AS net, note FROM raw.orders\n",
    );
    project.matins(&["run", "--as-of", "2024-01-02"]);
    let all = std::mem::take(&mut *seen.lock().expect("no panic"));
    let kinds: Vec<String> = all
        .iter()
        .filter(|(path, ..)| path == "/api/v1/lineage")
        .map(|(.., body)| {
            serde_json::from_slice::<Value>(body).expect("JSON")["eventType"].as_str().unwrap_or("").to_owned()
        })
        .collect();
    assert!(kinds.first().is_some_and(|k| k == "START") && kinds.last().is_some_and(|k| k == "FAIL"), "{kinds:?}");
}

#[test]
fn a_collector_that_is_away_costs_a_run_nothing() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let project = Project::shop_of_days(1)
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{free}"))
        .variable("OPENLINEAGE_URL", &format!("http://{free}"));
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says("published snapshot");
}

/// The mails there are, by what they are about.
fn subjects(project: &Project) -> Vec<String> {
    let mails = project.files("mail").into_values();
    let subject = |eml: Vec<u8>| {
        let text = String::from_utf8_lossy(&eml).into_owned();
        text.lines().find_map(|l| l.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
    };
    let mut all: Vec<String> = mails.map(subject).collect();
    all.sort();
    all
}

fn live(project: &Project, from: &str, until: &str) {
    let output = project.command(&["serve"]).env("MATINS_CLOCK", format!("{from}..{until}")).output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn those_who_look_after_it_are_told_once_that_it_fails_and_once_that_it_works_again() {
    let project = shop("{cron: \"30 2 * * *\"}").with_day(3).with_day(4);
    project.edit("matins.yaml", "lake: lake\n", "lake: lake\nnotify: [ops@example.com]\n");
    live(&project, "2024-01-01T10:00:00Z", "2024-01-02T12:00:00Z");
    assert!(subjects(&project).is_empty(), "a good night is no news");
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\nx,2024-01-02,20.00,b\n"));
    live(&project, "2024-01-02T13:00:00Z", "2024-01-03T12:00:00Z");
    live(&project, "2024-01-03T12:00:00Z", "2024-01-03T13:00:00Z");
    assert_eq!(subjects(&project), ["shop failed, as of 2024-01-03"]);
    let (_, eml) = project.files("mail").into_iter().next().expect("a mail");
    let text = String::from_utf8_lossy(&eml).into_owned();
    assert!(text.contains("unique(order_id) on core.orders") && text.contains("matins runs show"), "{text}");
    // A person's own run tells nobody unless asked to.
    project.matins(&["run", "--as-of", "2024-01-04"]).code(3);
    assert_eq!(subjects(&project).len(), 1);
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\ny,2024-01-02,20.00,b\n"));
    live(&project, "2024-01-03T13:00:00Z", "2024-01-05T12:00:00Z");
    assert_eq!(subjects(&project), ["shop failed, as of 2024-01-03", "shop works again, as of 2024-01-04"]);
    project.matins(&["run", "--as-of", "2024-01-03", "--notify"]).ok();
    assert_eq!(subjects(&project)[1..], ["shop works again, as of 2024-01-03", "shop works again, as of 2024-01-04"]);
}

/// The metrics and the page are of this scheduler, and what is wrong may be mended by anybody.
#[test]
fn a_failure_is_over_when_a_person_has_published_since() {
    let project = shop("{cron: \"30 2 * * *\"}");
    live(&project, "2024-01-01T10:00:00Z", "2024-01-02T12:00:00Z");
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\nx,2024-01-02,20.00,b\n"));
    // A minute is a second, and the next fire far away.
    let clock = format!("2024-01-03T02:29:00Z x60 since {}", seconds_ago(0));
    let serving = Serving::by_clock(&project, Some(&clock), &[]);
    let failures = || {
        let (.., metrics) = serving.get("/metrics");
        let line = metrics.lines().find_map(|l| l.strip_prefix("matins_consecutive_failures{pipeline=\"shop\"} "));
        line.expect("the metric").to_owned()
    };
    let failed = serving.until("it fails", |s| !s["pipelines"]["shop"]["failure"].is_null());
    assert_eq!((&failed["pipelines"]["shop"]["failure"]["again"], failures().as_str()), (&Value::Null, "1"));
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\ny,2024-01-02,20.00,b\n"));
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();
    let mended = serving.until("it is mended", |s| s["pipelines"]["shop"]["failure"].is_null());
    let shop = &mended["pipelines"]["shop"];
    assert_eq!((shop["state"].as_str(), shop["as_of"].as_str()), (Some("idle"), Some("2024-01-03")));
    assert_eq!(failures(), "0");
}

/// What fails may be the very place of the exports, so telling must not need it.
#[test]
fn it_is_told_although_the_exports_cannot_be_reached() {
    let project = shop("{cron: \"30 2 * * *\", publish_by: \"06:30\"}");
    project.edit("matins.yaml", "lake: lake\n", "lake: lake\nnotify: [ops@example.com]\n");
    live(&project, "2024-01-01T10:00:00Z", "2024-01-02T12:00:00Z");
    std::fs::rename(project.path("exports"), project.path("elsewhere")).expect("moved");
    let clock = "2024-01-03T06:30:00Z..2030-01-01T00:00:00Z";
    project.command(&["outbox", "deliver"]).env("MATINS_CLOCK", clock).output().expect("it ends");
    assert_eq!(subjects(&project), ["shop has not published 2024-01-03 by 06:30"]);
}

#[test]
fn a_night_that_did_not_publish_in_time_is_told_by_whoever_looks() {
    let project = shop("{cron: \"30 2 * * *\", publish_by: \"06:30\"}");
    project.edit("matins.yaml", "lake: lake\n", "lake: lake\nnotify: [ops@example.com]\n");
    let look = |now: &str| {
        let clock = format!("{now}..2030-01-01T00:00:00Z");
        let output = project.command(&["outbox", "deliver"]).env("MATINS_CLOCK", clock).output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    look("2024-01-02T12:00:00Z");
    assert!(subjects(&project).is_empty(), "nobody has promised anything yet");
    live(&project, "2024-01-01T10:00:00Z", "2024-01-02T12:00:00Z");
    look("2024-01-03T06:29:00Z");
    assert!(subjects(&project).is_empty(), "there is a minute left");
    look("2024-01-03T06:30:00Z");
    look("2024-01-03T09:00:00Z");
    assert_eq!(subjects(&project), ["shop has not published 2024-01-03 by 06:30"]);
    let (_, eml) = project.files("mail").into_iter().next().expect("a mail");
    // Lines are folded on their way.
    let text = String::from_utf8_lossy(&eml).replace("=\r\n", "");
    assert!(text.contains("Readers see 2024-01-02"), "{text}");
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();
    look("2024-01-03T10:00:00Z");
    assert_eq!(subjects(&project).len(), 1);
}

/// A day is a second here, so that a list is old enough after some.
#[test]
fn once_a_day_it_deletes_what_no_snapshot_reaches() {
    let project = shop("{cron: \"0 0 1 1 *\"}");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    project.write("sql/shop/core/orders.sql", ORDERS.replace("net, note", "net * 2 AS net, note"));
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    project.edit("matins.yaml", "lake: lake\n", "lake: lake\nserve: {gc: {at: \"05:00\", keep: 1}}\n");
    let tables = || project.files("lake/tables/core.orders").len();
    let before = tables();
    let clock = format!("2027-02-01T00:00:00Z x86400 since {}", seconds_ago(0));
    let serving = Serving::by_clock(&project, Some(&clock), &["--json"]);
    let since = Instant::now();
    let said = |phase: &str| {
        let said = serving.said.lock().expect("no panic");
        said.iter().any(|line| line.contains(&format!("\"phase\":\"{phase}\"")))
    };
    while !said("deleted") {
        assert!(since.elapsed().as_secs() < 60, "{:?}", serving.said.lock());
        sleep(Duration::from_millis(100));
    }
    assert!(said("listed") && tables() < before, "{before} files, then {}", tables());
    assert_eq!(project.value("SELECT sum(net) FROM mart.days"), "120.0000");
    let (.., metrics) = serving.get("/metrics");
    assert!(!metrics.contains("matins_collected_objects_total 0"), "{metrics}");
}
