//! A rendered report → one message a recipient → a folder of files, a mail server, or a post over HTTP. Renders nothing, retries nothing, and
//! keeps no states: `run` does, because it holds the clock and the outbox.

mod compose;
mod folder;
mod notice;
mod post;
mod sign;
mod smtp;

pub use compose::{Attached, Content, Letter, Message, compose, is_address, message_id, next_revision};
pub use folder::{Delivered, FolderTransport, Outcome};
pub use notice::{Notice, notices};
pub use post::{Hook, Links, compose_post};
pub use sign::Signer;
pub use smtp::{Fault, SmtpServer, SmtpSession};

use std::path::PathBuf;

/// Why a message was not made or not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error("`{address}` is not an address: {why}")]
    Address { address: String, why: String },
    #[error("the message to {recipient} cannot be composed: {why}")]
    Compose { recipient: String, why: String },
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the DKIM key of {domain}: {why}")]
    SigningKey { domain: String, why: String },
    #[error("posts cannot be made here: {why}")]
    Http { why: String },
    #[error("TLS with {host}: {why}")]
    Tls { host: String, why: String },
}

impl DeliverError {
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Folder { source, .. } => {
                use std::io::ErrorKind::{Interrupted, ResourceBusy, StorageFull, TimedOut, WouldBlock};
                matches!(source.kind(), Interrupted | ResourceBusy | StorageFull | TimedOut | WouldBlock)
            }
            Self::Address { .. }
            | Self::Compose { .. }
            | Self::SigningKey { .. }
            | Self::Http { .. }
            | Self::Tls { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
