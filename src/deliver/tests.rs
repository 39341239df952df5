//! What a mail program makes of a message, and that a message is delivered once.

use mail_parser::{MessageParser, MimeHeaders};

use super::*;
use crate::base::AsOf;
use crate::config::{Destination, Mail, MailTransport};
use crate::lake::MessageKind;
use crate::report::Rendered;

fn mail() -> Mail {
    Mail {
        from: "Matins <matins@localhost>".into(),
        transport: MailTransport::Folder("mail".into()),
        allow: None,
        dkim: None,
        unsubscribe: vec![],
        give_up_after_hours: 24,
        bounces: None,
    }
}

fn rendered() -> Rendered {
    let html = format!("<p>客户 £1.24M {}</p>", "long ".repeat(400));
    Rendered {
        mail_html: html.clone(),
        html,
        images: vec![],
        text: "客户 £1.24M\n.\nFrom here on\n".into(),
        subject: "客户健康 · 2011-12-09 · Net revenue +4.2\u{202f}%".into(),
    }
}

fn composed(recipient: &str, rendered: &Rendered) -> Result<Message, DeliverError> {
    composed_by(&mail(), None, recipient, rendered, &[])
}

fn composed_by(
    mail: &Mail,
    signer: Option<&Signer>,
    recipient: &str,
    rendered: &Rendered,
    files: &[Attached],
) -> Result<Message, DeliverError> {
    let as_of = AsOf::parse("2011-12-10", chrono_tz::Europe::London).expect("a date");
    let pipeline = "customer-health".parse().expect("a name");
    let (kind, date) = (MessageKind::Report, as_of.0.to_utc());
    let to = Destination::Address(recipient.to_owned());
    let letter = Letter { kind, pipeline: &pipeline, subject_of: "executive", as_of: &as_of, to: &to, date };
    compose(mail, signer, &letter, recipient, Content::Report { rendered, files }, date)
}

#[test]
fn a_message_holds_both_parts_and_says_that_no_person_wrote_it() {
    let message = composed("The Board <board@example.com>", &rendered()).expect("a message");
    let parsed = MessageParser::default().parse(&message.bytes).expect("a mail");
    assert_eq!(parsed.subject(), Some(rendered().subject.as_str()));
    assert_eq!(parsed.body_html(0).as_deref().map(str::trim_end), Some(rendered().html.as_str()));
    assert_eq!(parsed.body_text(0).expect("text").replace("\r\n", "\n").trim_end(), rendered().text.trim_end());
    assert_eq!(parsed.root_part().content_type().and_then(|c| c.subtype()), Some("alternative"));
    assert_eq!(parsed.message_id().map(|id| format!("<{id}>")), Some(message.envelope.message_id.clone()));
    assert_eq!(parsed.date().map(mail_parser::DateTime::to_rfc3339).as_deref(), Some("2011-12-10T00:00:00Z"));
    let raw = String::from_utf8(message.bytes.clone()).expect("ASCII");
    assert!(raw.contains("Auto-Submitted: auto-generated\r\n") && raw.contains("Subject: =?utf-8?"), "{raw}");
    assert!(raw.is_ascii() && raw.lines().all(|l| l.len() <= 998));
}

#[test]
fn the_same_letter_is_the_same_bytes_and_another_one_has_another_id() {
    let one = composed("board@example.com", &rendered()).expect("a message");
    assert_eq!(one, composed("board@example.com", &rendered()).expect("a message"));
    let id = |m: Result<Message, DeliverError>| m.expect("a message").envelope.id;
    assert_ne!(one.envelope.id, id(composed("cfo@example.com", &rendered())));
    let other = Rendered { text: "other".into(), ..rendered() };
    assert_eq!(one.envelope.id, id(composed("Board@Example.com", &other)));
    // Sent again by a person: another name in the outbox, the same Message-ID.
    let (second, third) = (next_revision(&one.envelope, one.envelope.enqueued_at), 2);
    assert_eq!(second.id, format!("{}-r1", one.envelope.id));
    assert_eq!(next_revision(&second, second.enqueued_at).id, format!("{}-r{third}", one.envelope.id));
    assert_eq!(second.message_id, one.envelope.message_id);
}

#[test]
fn pictures_and_a_workbook_travel_in_their_layers() {
    let image = crate::report::Image { id: "growth@matins".into(), png: vec![137, 80, 78, 71] };
    let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let name = "客户健康 2011-12-09.xlsx".to_owned();
    let files = [Attached { name, media_type: sheet, bytes: b"PK".to_vec() }];
    let full = Rendered { images: vec![image], ..rendered() };
    let message = composed_by(&mail(), None, "board@example.com", &full, &files).expect("a message");
    let again = composed_by(&mail(), None, "board@example.com", &full, &files).expect("a message");
    assert_eq!(message, again, "byte for byte");
    let parsed = MessageParser::default().parse(&message.bytes).expect("a mail");
    let kinds: Vec<_> = parsed
        .parts
        .iter()
        .filter_map(|p| p.content_type().map(|c| format!("{}/{}", c.ctype(), c.subtype().unwrap_or_default())))
        .collect();
    let expected =
        ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"];
    assert_eq!(kinds[..6], expected);
    assert_eq!(kinds[6], sheet);
    let attached = parsed.attachments().find(|a| a.attachment_name().is_some()).expect("the workbook");
    assert_eq!((attached.attachment_name(), attached.contents()), (Some("客户健康 2011-12-09.xlsx"), &b"PK"[..]));
    let picture = parsed.parts.iter().find_map(mail_parser::MessagePart::content_id);
    assert_eq!(picture, Some("growth@matins"));
}

#[test]
fn a_list_can_be_left_with_one_click_only_over_https() {
    let headers = |ways: &[&str]| {
        let mail = Mail { unsubscribe: ways.iter().map(|w| (*w).to_owned()).collect(), ..mail() };
        let eml = composed_by(&mail, None, "a+b@example.com", &rendered(), &[]).expect("a message").bytes;
        String::from_utf8(eml).expect("ASCII").split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ")
    };
    let none = headers(&[]);
    assert!(!none.contains("List-Unsubscribe") && none.contains("List-Id: <executive.customer-health.localhost>"));
    let mailto = headers(&["mailto:stop@example.com?subject=stop"]);
    assert!(mailto.contains("List-Unsubscribe: <mailto:stop@example.com?subject=stop>"), "{mailto}");
    assert!(!mailto.contains("List-Unsubscribe-Post"));
    let https = headers(&["https://example.com/stop?who={recipient}", "mailto:stop@example.com"]);
    assert!(https.contains("<https://example.com/stop?who=a%2Bb%40example.com>, <mailto:stop@example.com>"), "{https}");
    assert!(https.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
}

#[test]
fn a_signature_names_what_it_covers_and_a_bad_key_says_what_is_wanted() {
    // The test key of RFC 8463, appendix A.2.
    let signer = Signer::new("example.com", "night", "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").expect("a key");
    let mail = Mail { unsubscribe: vec!["https://example.com/stop".into()], ..mail() };
    let message = composed_by(&mail, Some(&signer), "board@example.com", &rendered(), &[]).expect("a message");
    let text = String::from_utf8(message.bytes).expect("ASCII").replace("\r\n ", " ");
    let line = text.lines().find(|l| l.starts_with("DKIM-Signature:")).expect("a signature");
    assert!(line.contains("a=ed25519-sha256; d=example.com; s=night; c=relaxed/relaxed"), "{line}");
    assert!(line.contains("from:to:subject:date:message-id") && line.contains("list-unsubscribe-post"), "{line}");
    let error = Signer::new("example.com", "night", "no key").expect_err("refused").to_string();
    assert!(error.contains("PKCS#1") && !error.contains("no key"), "{error}");
}

#[test]
fn a_key_of_the_older_kind_signs_too() {
    let pem = include_str!("../../tests/keys/dkim-for-tests-only.pem");
    let signer = Signer::new("example.com", "night", pem).expect("a key");
    let message = composed_by(&mail(), Some(&signer), "board@example.com", &rendered(), &[]).expect("a message");
    let text = String::from_utf8(message.bytes).expect("ASCII").replace("\r\n ", " ");
    let line = text.lines().find(|l| l.starts_with("DKIM-Signature:")).expect("a signature");
    assert!(line.contains("a=rsa-sha256; d=example.com; s=night; c=relaxed/relaxed"), "{line}");
    // Whether it verifies is asked of a program that is not ours, by `benches/mail.py`; here that all 2048 bits are there.
    let (_, signature) = line.rsplit_once("; b=").expect("a signature");
    assert_eq!(signature.replace(' ', "").len(), 344, "{line}");
}

#[test]
fn each_recipient_has_their_own_way_out_and_a_channel_has_none() {
    let line = format!("<p><a href=\"{}\">stop</a></p>", crate::report::UNSUBSCRIBE);
    let text = format!("Figures\nStop: {}\nThe end\n", crate::report::UNSUBSCRIBE);
    let offered = Rendered { mail_html: line, text, ..rendered() };
    let ways = ["mailto:stop@example.com", "https://example.com/stop?a=1&who={recipient}"];
    let mail = Mail { unsubscribe: ways.map(str::to_owned).into(), ..mail() };
    let message = composed_by(&mail, None, "a+b@example.com", &offered, &[]).expect("a message");
    let parsed = MessageParser::default().parse(&message.bytes).expect("a mail");
    let (html, text) = (parsed.body_html(0).expect("HTML"), parsed.body_text(0).expect("text"));
    assert!(html.contains("href=\"https://example.com/stop?a=1&amp;who=a%2Bb%40example.com\""), "{html}");
    assert!(text.contains("Stop: https://example.com/stop?a=1&who=a%2Bb%40example.com"), "{text}");

    let as_of = AsOf::parse("2011-12-10", chrono_tz::Europe::London).expect("a date");
    let pipeline = "customer-health".parse().expect("a name");
    let channel: crate::base::ChannelName = "ops".parse().expect("a name");
    let (kind, date) = (MessageKind::Report, as_of.0.to_utc());
    let to = Destination::Channel(channel.clone());
    let letter = Letter { kind, pipeline: &pipeline, subject_of: "executive", as_of: &as_of, to: &to, date };
    let content = Content::Report { rendered: &offered, files: &[] };
    let hook = crate::config::ChannelKind::Webhook { secret: None };
    let post = compose_post(&hook, &channel, &letter, content, &Links::default(), date);
    let said: serde_json::Value = serde_json::from_slice(&post.bytes).expect("JSON");
    assert_eq!(said["text"], "Figures\nThe end\n");
}

#[test]
fn an_address_or_subject_cannot_add_a_header() {
    let address = composed("a@example.com\r\nBcc: b@example.com", &rendered());
    assert!(matches!(address, Err(DeliverError::Address { .. })));
    assert!(matches!(composed("nobody", &rendered()), Err(DeliverError::Address { .. })));
    let subject = Rendered { subject: "a\r\nBcc: b@example.com".into(), ..rendered() };
    let message = composed("a@example.com", &subject).expect("a message");
    assert!(MessageParser::default().parse(&message.bytes).expect("a mail").bcc().is_none());
}

#[test]
fn a_message_is_put_into_the_folder_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let transport = FolderTransport { folder: folder.path().join("mail") };
    let Message { envelope, bytes: eml } = composed("board@example.com", &rendered()).expect("a message");
    let first = transport.deliver(&envelope, &eml).expect("delivered");
    assert_eq!(first.outcome, Outcome::Written);
    assert_eq!(
        first.path.file_name().and_then(|n| n.to_str()),
        Some("2011-12-10-customer-health-executive-board@example.com.eml")
    );
    assert_eq!(transport.deliver(&envelope, &eml).expect("delivered").outcome, Outcome::Already);
    assert_eq!(transport.deliver(&envelope, b"other").expect("delivered").outcome, Outcome::Earlier);
    assert_eq!(std::fs::read(&first.path).expect("a file"), eml);
    let again = next_revision(&envelope, envelope.enqueued_at);
    assert_eq!(transport.deliver(&again, &eml).expect("delivered").outcome, Outcome::Written);
    // A recipient's name is no path.
    let odd = composed("\"../../x\" <a+b@example.com>", &rendered()).expect("a message");
    assert!(transport.path_of(&odd.envelope).parent() == Some(&transport.folder));
    transport.deliver(&odd.envelope, &odd.bytes).expect("delivered");
    assert_eq!(std::fs::read_dir(&transport.folder).expect("a folder").count(), 3, "nothing half written stays");
}
