//! Mailboxes that sent a message back: one object each, so that nothing more is sent to them until a person says so.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::disk::Stored;
use super::error::LakeError;
use super::lake::{AT_ONCE, Lake};
use super::paths;

/// A mailbox that does not take messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounce {
    /// Bare, lower-case.
    pub address: String,
    pub at: DateTime<Utc>,
    /// What its server said.
    pub why: String,
    /// The message that came back, by its name in the outbox.
    pub message: String,
}

impl Stored for Bounce {
    const KIND: &'static str = "bounce";
}

impl Lake {
    pub async fn mark_bounce(&self, bounce: &Bounce) -> Result<(), LakeError> {
        self.write_json(&paths::bounce(&bounce.address), bounce).await
    }

    pub async fn bounce(&self, address: &str) -> Result<Option<Bounce>, LakeError> {
        self.read_json(&paths::bounce(address)).await
    }

    /// Lets messages go there again. `false` when nothing was in their way.
    pub async fn forget_bounce(&self, address: &str) -> Result<bool, LakeError> {
        let path = paths::bounce(address);
        let there = self.exists(&path).await?;
        if there {
            self.delete(&[path]).await?;
        }
        Ok(there)
    }

    /// All of them, in order of address.
    pub async fn bounces(&self) -> Result<Vec<Bounce>, LakeError> {
        let listed = self.list(paths::BOUNCES).await?;
        let read = listed.iter().map(|o| o.location.to_string()).map(|path| async move { self.read_json(&path).await });
        let found: Vec<Option<Bounce>> = futures::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
        let mut all: Vec<Bounce> = found.into_iter().flatten().collect();
        all.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(all)
    }
}
