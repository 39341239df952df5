//! What has become of each message: its final bytes, and one create-only object for each step of its life. Sends nothing.
//!
//! A step's object is named by its number alone, so of two processes that want to take a message further one does, whatever
//! each of them wants. That is what lets a message enter `sending` once by itself.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::base::{ChannelName, PipelineName};
use crate::system::Process;

use super::disk::Stored;
use super::error::LakeError;
use super::lake::{AT_ONCE, Create, Lake};
use super::paths;

/// Where a message stands. There is no way back to sending from what was accepted: to send again is a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    Pending,
    /// Written before the mail server is given the bytes (DATA). Whoever finds it left so cannot know: `unknown`.
    Sending,
    Accepted,
    /// Refused for now; it may be tried again.
    Deferred,
    Failed,
    /// May have arrived: only a person sends it again.
    Unknown,
    /// Not to be sent.
    Suppressed,
}

impl MessageState {
    /// Whether nothing happens to it by itself any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending | Self::Deferred)
    }

    /// Whether a person should look at it.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Deferred | Self::Failed | Self::Unknown | Self::Sending)
    }

    fn may_become(self, next: Self) -> bool {
        use MessageState::{Accepted, Deferred, Failed, Pending, Sending, Suppressed, Unknown};
        match self {
            Pending | Deferred => matches!(next, Sending | Deferred | Suppressed | Failed),
            Sending => matches!(next, Accepted | Deferred | Failed | Unknown),
            // It came back from a server further on.
            Accepted => next == Failed,
            Unknown => matches!(next, Failed | Suppressed),
            // A person who has dealt with it otherwise.
            Failed => next == Suppressed,
            Suppressed => false,
        }
    }
}

impl std::fmt::Display for MessageState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Suppressed => "suppressed",
        })
    }
}

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    Report,
    /// Instead of a report that is not out in time.
    Delayed,
    /// Instead of a report whose data did not pass its checks.
    Withheld,
    /// From a rule that watches the figures or the program.
    Alert,
}

/// What a message is and whom it is for; kept beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Its name in the outbox. Names sort by `as_of`.
    pub id: String,
    pub kind: MessageKind,
    pub pipeline: PipelineName,
    /// The report's name, or the alert rule's.
    pub subject_of: String,
    pub as_of: String,
    /// As written in the pipeline, with the name before it if there is one.
    pub recipient: String,
    /// The channel it is posted to; none for a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelName>,
    /// 0, and raised by a person who sends it again.
    pub revision: u32,
    /// The Message-ID of the header, with its angle brackets.
    pub message_id: String,
    pub subject: String,
    /// Bare, as the mail server is told; empty for a post.
    pub from: String,
    pub to: String,
    pub enqueued_at: DateTime<Utc>,
}

impl Stored for Envelope {
    const KIND: &'static str = "message-envelope";
}

/// One step of a message's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageStep {
    pub state: MessageState,
    pub at: DateTime<Utc>,
    /// Who did it: a message left in `sending` by a process that is dead is `unknown`.
    pub by: Process,
    /// Tells our own step apart from an equal one of somebody else.
    pub nonce: String,
    /// What the server said, for a person.
    pub note: Option<String>,
    /// For one that is deferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<DateTime<Utc>>,
}

impl Stored for MessageStep {
    const KIND: &'static str = "message-step";
}

/// A message and its life so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    pub envelope: Envelope,
    pub state: MessageState,
    /// The number of steps, and the last of them; none while it is pending.
    pub steps: u32,
    pub last: Option<MessageStep>,
}

impl Lake {
    /// Keeps a message's final bytes. `false` when there is one of this id: it was written by an earlier try, and stands.
    pub async fn enqueue(&self, envelope: &Envelope, bytes: Vec<u8>) -> Result<bool, LakeError> {
        let id = &envelope.id;
        check_id(id)?;
        let path = path_of(envelope);
        if self.exists(&path).await? {
            return Ok(false);
        }
        self.create(&paths::message_due(id), Vec::new()).await?;
        self.create_json(&paths::message_envelope(id), envelope).await?;
        // The bytes are last: a message that can be seen is whole.
        Ok(self.create(&path, bytes).await? == Create::Created)
    }

    pub async fn message_bytes(&self, envelope: &Envelope) -> Result<Option<bytes::Bytes>, LakeError> {
        self.get(&path_of(envelope)).await
    }

    /// Takes a message one step further. `false` when somebody else took it elsewhere first, or its state does not allow it.
    pub async fn advance(&self, id: &str, step: &MessageStep) -> Result<bool, LakeError> {
        let (number, last) = self.last_step(id).await?;
        self.advance_from(id, number, last.map_or(MessageState::Pending, |l| l.state), step).await
    }

    /// The same, from a step that was seen: `false` when the message has gone on since.
    pub async fn advance_from(
        &self,
        id: &str,
        number: u32,
        state: MessageState,
        step: &MessageStep,
    ) -> Result<bool, LakeError> {
        check_id(id)?;
        if !state.may_become(step.state) {
            return Ok(false);
        }
        let ours = self.create_json(&paths::message_state(id, number + 1), step).await? == Create::Created;
        if ours && step.state.is_final() {
            self.settle(id).await?;
        }
        Ok(ours)
    }

    /// Takes a message off the list of those that want something done.
    pub async fn settle(&self, id: &str) -> Result<(), LakeError> {
        self.delete(&[paths::message_due(id)]).await
    }

    /// Where a message stands; nothing when there is none.
    pub async fn message(&self, id: &str) -> Result<Option<OutboxMessage>, LakeError> {
        check_id(id)?;
        let Some(envelope) = self.read_json(&paths::message_envelope(id)).await? else { return Ok(None) };
        if !self.exists(&path_of(&envelope)).await? {
            return Ok(None);
        }
        let (steps, last) = self.last_step(id).await?;
        let state = last.as_ref().map_or(MessageState::Pending, |l: &MessageStep| l.state);
        Ok(Some(OutboxMessage { envelope, state, steps, last }))
    }

    /// Every step of a message's life, oldest first.
    pub async fn message_history(&self, id: &str) -> Result<Vec<MessageStep>, LakeError> {
        let (steps, _) = self.last_step(id).await?;
        let read = (1..=steps).map(|n| async move { self.read_json(&paths::message_state(id, n)).await });
        futures::stream::iter(read)
            .buffered(AT_ONCE)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    /// The last messages, in order of id, which is the order of their `as_of`.
    pub async fn list_outbox(&self, limit: usize) -> Result<Vec<OutboxMessage>, LakeError> {
        let all = self.list_folders(paths::OUTBOX).await?;
        let from = all.len().saturating_sub(limit);
        self.messages(all.into_iter().skip(from).collect()).await
    }

    /// The messages that are not settled, in order of id.
    pub async fn unsettled(&self) -> Result<Vec<OutboxMessage>, LakeError> {
        let listed = self.list(paths::OUTBOX_DUE).await?;
        let ids: Vec<String> = listed.iter().filter_map(|o| Some(o.location.filename()?.to_owned())).collect();
        self.messages(ids).await
    }

    async fn messages(&self, ids: Vec<String>) -> Result<Vec<OutboxMessage>, LakeError> {
        futures::stream::iter(ids)
            .map(|id| async move { self.message(&id).await })
            .buffered(AT_ONCE)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    async fn last_step(&self, id: &str) -> Result<(u32, Option<MessageStep>), LakeError> {
        check_id(id)?;
        let listed = self.list(&paths::message_states(id)).await?;
        let number = |name: &str| name.strip_suffix(".json")?.parse::<u32>().ok();
        match listed.iter().filter_map(|m| number(m.location.filename()?)).max() {
            Some(last) => Ok((last, self.read_json(&paths::message_state(id, last)).await?)),
            None => Ok((0, None)),
        }
    }
}

fn path_of(envelope: &Envelope) -> String {
    if envelope.channel.is_some() { paths::post(&envelope.id) } else { paths::message(&envelope.id) }
}

/// An id becomes a folder's name, and is the same in every store only if it is plain.
fn check_id(id: &str) -> Result<(), LakeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+' | '=');
    let why = match id {
        "" => "it is empty",
        _ if id.starts_with('.') => "it begins with a point",
        _ if id.len() > 200 => "it is longer than 200 characters",
        _ if !id.chars().all(plain) => "only letters, digits and -_.@+= may be used",
        _ => return Ok(()),
    };
    Err(LakeError::BadId { id: id.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::testing::{both_kinds, holder, now};

    fn step(state: MessageState, nonce: &str) -> MessageStep {
        MessageStep { state, at: now(), by: holder(), nonce: nonce.to_owned(), note: None, next_try: None }
    }

    fn envelope(id: &str) -> Envelope {
        let (pipeline, text) = ("shop".parse().expect("a name"), String::new);
        let (from, to) = ("a@example.com".to_owned(), "b@example.com".to_owned());
        let (kind, id, revision, recipient) = (MessageKind::Report, id.to_owned(), 0, to.clone());
        let (subject_of, as_of, message_id, subject) = (text(), text(), text(), text());
        let enqueued_at = now();
        Envelope {
            id,
            kind,
            pipeline,
            subject_of,
            as_of,
            recipient,
            channel: None,
            revision,
            message_id,
            subject,
            from,
            to,
            enqueued_at,
        }
    }

    #[tokio::test]
    async fn a_message_enters_sending_once() {
        use MessageState::{Accepted, Pending, Sending, Suppressed};
        for (lake, _folder) in both_kinds() {
            assert!(lake.enqueue(&envelope("m1@matins"), b"mail".to_vec()).await.expect("kept"));
            assert!(!lake.enqueue(&envelope("m1@matins"), b"other".to_vec()).await.expect("kept"));
            assert_eq!(lake.message("m1@matins").await.expect("read").expect("there").state, Pending);
            let steps = (step(Sending, "a"), step(Sending, "b"), step(Suppressed, "c"));
            let (a, b, c) = tokio::join!(
                lake.advance("m1@matins", &steps.0),
                lake.advance("m1@matins", &steps.1),
                lake.advance("m1@matins", &steps.2)
            );
            let won = [a, b, c].into_iter().filter(|w| *w.as_ref().expect("no failure")).count();
            assert_eq!(won, 1);
            assert!(lake.message("nobody").await.expect("read").is_none());
            let sent = lake.advance("m1@matins", &step(Accepted, "d")).await.expect("advanced");
            let listed = lake.list_outbox(10).await.expect("listed");
            assert_eq!(listed.len(), 1);
            assert!(listed[0].state.is_final());
            assert_eq!(sent, listed[0].state == Accepted);
            assert!(!lake.advance("m1@matins", &step(Sending, "e")).await.expect("refused"), "never sent twice");
        }
    }

    #[tokio::test]
    async fn a_deferred_message_may_be_tried_again() {
        let lake = crate::lake::testing::in_memory();
        lake.enqueue(&envelope("m"), b"mail".to_vec()).await.expect("kept");
        for (n, state) in [MessageState::Sending, MessageState::Deferred, MessageState::Sending].into_iter().enumerate()
        {
            assert!(lake.advance("m", &step(state, &n.to_string())).await.expect("advanced"));
        }
        assert!(lake.enqueue(&envelope("../x"), Vec::new()).await.is_err());
    }
}
