//! What a mail program makes of a message, and that a message is delivered once.

use mail_parser::{MessageParser, MimeHeaders};

use super::*;
use crate::base::AsOf;
use crate::config::{Mail, MailTransport};
use crate::report::Rendered;

fn mail() -> Mail {
    Mail { from: "Matins <matins@localhost>".into(), transport: MailTransport::Folder("mail".into()) }
}

fn rendered() -> Rendered {
    let html = format!("<p>客户 £1.24M {}</p>", "long ".repeat(400));
    Rendered {
        html,
        text: "客户 £1.24M\n.\nFrom here on\n".into(),
        subject: "客户健康 · 2011-12-09 · Net revenue +4.2\u{202f}%".into(),
    }
}

fn composed(recipient: &str, revision: u32, rendered: &Rendered) -> Result<Message, DeliverError> {
    let as_of = AsOf::parse("2011-12-10", chrono_tz::Europe::London).expect("a date");
    let (pipeline, report) = ("customer-health".parse().expect("a name"), "executive".parse().expect("a name"));
    compose(&mail(), &Letter { pipeline: &pipeline, report: &report, as_of: &as_of, recipient, revision }, rendered)
}

#[test]
fn a_message_holds_both_parts_and_says_that_no_person_wrote_it() {
    let message = composed("The Board <board@example.com>", 0, &rendered()).expect("a message");
    let parsed = MessageParser::default().parse(&message.eml).expect("a mail");
    assert_eq!(parsed.subject(), Some(rendered().subject.as_str()));
    assert_eq!(parsed.body_html(0).as_deref().map(str::trim_end), Some(rendered().html.as_str()));
    assert_eq!(parsed.body_text(0).expect("text").replace("\r\n", "\n").trim_end(), rendered().text.trim_end());
    assert_eq!(parsed.root_part().content_type().and_then(|c| c.subtype()), Some("alternative"));
    assert_eq!(parsed.message_id().map(|id| format!("<{id}>")), Some(message.id.clone()));
    assert_eq!(parsed.date().map(mail_parser::DateTime::to_rfc3339).as_deref(), Some("2011-12-10T00:00:00Z"));
    let raw = String::from_utf8(message.eml.clone()).expect("ASCII");
    assert!(raw.contains("Auto-Submitted: auto-generated\r\n") && raw.contains("Subject: =?utf-8?"), "{raw}");
    assert!(raw.is_ascii() && raw.lines().all(|l| l.len() <= 998));
}

#[test]
fn the_same_letter_is_the_same_bytes_and_another_one_has_another_id() {
    let one = composed("board@example.com", 0, &rendered()).expect("a message");
    assert_eq!(one, composed("board@example.com", 0, &rendered()).expect("a message"));
    assert_ne!(one.id, composed("cfo@example.com", 0, &rendered()).expect("a message").id);
    assert_ne!(one.id, composed("board@example.com", 1, &rendered()).expect("a message").id);
    let other = Rendered { text: "other".into(), ..rendered() };
    assert_eq!(one.id, composed("board@example.com", 0, &other).expect("a message").id);
}

#[test]
fn an_address_or_subject_cannot_add_a_header() {
    let address = composed("a@example.com\r\nBcc: b@example.com", 0, &rendered());
    assert!(matches!(address, Err(DeliverError::Address { .. })));
    assert!(matches!(composed("nobody", 0, &rendered()), Err(DeliverError::Address { .. })));
    let subject = Rendered { subject: "a\r\nBcc: b@example.com".into(), ..rendered() };
    let message = composed("a@example.com", 0, &subject).expect("a message");
    assert!(MessageParser::default().parse(&message.eml).expect("a mail").bcc().is_none());
}

#[test]
fn a_message_is_put_into_the_folder_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let transport = FolderTransport { folder: folder.path().join("mail") };
    let message = composed("board@example.com", 0, &rendered()).expect("a message");
    let first = transport.deliver(&message).expect("delivered");
    assert_eq!(first.outcome, Outcome::Written);
    assert_eq!(
        first.path.file_name().and_then(|n| n.to_str()),
        Some("2011-12-10-customer-health-executive-board@example.com.eml")
    );
    assert_eq!(transport.deliver(&message).expect("delivered").outcome, Outcome::Already);
    let restated =
        composed("board@example.com", 0, &Rendered { text: "other".into(), ..rendered() }).expect("a message");
    assert_eq!(transport.deliver(&restated).expect("delivered").outcome, Outcome::Earlier);
    assert_eq!(std::fs::read(&first.path).expect("a file"), message.eml);
    let again = composed("board@example.com", 1, &rendered()).expect("a message");
    assert_eq!(transport.deliver(&again).expect("delivered").outcome, Outcome::Written);
    // A recipient's name is no path.
    let odd = composed("\"../../x\" <a+b@example.com>", 0, &rendered()).expect("a message");
    assert!(transport.path_of(&odd).parent() == Some(&transport.folder));
    transport.deliver(&odd).expect("delivered");
    assert_eq!(std::fs::read_dir(&transport.folder).expect("a folder").count(), 3, "nothing half written stays");
}
