//! What has become of each message: its final bytes, and one create-only object for each step of its life. Sends nothing.
//!
//! A step's object is named by its number alone, so of two processes that want to take a message further one does, whatever
//! each of them wants. That is what lets a message enter `sending` once by itself.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::system::Process;

use super::disk::Stored;
use super::error::LakeError;
use super::lake::{AT_ONCE, Create, Lake};
use super::paths;

/// Where a message stands. There is no way back, and none from what is final: to send again is a new message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    Pending,
    /// Written before the mail server is given the bytes. Whoever finds it left so cannot know: `unknown`.
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
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending | Self::Deferred)
    }

    fn may_become(self, next: Self) -> bool {
        use MessageState::{Accepted, Deferred, Failed, Pending, Sending, Suppressed, Unknown};
        match self {
            Pending | Deferred => matches!(next, Sending | Suppressed | Failed),
            Sending => matches!(next, Accepted | Deferred | Failed | Unknown),
            Accepted | Failed | Unknown | Suppressed => false,
        }
    }
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
}

impl Stored for MessageStep {
    const KIND: &'static str = "message-step";
}

/// A message and the last step of its life; none while it is pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    pub id: String,
    pub state: MessageState,
    pub last: Option<MessageStep>,
}

impl Lake {
    /// Keeps a message's final bytes. `false` when there is one of this id: it was written by an earlier try, and stands.
    pub async fn enqueue(&self, id: &str, bytes: Vec<u8>) -> Result<bool, LakeError> {
        check_id(id)?;
        Ok(self.create(&paths::message(id), bytes).await? == Create::Created)
    }

    pub async fn message_bytes(&self, id: &str) -> Result<Option<bytes::Bytes>, LakeError> {
        self.get(&paths::message(id)).await
    }

    /// Takes a message one step further. `false` when somebody else took it elsewhere first, or its state does not allow it.
    pub async fn advance(&self, id: &str, step: &MessageStep) -> Result<bool, LakeError> {
        let (number, last) = self.last_step(id).await?;
        let state = last.map_or(MessageState::Pending, |l| l.state);
        if !state.may_become(step.state) {
            return Ok(false);
        }
        Ok(self.create_json(&paths::message_state(id, number + 1), step).await? == Create::Created)
    }

    /// Where a message stands; nothing when there is none.
    pub async fn message(&self, id: &str) -> Result<Option<OutboxMessage>, LakeError> {
        check_id(id)?;
        if !self.exists(&paths::message(id)).await? {
            return Ok(None);
        }
        let (_, last) = self.last_step(id).await?;
        let state = last.as_ref().map_or(MessageState::Pending, |l| l.state);
        Ok(Some(OutboxMessage { id: id.to_owned(), state, last }))
    }

    /// Every message, in order of id.
    pub async fn list_outbox(&self) -> Result<Vec<OutboxMessage>, LakeError> {
        futures::stream::iter(self.list_folders(paths::OUTBOX).await?)
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
        MessageStep { state, at: now(), by: holder(), nonce: nonce.to_owned(), note: None }
    }

    #[tokio::test]
    async fn a_message_enters_sending_once() {
        use MessageState::{Accepted, Pending, Sending, Suppressed};
        for (lake, _folder) in both_kinds() {
            assert!(lake.enqueue("m1@matins", b"mail".to_vec()).await.expect("kept"));
            assert!(!lake.enqueue("m1@matins", b"other".to_vec()).await.expect("kept"));
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
            let listed = lake.list_outbox().await.expect("listed");
            assert_eq!(listed.len(), 1);
            assert!(listed[0].state.is_final());
            assert_eq!(sent, listed[0].state == Accepted);
            assert!(!lake.advance("m1@matins", &step(Sending, "e")).await.expect("refused"), "never sent twice");
        }
    }

    #[tokio::test]
    async fn a_deferred_message_may_be_tried_again() {
        let lake = crate::lake::testing::in_memory();
        lake.enqueue("m", b"mail".to_vec()).await.expect("kept");
        for (n, state) in [MessageState::Sending, MessageState::Deferred, MessageState::Sending].into_iter().enumerate()
        {
            assert!(lake.advance("m", &step(state, &n.to_string())).await.expect("advanced"));
        }
        assert!(lake.enqueue("../x", Vec::new()).await.is_err());
    }
}
