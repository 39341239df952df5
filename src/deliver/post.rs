//! A message as a post over HTTP: its bytes, and one request. Follows no redirect, retries nothing, keeps no states.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{StatusCode, header};
use ring::hmac;
use serde_json::{Value, json};

use super::compose::{Content, Letter, Message, message_id};
use super::{DeliverError, Fault};
use crate::base::ChannelName;
use crate::config::ChannelKind;
use crate::lake::Envelope;
use crate::report::UNSUBSCRIBE;

/// Slack cuts a header at 150 characters and refuses a section of more than 3000.
const HEADER: usize = 150;
const SECTION: usize = 2_900;
/// Freshness and what changed stand at the beginning of a report's text.
const LEAD: usize = 900;
/// What a service says is for a person to read, and never long.
const WORDS: usize = 300;

/// What a post points to, where the project says at which address its reports are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    pub page: Option<String>,
    /// Address and alt text.
    pub pictures: Vec<(String, String)>,
}

/// The bytes of a post. The same letter is the same bytes.
pub fn compose_post(
    kind: &ChannelKind,
    channel: &ChannelName,
    letter: &Letter<'_>,
    content: Content<'_>,
    links: &Links,
    now: DateTime<Utc>,
) -> Message {
    let id = message_id(letter, 0);
    let (subject, text) = match content {
        Content::Report { rendered, .. } => (rendered.subject.as_str(), rendered.text.as_str()),
        Content::Plain { subject, text } => (subject, text),
    };
    let subject = subject.replace(['\r', '\n'], " ");
    // Nobody leaves a channel by a link in it.
    let text: String = text.split_inclusive('\n').filter(|line| !line.contains(UNSUBSCRIBE)).collect();
    let body = match kind {
        ChannelKind::Slack => slack(&subject, &text, links),
        ChannelKind::Webhook { .. } => json!({
            "version": 1,
            "id": id,
            "kind": letter.kind,
            "pipeline": letter.pipeline,
            "subject_of": letter.subject_of,
            "as_of": letter.as_of.to_string(),
            "subject": subject,
            "text": text,
            "page": links.page,
            "pictures": links.pictures.iter().map(|(url, alt)| json!({ "url": url, "alt": alt })).collect::<Vec<_>>(),
        }),
    };
    let envelope = Envelope {
        kind: letter.kind,
        pipeline: letter.pipeline.clone(),
        subject_of: letter.subject_of.to_owned(),
        as_of: letter.as_of.to_string(),
        recipient: channel.to_string(),
        channel: Some(channel.clone()),
        revision: 0,
        message_id: id.clone(),
        subject,
        from: String::new(),
        to: channel.to_string(),
        enqueued_at: now,
        id,
    };
    Message { envelope, bytes: body.to_string().into_bytes() }
}

/// What an incoming webhook shows: the subject, what is said, the first picture, and the way to the page. `text` is what a
/// phone's notification shows.
fn slack(subject: &str, text: &str, links: &Links) -> Value {
    let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": cut(subject, HEADER) } })];
    if !text.trim().is_empty() {
        // With a page to open, its beginning is enough; without one it is all there is.
        let most = if links.page.is_some() { LEAD } else { SECTION * 9 / 10 };
        let said = escaped(&cut(text.trim(), most));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(&said, SECTION) } }));
    }
    if let Some((url, alt)) = links.pictures.first() {
        blocks.push(json!({ "type": "image", "image_url": url, "alt_text": cut(alt, 2_000) }));
    }
    if let Some(page) = &links.page {
        let link = format!("<{}|{}>", page.replace('>', "%3E").replace('|', "%7C"), "Open the report");
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": link }] }));
    }
    json!({ "text": escaped(subject), "blocks": blocks })
}

/// So that a figure's name cannot call everybody of a channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// At most so many characters, and a mark where something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{kept}…")
}

/// Where posts of one channel go. Making one contacts nobody.
pub struct Hook {
    client: reqwest::Client,
    url: String,
    secret: Option<hmac::Key>,
}

impl Hook {
    pub fn new(url: &str, secret: Option<&str>, timeout: Duration) -> Result<Self, DeliverError> {
        let client = reqwest::Client::builder()
            // A redirect could lead the figures to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .user_agent(concat!("matins/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| DeliverError::Http { why: describe(e) })?;
        let secret = secret.map(|s| hmac::Key::new(hmac::HMAC_SHA256, s.as_bytes()));
        Ok(Self { client, url: url.to_owned(), secret })
    }

    /// One request. `Lost` leaves open whether the post was taken; the other faults say that it was not.
    pub async fn post(&self, id: &str, bytes: &[u8], now: DateTime<Utc>) -> Result<String, Fault> {
        let mut request = self
            .client
            .post(&self.url)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            // A receiver that has it already can tell.
            .header("Idempotency-Key", id);
        if let Some(key) = &self.secret {
            request = request.header("Matins-Signature", signature(key, now.timestamp(), bytes));
        }
        let answer = request.body(bytes.to_vec()).send().await;
        let answer = answer.map_err(|error| {
            // Where nothing was reached, nothing was given away.
            let before = error.is_connect() || error.is_builder();
            let words = describe(error);
            if before { Fault::Later(words) } else { Fault::Lost(words) }
        })?;
        let status = answer.status();
        let said = answer.text().await.unwrap_or_default();
        let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect();
        let words = format!("{} {}", status.as_u16(), said.split_whitespace().collect::<Vec<_>>().join(" "));
        let words = words.trim_end().to_owned();
        match status {
            s if s.is_success() => Ok(words),
            // A gateway answers for somebody who may have taken it.
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => Err(Fault::Lost(words)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(Fault::Later(words)),
            s if s.is_server_error() => Err(Fault::Later(words)),
            _ => Err(Fault::Refused(words)),
        }
    }
}

/// `t=<unix seconds>,v1=<hex of HMAC-SHA-256 over "t.body">`: the time is signed too, so an old post cannot be played again.
fn signature(key: &hmac::Key, at: i64, bytes: &[u8]) -> String {
    let mut signed = format!("{at}.").into_bytes();
    signed.extend_from_slice(bytes);
    let tag = hmac::sign(key, &signed);
    let hex: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={}", hex.concat())
}

/// Without the address, which is a secret.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(one) = cause {
        let words = one.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        // Test case 2 of RFC 4231, whose data is "what do ya want for nothing?".
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = hmac::sign(&key, b"what do ya want for nothing?");
        let hex: Vec<String> = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex.concat(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(signature(&key, 7, b"x").starts_with("t=7,v1="));
        assert_ne!(signature(&key, 7, b"x"), signature(&key, 8, b"x"));
    }

    #[test]
    fn nobody_is_called_by_what_a_figure_is_named() {
        let links = Links { page: Some("https://r.example.com/a|b".into()), pictures: vec![] };
        let post = slack("<!channel> & co", &"x".repeat(9_000), &links).to_string();
        assert!(post.contains("&lt;!channel&gt; &amp; co") && post.contains("a%7Cb|Open the report"), "{post}");
        assert!(post.len() < 4_000, "a section of Slack's holds 3000 characters");
    }
}
