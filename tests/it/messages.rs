//! Messages as they leave the program, to mailboxes and channels, and what a person does with them afterwards: `outbox show`,
//! `resend`, `suppress` and `bounces`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use mail_parser::MessageParser;
use serde_json::Value;

use crate::project::{HEADER, Project, SHOP};

/// A drawing, the figures, and the way to the page and out of the list where there is one.
const PAGE: &str = "\
<p>{% for row in data.days.rows %}{{ row.net }} {% endfor %}</p>
<svg width=\"8\" height=\"8\" role=\"img\" aria-label=\"a square\"><rect width=\"8\" height=\"8\"/></svg>
{% if page %}<a href=\"{{ page }}\">sources</a>{% endif %}{% if unsubscribe %}<a href=\"{{ unsubscribe }}\">stop</a>{% endif %}
";
const TEXT: &str = "Figures\n{% if page %}{{ page }}\n{% endif %}{% if unsubscribe %}{{ unsubscribe }}\n{% endif %}";
const SITE: &str = "https://reports.example.com";

/// `settings` are lines of `matins.yaml` besides the shop's; `mail` is what its `mail` says besides the folder.
fn shop(settings: &str, mail: &str, recipients: &str) -> Project {
    let report = format!(
        "reports:\n  - name: page\n    title: Orders\n    template: page.html\n    data: {{days: mart.days}}\n    recipients: [{recipients}]\n"
    );
    let project = Project::shop_of_days(2)
        .with("pipelines/shop.yaml", format!("{SHOP}{report}"))
        .with("report-templates/page.html", PAGE)
        .with("report-templates/page.txt", TEXT);
    project.edit("matins.yaml", "folder: mail}", &format!("folder: mail{mail}}}"));
    let all = project.read("matins.yaml");
    project.write("matins.yaml", format!("{all}{settings}"));
    project
}

/// What a channel was sent: the path and the body of each post.
type Taken = Arc<Mutex<Vec<(String, Value)>>>;

/// A channel in this process that takes everything. Its thread ends with the test's process.
fn channel() -> (u16, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let taken = Taken::default();
    let kept = Arc::clone(&taken);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            take(stream, &kept);
        }
    });
    (port, taken)
}

/// One request, which is answered when it is whole and kept.
fn take(mut stream: TcpStream, taken: &Taken) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let mut some = [0; 4096];
        let n = stream.read(&mut some).ok().filter(|n| *n > 0)?;
        read.extend_from_slice(&some[..n]);
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
        let body = &read[end + 4..];
        if body.len() >= length {
            let path = head.split(' ').nth(1)?.to_owned();
            taken.lock().expect("taken").push((path, serde_json::from_slice(body).ok()?));
            return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").ok();
        }
    }
}

/// The text and the HTML of the one mail in the folder whose name holds `to`.
fn mail_to(project: &Project, to: &str) -> (String, String) {
    let all = project.files("mail");
    let found: Vec<_> = all.iter().filter(|(name, _)| name.contains(to)).collect();
    let [(_, bytes)] = found.as_slice() else { panic!("one mail to {to} of {:?}", all.keys()) };
    let mail = MessageParser::default().parse(*bytes).expect("a message");
    (mail.body_text(0).expect("a text").into_owned(), mail.body_html(0).expect("HTML").into_owned())
}

#[test]
fn a_channel_is_shown_a_picture_and_the_way_to_the_page() {
    let (port, taken) = channel();
    let settings = format!(
        "site: {SITE}/\nchannels:\n  ops: {{slack: \"http://127.0.0.1:{port}/ops\"}}\n  crm: {{webhook: \"http://127.0.0.1:{port}/crm\"}}\n"
    );
    let stop = ", unsubscribe: [\"https://example.com/stop?who={recipient}\"]";
    let project = shop(&settings, stop, "ops, crm, board@example.com");
    project.matins(&["check"]).ok();
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();

    let pages: Vec<String> = project.files("lake").into_keys().filter(|p| p.ends_with("/page/all.en.html")).collect();
    let [path] = pages.as_slice() else { panic!("one page, not {pages:?}") };
    let page = format!("{SITE}/{path}");
    let taken = taken.lock().expect("taken").clone();
    assert_eq!(taken.len(), 2, "{taken:?}");
    let of = |path: &str| &taken.iter().find(|(p, _)| p == path).unwrap_or_else(|| panic!("no post to {path}")).1;
    let (slack, hook) = (of("/ops"), of("/crm"));

    // The picture lies where its address says, below the folder that the site shows.
    let picture = hook["pictures"][0]["url"].as_str().expect("an address");
    let below = picture.strip_prefix(&format!("{SITE}/")).expect("an address of the site");
    let png = std::fs::read(project.path("lake").join(below)).unwrap_or_else(|e| panic!("{below}: {e}"));
    assert!(png.starts_with(b"\x89PNG"), "{below}");
    assert_eq!(hook["page"].as_str(), Some(page.as_str()));
    let blocks = slack["blocks"].as_array().expect("blocks");
    let kinds: Vec<&str> = blocks.iter().filter_map(|b| b["type"].as_str()).collect();
    assert_eq!(kinds, ["header", "section", "image", "context"], "{slack}");
    assert_eq!(
        (blocks[2]["image_url"].as_str(), blocks[2]["alt_text"].as_str()),
        (Some(picture), slack["text"].as_str())
    );
    let link = format!("<{page}|Open the report>");
    assert_eq!(blocks[3]["elements"][0]["text"].as_str(), Some(link.as_str()));
    // Nobody leaves a channel by a link in it.
    assert!(!hook.to_string().contains("stop") && !slack.to_string().contains("stop"), "{hook}\n{slack}");

    let (text, html) = mail_to(&project, "board@example.com");
    let stop = "https://example.com/stop?who=board%40example.com";
    for (said, shown) in [(&text, "the text"), (&html, "the HTML")] {
        assert!(said.contains(&page) && said.contains(stop), "{shown}: {said}");
    }
    let archived = project.read(&format!("lake/{path}"));
    assert!(!archived.contains("https://"), "the page does not say where it lies: {archived}");
}

#[test]
fn a_mail_that_readers_would_cut_is_told_and_goes_out_whole() {
    let project = shop("", "", "board@example.com");
    project.write(
        "report-templates/page.html",
        "<table>{% for row in data.days.rows %}<tr><td>{{ row.bdate }}</td><td>{{ row.net }}</td></tr>{% endfor %}</table>\n",
    );
    project.matins(&["run", "--as-of", "2024-01-02"]).ok().says_not("bytes of HTML");
    // As many days as make it too large, which no made-up table has.
    let lines: String = (0..3_000)
        .map(|n| {
            let day = chrono::NaiveDate::from_ymd_opt(2010, 1, 1).expect("a date") + chrono::Days::new(n);
            format!("old-{n},{day},1.00,fine\n")
        })
        .collect();
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}{lines}"));
    project.matins(&["check"]).ok();
    project
        .matins(&["run", "--as-of", "2024-01-03"])
        .ok()
        .says("report `page` (all.en) is a mail of")
        .says("bytes of HTML");
    let (_, html) = mail_to(&project, "2024-01-03");
    assert!(html.len() > 95_000 && html.matches("<tr>").count() == 3_001, "{} bytes", html.len());
}

/// As a mail server that could not deliver writes it.
fn notice(recipient: &str, message_id: &str) -> String {
    format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=\"B\"\r\nMIME-Version: 1.0\r\n\r\n--B\r\n\
         Content-Type: text/plain\r\n\r\nsorry\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--B\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Message-ID: {message_id}\r\n\r\n--B--\r\n"
    )
}

/// State and note of a message, and the states it went through.
fn shown(project: &Project, id: &str) -> (String, String, Vec<String>) {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let said = project.matins(&["outbox", "show", id, "--json"]).ok().json();
    let history = said["history"].as_array().expect("its steps").iter().map(|step| text(&step["state"])).collect();
    (text(&said["state"]), text(&said["note"]), history)
}

#[test]
fn what_a_person_decides_about_a_message_is_what_becomes_of_it() {
    let project = shop("", ", bounces: returned", "board@example.com");
    std::fs::create_dir_all(project.path("returned/new")).expect("a maildir");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    let all = project.matins(&["outbox", "list", "--json"]).ok().json();
    let envelope = all[0]["message"].clone();
    let id = envelope["id"].as_str().expect("an id").to_owned();
    let header = envelope["message_id"].as_str().expect("a Message-ID").to_owned();
    let (first, second) = (format!("{id}-r1"), format!("{id}-r2"));

    // It can be looked at, as it went.
    let (state, _, history) = shown(&project, &id);
    assert_eq!((state.as_str(), history), ("accepted", vec!["sending".to_owned(), "accepted".to_owned()]));
    project.matins(&["outbox", "show", &id]).ok().says("to       board@example.com").says(&header);
    let bytes = project.files("mail").into_values().next().expect("a mail");
    let eml = project.matins(&["outbox", "show", &id, "--eml"]).ok().out;
    assert_eq!(eml.trim_end(), String::from_utf8_lossy(&bytes).trim_end());
    project.matins(&["outbox", "show", "2024-01-02-none"]).code(2).says("there is no message `2024-01-02-none`");

    // What was delivered cannot be called back, and can be sent once more: the same bytes, the same Message-ID.
    project.matins(&["outbox", "suppress", &id]).code(2).says("is accepted and cannot be suppressed");
    project.matins(&["outbox", "resend", &id]).ok().says(&format!("{first} board@example.com accepted"));
    assert_eq!(shown(&project, &id).0, "accepted");
    let mails = project.files("mail");
    assert!(mails.len() == 2 && mails.values().all(|m| *m == bytes), "{:?}", mails.keys());

    // It comes back: it is failed with the server's words, and the next one is not sent.
    project.write("returned/new/1", notice("board@example.com", &header));
    project.matins(&["outbox", "deliver"]).code(5).says(&format!("{first} board@example.com failed"));
    let (state, note, _) = shown(&project, &first);
    assert_eq!((state.as_str(), note.as_str()), ("failed", "it came back: 550 5.1.1 no such user"));
    assert_eq!(shown(&project, &id).0, "accepted", "only the last of them came back");
    let listed = project.matins(&["outbox", "bounces", "--json"]).ok().json();
    assert_eq!((listed[0]["address"].as_str(), &listed[1]), (Some("board@example.com"), &Value::Null), "{listed}");
    project.matins(&["run", "--as-of", "2024-01-03"]).ok().says("suppressed: a message to board@example.com came back");
    assert_eq!(project.files("mail").len(), 2);

    // Somebody says that all is well, and sends it again, which settles the one that failed.
    project.matins(&["outbox", "bounces", "--forget", "BOARD@example.com"]).ok();
    project.matins(&["outbox", "bounces", "--forget", "board@example.com"]).code(2).says("nothing came back from");
    project.matins(&["outbox", "bounces"]).ok().says("no mailbox has sent a message back");
    project.matins(&["outbox", "resend", &first]).ok().says(&format!("{second} board@example.com accepted"));
    let (state, note, history) = shown(&project, &first);
    assert_eq!((state.as_str(), note), ("suppressed", format!("was failed, sent again as {second}")));
    assert_eq!(history, ["sending", "accepted", "failed", "suppressed"]);
    assert_eq!(project.files("mail").len(), 3);

    // Once more, and this time somebody deals with it otherwise.
    project.write("returned/new/2", notice("board@example.com", &header));
    project.matins(&["outbox", "deliver"]).code(5);
    project.matins(&["outbox", "suppress", &second, "--why", "telephoned"]).ok().says("suppressed: telephoned");
    let (state, note, _) = shown(&project, &second);
    assert_eq!((state.as_str(), note.as_str()), ("suppressed", "telephoned"));
    project.matins(&["outbox", "deliver"]).ok();
}
