//! The bytes of one message. The same letter is the same bytes: its id, date and boundaries come from what it is about.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message as Mime, MultiPart, SinglePart};

use super::{DeliverError, Signer};
use crate::base::{AsOf, Fingerprint, PipelineName, Recipe};
use crate::config::{Destination, Mail};
use crate::lake::{Envelope, MessageKind};
use crate::report::{Rendered, UNSUBSCRIBE};

/// What a message is about: two letters with the same one are the same message, sent again.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    pub kind: MessageKind,
    pub pipeline: &'a PipelineName,
    /// The report's name, or the alert rule's.
    pub subject_of: &'a str,
    /// The end of the interval.
    pub as_of: &'a AsOf,
    pub to: &'a Destination,
    /// In the Date header: the interval's end for a report, so that its bytes are the same whenever they are made.
    pub date: DateTime<Utc>,
}

/// One message to one recipient, ready to be kept and delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub envelope: Envelope,
    /// As they are kept and sent.
    pub bytes: Vec<u8>,
}

/// What is in a message, besides its head.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    Report {
        rendered: &'a Rendered,
        files: &'a [Attached],
    },
    /// One short text.
    Plain {
        subject: &'a str,
        text: &'a str,
    },
}

/// A file that travels with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    pub name: String,
    /// As in `application/pdf`.
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

/// The name of a message in the outbox. It begins with the day, so that names sort by it.
pub fn message_id(letter: &Letter<'_>, revision: u32) -> String {
    format!("{}-{}", letter.as_of.to_string().replace(':', ""), message_key(letter, revision))
}

/// The message of an envelope sent once more by a person: the same bytes under the next revision's name. The Message-ID
/// stays, so that a mailbox which has it already can tell.
pub fn next_revision(last: &Envelope, now: DateTime<Utc>) -> Envelope {
    let revision = last.revision + 1;
    let base = last.id.split("-r").next().unwrap_or(&last.id);
    Envelope { id: format!("{base}-r{revision}"), revision, enqueued_at: now, ..last.clone() }
}

fn message_key(letter: &Letter<'_>, revision: u32) -> Fingerprint {
    let recipe = Recipe::new("message/1")
        .text("pipeline", letter.pipeline.as_str())
        .text("report", letter.subject_of)
        .text("as of", &letter.as_of.0.to_rfc3339())
        // Addresses that differ in case are one mailbox everywhere but in theory.
        .text("recipient", &letter.to.to_string().trim().to_lowercase())
        .bytes("revision", &revision.to_le_bytes());
    match letter.kind {
        MessageKind::Report => recipe,
        MessageKind::Delayed => recipe.text("kind", "delayed"),
        MessageKind::Withheld => recipe.text("kind", "withheld"),
        MessageKind::Alert => recipe.text("kind", "alert"),
    }
    .finish()
}

/// A mail: mixed(alternative(text, related(HTML, pictures)), files), each layer only where it has something to hold. Text comes
/// first: a reader shows the last part it understands.
pub fn compose(
    mail: &Mail,
    signer: Option<&Signer>,
    letter: &Letter<'_>,
    address: &str,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Message, DeliverError> {
    let id = message_id(letter, 0);
    let from = mailbox(&mail.from)?;
    let to = mailbox(address)?;
    let header_id = format!("<{id}@{}>", from.email.domain());
    let subject = match content {
        Content::Report { rendered, .. } => &rendered.subject,
        Content::Plain { subject, .. } => subject,
    };
    let subject = subject.replace(['\r', '\n'], " ");
    let mut head = Mime::builder()
        .from(from.clone())
        .to(to.clone())
        .subject(&*subject)
        .date(date(letter.date))
        .message_id(Some(header_id.clone()))
        // No out-of-office note answers it (RFC 3834).
        .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(raw("List-Id", format!("<{}.{}.{}>", letter.subject_of, letter.pipeline, from.email.domain())));
    let ways: Vec<String> =
        mail.unsubscribe.iter().map(|way| way.replace("{recipient}", &escaped(to.email.as_ref()))).collect();
    if !ways.is_empty() {
        let all: Vec<String> = ways.iter().map(|way| format!("<{way}>")).collect();
        head = head.raw_header(raw("List-Unsubscribe", all.join(", ")));
        // One click needs an address that takes a POST (RFC 8058).
        if ways.iter().any(|way| way.starts_with("https:")) {
            head = head.raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
    }
    let mime = match content {
        Content::Report { rendered, files } => {
            // A person who follows a link wants a page more than a mail to write.
            let way = ways.iter().find(|way| way.starts_with("https:")).or(ways.first());
            head.multipart(parts(&id, rendered, way.map(String::as_str), files))
        }
        Content::Plain { text, .. } => {
            head.singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text.to_owned()))
        }
    };
    let mut mime = mime.map_err(|e| DeliverError::Compose { recipient: address.to_owned(), why: e.to_string() })?;
    if let Some(signer) = signer {
        signer.sign(&mut mime);
    }
    let envelope = Envelope {
        id,
        kind: letter.kind,
        pipeline: letter.pipeline.clone(),
        subject_of: letter.subject_of.to_owned(),
        as_of: letter.as_of.to_string(),
        recipient: address.trim().to_owned(),
        channel: None,
        revision: 0,
        message_id: header_id,
        subject,
        from: from.email.to_string(),
        to: to.email.to_string(),
        enqueued_at: now,
    };
    Ok(Message { envelope, bytes: mime.formatted() })
}

/// `way` is the recipient's own to leave the list.
fn parts(id: &str, rendered: &Rendered, way: Option<&str>, files: &[Attached]) -> MultiPart {
    let with = |text: &str, way: Option<String>| way.map_or_else(|| text.to_owned(), |w| text.replace(UNSUBSCRIBE, &w));
    let in_html = way.map(|w| w.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"));
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(with(&rendered.text, way.map(str::to_owned)));
    let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(with(&rendered.mail_html, in_html));
    let alternative = MultiPart::alternative().boundary(format!("matins-a-{id}")).singlepart(text);
    let alternative = if rendered.images.is_empty() {
        alternative.singlepart(html)
    } else {
        let related = MultiPart::related().boundary(format!("matins-r-{id}")).singlepart(html);
        let png = ContentType::parse("image/png").unwrap_or(ContentType::TEXT_PLAIN);
        let related = rendered.images.iter().fold(related, |all, image| {
            all.singlepart(Attachment::new_inline(image.id.clone()).body(image.png.clone(), png.clone()))
        });
        alternative.multipart(related)
    };
    if files.is_empty() {
        return alternative;
    }
    let mixed = MultiPart::mixed().boundary(format!("matins-m-{id}")).multipart(alternative);
    files.iter().fold(mixed, |all, file| {
        let kind = ContentType::parse(file.media_type).unwrap_or(ContentType::TEXT_PLAIN);
        all.singlepart(Attachment::new(file.name.clone()).body(file.bytes.clone(), kind))
    })
}

/// Whether a text from outside can be written to: `someone@example.com`, or with a name before it.
pub fn is_address(text: &str) -> bool {
    !text.contains(char::is_control) && mailbox(text).is_ok()
}

pub(super) fn mailbox(text: &str) -> Result<Mailbox, DeliverError> {
    let bad = |why: String| DeliverError::Address { address: text.to_owned(), why };
    let text = text.trim();
    // A company's own machines have names without a dot, which the parser of whole mailboxes knows too.
    match text.rsplit_once('<') {
        Some((name, address)) if address.ends_with('>') => {
            let email: Address = address.trim_end_matches('>').parse().map_err(|e| bad(format!("{e}")))?;
            let name = name.trim().trim_matches('"').trim();
            Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), email))
        }
        _ => Ok(Mailbox::new(None, text.parse().map_err(|e| bad(format!("{e}")))?)),
    }
}

/// What the header can say ends with the year 9999.
fn date(at: DateTime<Utc>) -> SystemTime {
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0).min(253_402_300_799);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// An address as a part of a URL.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
