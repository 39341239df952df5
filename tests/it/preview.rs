//! `matins report preview` in earnest: the server answers on this machine, and what is saved is seen at the next look.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::project::{Project, SHOP};

const REPORT: &str = "\
reports:
  - name: page
    title: Orders
    template: page.html
    data: {days: mart.days}
    recipients: [board@example.com]
";
const FIRST: &str = "<h1>{{ title }}</h1>{% for row in data.days.rows %}<p>{{ row.bdate }}: {{ row.net }}</p>{% endfor %}\n\
                     <svg width=\"8\" height=\"8\" role=\"img\" aria-label=\"a square\"><rect width=\"8\" height=\"8\"/></svg>\n";

fn shop() -> Project {
    Project::shop_of_days(1)
        .with("pipelines/shop.yaml", format!("{SHOP}{REPORT}"))
        .with("report-templates/page.html", FIRST)
}

/// The server as a process of its own, ended with the test.
struct Preview {
    child: Child,
    // Held open: the server would notice its end.
    _said: BufReader<ChildStdout>,
    address: String,
}

impl Preview {
    /// Starts it on a port that is free; it says which.
    fn of(project: &Project) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("matins"))
            .current_dir(project.path(""))
            .env_clear()
            .args(["report", "preview", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut said = BufReader::new(child.stdout.take().expect("what it says"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let address =
            line.strip_prefix("http://").and_then(|l| l.split_once('/')).map(|(address, _)| address.to_owned());
        let address = address.unwrap_or_else(|| panic!("an address in `{line}`"));
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        Self { child, _said: said, address }
    }

    /// Status and body of what it answers.
    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a limit");
        let asked = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(asked.as_bytes()).expect("a question");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("the end of the head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        (status.unwrap_or_else(|| panic!("a status in {head}")), answer.split_off(end + 4))
    }

    fn text(&self, path: &str) -> (u16, String) {
        let (status, body) = self.get(path);
        (status, String::from_utf8(body).expect("UTF-8"))
    }
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn what_is_saved_is_seen_at_the_next_look() {
    let project = shop();
    project.matins(&["run", "--as-of", "2024-01-02", "--no-mail"]).ok();
    let preview = Preview::of(&project);
    let (status, frame) = preview.text("/");
    assert!(status == 200 && frame.contains("<iframe"), "{status} {frame}");
    let (status, page) = preview.text("/page");
    assert!(status == 200 && page.contains("<h1>Orders</h1><p>2024-01-01: 60"), "{status} {page}");
    let (_, text) = preview.text("/text?locale=zh-Hans");
    assert!(text.contains("2024-01-01"), "{text}");

    // The mail's pictures come from the server too.
    let (_, mail) = preview.text("/mail");
    let picture = mail.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a picture");
    let (status, png) = preview.get(picture);
    assert!(status == 200 && png.starts_with(b"\x89PNG"), "{picture}: {status}");
    assert_eq!(preview.get("/nothing-of-this-name").0, 404);

    // As the browser's script does: another stamp, and the page is fetched anew.
    let before = preview.text("/stamp");
    assert_eq!(preview.text("/stamp"), before, "nothing was saved");
    project
        .write("report-templates/page.html", FIRST.replace("<h1>{{ title }}</h1>", "<h1>{{ title }}, day by day</h1>"));
    let after = preview.text("/stamp");
    assert_ne!(after, before);
    let (_, page) = preview.text("/page");
    assert!(page.contains("<h1>Orders, day by day</h1><p>2024-01-01: 60"), "{page}");

    // A mistake is told with its place, and gone once it is mended.
    project.write("report-templates/page.html", "<h1>{{ titel }}</h1>\n");
    let (status, why) = preview.text("/page");
    assert_eq!(status, 422, "{why}");
    assert!(why.contains("report-templates/page.html:1:") && why.contains("titel"), "{why}");
    project.write("report-templates/page.html", FIRST);
    assert_eq!(preview.text("/page").0, 200);
    assert_eq!(preview.text("/stamp").0, 200);
    assert_eq!(project.files("mail").len(), 0, "looking sends nothing");
}

#[test]
fn before_the_first_run_rows_are_made_up() {
    let project = shop();
    let preview = Preview::of(&project);
    let (status, page) = preview.text("/page");
    assert!(status == 200 && page.contains("2020-01-01: 0.1"), "{status} {page}");
    assert!(project.files("lake").is_empty(), "looking keeps nothing");
}
