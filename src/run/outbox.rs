//! Takes messages from the outbox to those they are for: each enters DATA at most once by itself, and whoever did not get
//! one stands in the outbox with the reason.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;

use crate::base::{Event, Observer};
use crate::config::{Destination, MailTransport, Project, Smtp};
use crate::deliver::{
    Content, DeliverError, Fault, FolderTransport, Letter, Links, Message, Signer, SmtpServer, SmtpSession, compose,
    compose_post, next_revision,
};
use crate::lake::{Envelope, Lake, MessageKind, MessageState, MessageStep, OutboxMessage};
use crate::run::bounces::read_bounces;
use crate::run::error::describe;
use crate::run::open::known;
use crate::run::posting::by_post;
use crate::run::retry::jitter;
use crate::run::{Keeper, RunError, Workshop};
use crate::system::System;

/// The first wait after a refusal, which doubles, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How long a run itself goes on trying; later tries are the next run's, or the scheduler's.
pub const PATIENCE_OF_A_RUN: Duration = Duration::from_secs(20);
/// A message left in `sending` for so long by a process of another machine is not being sent any more.
const ORPHAN_AFTER: chrono::Duration = chrono::Duration::hours(1);
/// Messages written to the outbox side by side.
const WRITES_AT_ONCE: usize = 16;

const NOT_ALLOWED: &str = "the allow-list of matins.yaml does not name this recipient";

/// What sending needs.
#[derive(Clone)]
pub struct Post {
    pub project: Arc<Project>,
    pub lake: Lake,
    pub system: System,
    pub observer: Arc<dyn Observer>,
    /// When it is held and was lost to another process, nothing is sent any more.
    pub lease: Keeper,
}

impl Post {
    pub fn of(shop: &Workshop) -> Self {
        Self {
            project: Arc::clone(&shop.project),
            lake: shop.lake.clone(),
            system: shop.system.clone(),
            observer: Arc::clone(&shop.observer),
            lease: shop.lease.clone(),
        }
    }

    pub(super) fn step(&self, state: MessageState, note: Option<String>) -> MessageStep {
        let by = self.system.machine.process();
        let (at, nonce) = (self.system.clock.now(), self.system.ids.next());
        MessageStep { state, at, by, nonce, note, next_try: None }
    }
}

/// What became of one message, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    pub recipient: String,
    pub state: MessageState,
    /// The path of the file, or the server's words.
    pub note: Option<String>,
}

impl From<OutboxMessage> for Sent {
    fn from(message: OutboxMessage) -> Self {
        let note = message.last.and_then(|l| l.note);
        Self { id: message.envelope.id, recipient: message.envelope.recipient, state: message.state, note }
    }
}

/// Delivers every message of the lake that is due: new ones, those whose next try has come, and those a dead process left
/// behind. Goes on until nothing is due within `patience`. Gives back what it touched.
pub async fn deliver_due(post: &Post, patience: Duration) -> Result<Vec<Sent>, RunError> {
    let until = Instant::now() + patience;
    let bounced = read_bounces(post).await?;
    let mut touched: std::collections::BTreeMap<_, _> = bounced.into_iter().map(|s| (s.id.clone(), s)).collect();
    loop {
        let (due, next) = due(post).await?;
        if due.is_empty() {
            let now = post.system.clock.now();
            let wait = next.and_then(|at| (at - now).to_std().ok().or(Some(Duration::ZERO)));
            match wait {
                Some(wait) if Instant::now() + wait < until => {
                    tokio::time::sleep(wait + Duration::from_millis(5)).await;
                }
                _ => break,
            }
            continue;
        }
        for sent in deliver_all(post, due).await? {
            post.observer.see(&Event::Message { state: sent.state.to_string() });
            touched.insert(sent.id.clone(), sent);
        }
    }
    Ok(touched.into_values().collect())
}

/// The messages to deliver now, and when the next one is due.
async fn due(post: &Post) -> Result<(Vec<OutboxMessage>, Option<DateTime<Utc>>), RunError> {
    let now = post.system.clock.now();
    let (mut all, mut next) = (Vec::new(), None::<DateTime<Utc>>);
    for message in post.lake.unsettled().await? {
        let last = message.last.as_ref();
        let envelope = &message.envelope;
        let waits = matches!(message.state, MessageState::Pending | MessageState::Deferred);
        if waits && envelope.channel.is_none() && !post.project.mail.allows(&envelope.to) {
            // Kept by a process that died before it could say so, or the list has changed since.
            let step = post.step(MessageState::Suppressed, Some(NOT_ALLOWED.to_owned()));
            post.lake.advance_from(&envelope.id, message.steps, message.state, &step).await?;
            continue;
        }
        match message.state {
            MessageState::Pending => all.push(message),
            MessageState::Deferred => match last.and_then(|l| l.next_try).filter(|at| *at > now) {
                Some(at) => next = Some(next.map_or(at, |n| n.min(at))),
                None => all.push(message),
            },
            MessageState::Sending => {
                let gone = |l: &MessageStep| post.system.machine.is_dead(&l.by) || now - l.at > ORPHAN_AFTER;
                if last.is_some_and(gone) {
                    all.push(message);
                }
            }
            // Settled by a process that died before it took the hint away.
            _ => post.lake.settle(&message.envelope.id).await?,
        }
    }
    Ok((all, next))
}

async fn deliver_all(post: &Post, due: Vec<OutboxMessage>) -> Result<Vec<Sent>, RunError> {
    post.lease.verify(&post.lake).await?;
    let (posts, mails): (Vec<_>, Vec<_>) = due.into_iter().partition(|m| m.envelope.channel.is_some());
    let mails = async {
        match &post.project.mail.transport {
            _ if mails.is_empty() => Ok(vec![]),
            MailTransport::Folder(folder) => {
                let transport = FolderTransport { folder: post.project.root.join(folder) };
                let each = mails.into_iter().map(|message| into_folder(post, &transport, message));
                futures::stream::iter(each).buffered(WRITES_AT_ONCE).try_collect().await
            }
            MailTransport::Smtp(smtp) => by_smtp(post, smtp, mails).await,
        }
    };
    // A mail server that is slow to answer keeps no post waiting.
    let (mut sent, posted) = futures::future::try_join(mails, by_post(post, posts)).await?;
    sent.extend(posted);
    Ok(sent)
}

/// A folder takes a message twice without harm, so one that a dead process left marked is handed on again.
async fn into_folder(post: &Post, transport: &FolderTransport, message: OutboxMessage) -> Result<Sent, RunError> {
    let id = message.envelope.id.clone();
    let mut number = message.steps;
    let orphan = message.state == MessageState::Sending;
    if !orphan {
        let marked = post.step(MessageState::Sending, None);
        if !post.lake.advance_from(&id, number, message.state, &marked).await? {
            return as_it_stands(post, &id).await;
        }
        number += 1;
    }
    let Some(eml) = post.lake.message_bytes(&message.envelope).await? else { return as_it_stands(post, &id).await };
    let (transport, envelope) = (transport.clone(), message.envelope);
    let place = transport.path_of(&envelope).display().to_string();
    let written = tokio::task::spawn_blocking(move || transport.deliver(&envelope, &eml)).await;
    let step = match written.map_err(|e| RunError::Panicked(e.to_string()))? {
        Ok(_) => post.step(MessageState::Accepted, Some(place)),
        Err(error) => later(post, &id, number, describe(&error)).await?,
    };
    post.lake.advance_from(&id, number, MessageState::Sending, &step).await?;
    as_it_stands(post, &id).await
}

async fn by_smtp(post: &Post, smtp: &Smtp, due: Vec<OutboxMessage>) -> Result<Vec<Sent>, RunError> {
    let server = server(post, smtp)?;
    let answer_within = Duration::from_secs(u64::from(smtp.timeout_s));
    let workers = smtp.connections.min(due.len());
    let queue = Mutex::new(VecDeque::from(due));
    let worker = || async {
        let mut session = None;
        let mut sent = Vec::new();
        loop {
            let Some(message) = queue.lock().await.pop_front() else { break };
            sent.push(one_by_smtp(post, &server, &mut session, answer_within, message).await?);
        }
        if let Some(session) = session {
            tokio::time::timeout(Duration::from_secs(2), SmtpSession::quit(session)).await.ok();
        }
        Ok::<_, RunError>(sent)
    };
    let all = futures::future::try_join_all((0..workers).map(|_| worker())).await?;
    Ok(all.into_iter().flatten().collect())
}

/// One message over one connection. Nothing is given away before the create-only marker stands; what happens after it is
/// told apart by whether the server answered.
async fn one_by_smtp(
    post: &Post,
    server: &SmtpServer,
    session: &mut Option<SmtpSession>,
    answer_within: Duration,
    message: OutboxMessage,
) -> Result<Sent, RunError> {
    let Envelope { id, from, to, .. } = &message.envelope;
    let mut number = message.steps;
    if message.state == MessageState::Sending {
        let note = "its process ended after it had begun to hand the message over".to_owned();
        post.lake.advance_from(id, number, message.state, &post.step(MessageState::Unknown, Some(note))).await?;
        return as_it_stands(post, id).await;
    }
    let Some(eml) = post.lake.message_bytes(&message.envelope).await? else { return as_it_stands(post, id).await };
    let offered = async {
        if session.as_ref().is_none_or(|s| !s.is_usable()) {
            *session = Some(within(answer_within, server.connect()).await?);
        }
        match session.as_mut() {
            Some(open) => within(answer_within * 2, open.offer(from, to)).await,
            None => Err(Fault::Lost("no connection".to_owned())),
        }
    };
    if let Err(fault) = offered.await {
        let step = match &fault {
            Fault::Refused(words) => post.step(MessageState::Failed, Some(words.clone())),
            Fault::Later(words) | Fault::Lost(words) => later(post, id, number, words.clone()).await?,
        };
        post.lake.advance_from(id, number, message.state, &step).await?;
        close_unless_answered(session, &fault, answer_within).await;
        return as_it_stands(post, id).await;
    }
    let Some(open) = session.as_mut() else { return as_it_stands(post, id).await };
    post.lease.verify(&post.lake).await?;
    if !post.lake.advance_from(id, number, message.state, &post.step(MessageState::Sending, None)).await? {
        // Another process was quicker.
        tokio::time::timeout(answer_within, open.reset()).await.ok();
        return as_it_stands(post, id).await;
    }
    number += 1;
    let handed = within(answer_within * 3, open.hand_over(&eml)).await;
    let step = match &handed {
        Ok(words) => post.step(MessageState::Accepted, Some(words.clone())),
        Err(Fault::Refused(words)) => post.step(MessageState::Failed, Some(words.clone())),
        Err(Fault::Later(words)) => later(post, id, number, words.clone()).await?,
        Err(Fault::Lost(words)) => {
            let note = format!("the connection was lost while the message was handed over: {words}");
            post.step(MessageState::Unknown, Some(note))
        }
    };
    post.lake.advance_from(id, number, MessageState::Sending, &step).await?;
    if let Err(fault) = handed {
        close_unless_answered(session, &fault, answer_within).await;
    }
    as_it_stands(post, id).await
}

/// After an answer the connection serves the next message; after silence it is of no use.
async fn close_unless_answered(session: &mut Option<SmtpSession>, fault: &Fault, answer_within: Duration) {
    let usable = session.as_ref().is_some_and(SmtpSession::is_usable) && !matches!(fault, Fault::Lost(_));
    match session.as_mut().filter(|_| usable) {
        Some(open) => {
            if tokio::time::timeout(answer_within, open.reset()).await.is_err() {
                *session = None;
            }
        }
        None => *session = None,
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = || Fault::Lost(format!("no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

/// The step of a message that may be tried again: when, or that it has been tried for long enough.
pub(super) async fn later(post: &Post, id: &str, number: u32, why: String) -> Result<MessageStep, RunError> {
    let history = post.lake.message_history(id).await?;
    let now = post.system.clock.now();
    let first = history.iter().find(|s| s.state == MessageState::Deferred).map_or(now, |s| s.at);
    let give_up = chrono::Duration::hours(i64::from(post.project.mail.give_up_after_hours));
    if now - first >= give_up {
        let note = format!("given up after {} h: {why}", post.project.mail.give_up_after_hours);
        return Ok(post.step(MessageState::Failed, Some(note)));
    }
    let wait = FIRST_WAIT.saturating_mul(1 << number.min(16)).min(LONGEST_WAIT).mul_f64(jitter(&post.system));
    let next = now + chrono::Duration::from_std(wait).unwrap_or_default();
    post.observer.see(&Event::Retrying { what: format!("message {id}"), attempt: number + 1, wait, why: why.clone() });
    Ok(MessageStep { next_try: Some(next), ..post.step(MessageState::Deferred, Some(why)) })
}

pub(super) async fn as_it_stands(post: &Post, id: &str) -> Result<Sent, RunError> {
    let found = post.lake.message(id).await?;
    found.map(Sent::from).ok_or_else(|| RunError::NotDelivered(format!("message {id} is gone from the outbox")))
}

fn server(post: &Post, smtp: &Smtp) -> Result<SmtpServer, RunError> {
    let host = known(&smtp.host)?;
    let login = match &smtp.login {
        Some((user, password)) => Some((known(user)?, known(&password.0)?)),
        None => None,
    };
    let ca = smtp.ca.as_ref().map(|path| post.project.root.join(path));
    let timeout = Duration::from_secs(u64::from(smtp.timeout_s));
    SmtpServer::new(&host, smtp.port, smtp.security, login, ca.as_deref(), timeout).map_err(|e| not_delivered(&e))
}

/// The key messages are signed with, if there is one.
pub fn signer(project: &Project) -> Result<Option<Signer>, RunError> {
    use crate::config::DkimKey;
    let Some(dkim) = &project.mail.dkim else { return Ok(None) };
    let signer = match &dkim.key {
        DkimKey::Text(key) => Signer::new(&dkim.domain, &dkim.selector, &known(&key.0)?),
        DkimKey::File(path) => Signer::from_file(&dkim.domain, &dkim.selector, &project.root.join(path)),
    };
    signer.map(Some).map_err(|e| not_delivered(&e))
}

fn not_delivered(error: &DeliverError) -> RunError {
    RunError::NotDelivered(describe(error))
}

/// Keeps messages; those the allow-list does not let go are suppressed at once. Gives back their ids.
pub async fn enqueue(post: &Post, messages: Vec<Message>) -> Result<Vec<String>, RunError> {
    let each = messages.into_iter().map(|message| async move {
        let Message { envelope, bytes } = message;
        let new = post.lake.enqueue(&envelope, bytes).await?;
        if new && let Some(note) = reason_against(post, &envelope).await? {
            post.lake.advance(&envelope.id, &post.step(MessageState::Suppressed, Some(note))).await?;
        }
        Ok::<_, RunError>(envelope.id)
    });
    futures::stream::iter(each).buffered(WRITES_AT_ONCE).try_collect().await
}

/// Why a mail is not to be sent at all. A person who sends one again knows of its recipient's trouble.
async fn reason_against(post: &Post, envelope: &Envelope) -> Result<Option<String>, RunError> {
    if envelope.channel.is_some() {
        return Ok(None);
    }
    if !post.project.mail.allows(&envelope.to) {
        return Ok(Some(NOT_ALLOWED.to_owned()));
    }
    if envelope.revision > 0 {
        return Ok(None);
    }
    let bounce = post.lake.bounce(&envelope.to).await?;
    Ok(bounce.map(|b| {
        let day = b.at.format("%Y-%m-%d");
        format!("a message to {} came back on {day} ({}); see `matins outbox bounces`", b.address, b.why)
    }))
}

/// Where messages stand.
pub async fn standing(post: &Post, ids: &[String]) -> Result<Vec<Sent>, RunError> {
    let each = ids.iter().map(|id| as_it_stands(post, id));
    futures::stream::iter(each).buffered(WRITES_AT_ONCE).try_collect().await
}

/// One short text to several people, once for each `letter`: a rule's alert, a notice. Kept in the outbox like any other
/// message, and delivered now where that is possible.
pub async fn send_plain(post: &Post, letters: &[Letter<'_>], subject: &str, text: &str) -> Result<Vec<Sent>, RunError> {
    let content = Content::Plain { subject, text };
    let ids = enqueue(post, composed(post, letters, content, &Links::default())?).await?;
    deliver_due(post, Duration::ZERO).await?;
    standing(post, &ids).await
}

/// The final bytes of one content for several people: mails, and posts to channels.
pub fn composed(
    post: &Post,
    letters: &[Letter<'_>],
    content: Content<'_>,
    links: &Links,
) -> Result<Vec<Message>, RunError> {
    let signer = signer(&post.project)?;
    let now = post.system.clock.now();
    let one = |letter: &Letter<'_>| match letter.to {
        Destination::Address(address) => {
            compose(&post.project.mail, signer.as_ref(), letter, address, content, now).map_err(|e| not_delivered(&e))
        }
        Destination::Channel(name) => {
            let missing = || RunError::NotDelivered(format!("matins.yaml declares no channel `{name}`"));
            let channel = post.project.channels.get(name).ok_or_else(missing)?;
            Ok(compose_post(&channel.kind, name, letter, content, links, now))
        }
    };
    letters.iter().map(one).collect()
}

/// Sends a message once more because a person wants it: the same bytes, as the next revision. One that failed or whose fate
/// is unknown is settled by it.
pub async fn resend(post: &Post, id: &str) -> Result<Sent, RunError> {
    let missing = || RunError::Usage(format!("there is no message `{id}`; see `matins outbox list`"));
    let message = post.lake.message(id).await?.ok_or_else(missing)?;
    let bytes = post.lake.message_bytes(&message.envelope).await?.ok_or_else(missing)?;
    if matches!(message.state, MessageState::Pending | MessageState::Sending | MessageState::Deferred) {
        let state = message.state;
        return Err(RunError::Usage(format!("message `{id}` is {state}: it is sent by itself")));
    }
    let mut envelope = next_revision(&message.envelope, post.system.clock.now());
    while post.lake.message(&envelope.id).await?.is_some() {
        envelope = next_revision(&envelope, envelope.enqueued_at);
    }
    let next = enqueue(post, vec![Message { envelope, bytes: bytes.to_vec() }]).await?;
    if matches!(message.state, MessageState::Failed | MessageState::Unknown) {
        let note = format!("was {}, sent again as {}", message.state, next.join(", "));
        post.lake.advance(id, &post.step(MessageState::Suppressed, Some(note))).await?;
    }
    deliver_due(post, PATIENCE_OF_A_RUN).await?;
    as_it_stands(post, next.first().map_or(id, String::as_str)).await
}

/// Says that a message is not to be sent, or that a person has dealt with it otherwise.
pub async fn suppress(post: &Post, id: &str, why: Option<&str>) -> Result<Sent, RunError> {
    let missing = || RunError::Usage(format!("there is no message `{id}`; see `matins outbox list`"));
    let message = post.lake.message(id).await?.ok_or_else(missing)?;
    let note = why.unwrap_or("by hand").to_owned();
    let step = post.step(MessageState::Suppressed, Some(note));
    if !post.lake.advance_from(id, message.steps, message.state, &step).await? {
        let now = as_it_stands(post, id).await?.state;
        return Err(RunError::Usage(format!("message `{id}` is {now} and cannot be suppressed")));
    }
    as_it_stands(post, id).await
}

/// Whether everything is on its way, or a sentence on what is not.
pub fn verdict(all: &[Sent]) -> Result<(), RunError> {
    let trouble: Vec<&Sent> = all.iter().filter(|s| s.state.is_trouble()).collect();
    let Some(first) = trouble.first() else { return Ok(()) };
    let why = first.note.as_deref().map(|n| format!(" ({n})")).unwrap_or_default();
    let others = match trouble.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    Err(RunError::NotDelivered(format!(
        "the message to {} is {}{why}{others}: matins outbox list",
        first.recipient, first.state
    )))
}

/// The words of a notice that stands in for a report.
pub fn notice(kind: MessageKind, title: &str, interval: &str, why: &str) -> (String, String) {
    let (what, sentence) = match kind {
        MessageKind::Delayed => ("delayed", "is not ready yet. It will be sent when it is."),
        _ => (
            "withheld",
            "was withheld: its data did not pass the checks, and figures that cannot be trusted are not sent.",
        ),
    };
    let subject = format!("{title} · {interval} · {what}");
    let text = format!(
        "The report \"{title}\" for {interval} {sentence}\n\n{why}\n\nYou need not do anything. This message was written by Matins.\n"
    );
    (subject, text)
}
