//! The bytes of one message. The same letter is the same bytes: its id, date and boundary come from what it is about.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mime, MultiPart, SinglePart};

use super::DeliverError;
use crate::base::{AsOf, Fingerprint, PipelineName, Recipe, ReportName};
use crate::config::Mail;
use crate::report::Rendered;

/// What a message is about: two letters with the same one are the same message, sent again.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    pub pipeline: &'a PipelineName,
    pub report: &'a ReportName,
    /// The end of the interval. The message is dated by it.
    pub as_of: &'a AsOf,
    pub recipient: &'a str,
    /// 0, and raised by a person who wants it sent again.
    pub revision: u32,
}

/// One message to one recipient, ready to be delivered and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub key: Fingerprint,
    /// With its angle brackets, as it stands in the header.
    pub id: String,
    pub as_of: AsOf,
    pub pipeline: PipelineName,
    pub report: ReportName,
    pub recipient: String,
    pub revision: u32,
    pub eml: Vec<u8>,
}

/// The name of a message in the outbox.
pub fn message_key(letter: &Letter<'_>) -> Fingerprint {
    Recipe::new("message/1")
        .text("pipeline", letter.pipeline.as_str())
        .text("report", letter.report.as_str())
        .text("as of", &letter.as_of.0.to_rfc3339())
        // Addresses that differ in case are one mailbox everywhere but in theory.
        .text("recipient", &letter.recipient.trim().to_lowercase())
        .bytes("revision", &letter.revision.to_le_bytes())
        .finish()
}

/// Text first, then HTML: a reader shows the last part it understands.
pub fn compose(mail: &Mail, letter: &Letter<'_>, rendered: &Rendered) -> Result<Message, DeliverError> {
    let key = message_key(letter);
    let from = mailbox(&mail.from)?;
    let to = mailbox(letter.recipient)?;
    let id = format!("<{key}@{}>", from.email.domain());
    let part = |kind, body: &str| SinglePart::builder().header(kind).body(body.to_owned());
    let body = MultiPart::alternative()
        .boundary(format!("matins-{key}"))
        .singlepart(part(ContentType::TEXT_PLAIN, &rendered.text))
        .singlepart(part(ContentType::TEXT_HTML, &rendered.html));
    let mime = Mime::builder()
        .from(from)
        .to(to)
        .subject(rendered.subject.replace(['\r', '\n'], " "))
        .date(date(letter.as_of))
        .message_id(Some(id.clone()))
        // No out-of-office note answers it (RFC 3834).
        .header(AutoSubmitted)
        .multipart(body)
        .map_err(|e| DeliverError::Compose { recipient: letter.recipient.to_owned(), why: e.to_string() })?;
    Ok(Message {
        key,
        id,
        as_of: *letter.as_of,
        pipeline: letter.pipeline.clone(),
        report: letter.report.clone(),
        revision: letter.revision,
        recipient: letter.recipient.trim().to_owned(),
        eml: mime.formatted(),
    })
}

fn mailbox(text: &str) -> Result<Mailbox, DeliverError> {
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
fn date(as_of: &AsOf) -> SystemTime {
    let seconds = u64::try_from(as_of.0.timestamp()).unwrap_or(0).min(253_402_300_799);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
