//! A rendered report → one message a recipient → the folder it is put in. Renders nothing, and mails nobody: the only
//! transport there is writes files.

mod compose;
mod folder;

pub use compose::{Letter, Message, compose, message_key};
pub use folder::{Delivered, FolderTransport, Outcome};

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
}

impl DeliverError {
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Folder { source, .. } => {
                use std::io::ErrorKind::{Interrupted, ResourceBusy, StorageFull, TimedOut, WouldBlock};
                matches!(source.kind(), Interrupted | ResourceBusy | StorageFull | TimedOut | WouldBlock)
            }
            Self::Address { .. } | Self::Compose { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
