//! What can go wrong with a source that is not a bad row: each cause with the source and the path it concerns.

use parquet::errors::ParquetError;

use crate::base::SourceName;
use crate::lake::Balance;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The store refused or failed. `doing` is a verb: `list`, `read`, `write`.
    #[error("source {of}: cannot {doing} `{path}`")]
    Store {
        of: SourceName,
        doing: &'static str,
        path: String,
        #[source]
        cause: Box<object_store::Error>,
    },

    #[error("source {of}: cannot read `{path}`")]
    Read {
        of: SourceName,
        path: String,
        #[source]
        cause: std::io::Error,
    },

    /// Listed a moment ago and gone now.
    #[error("source {of}: export `{path}` was listed and is no longer there")]
    Vanished { of: SourceName, path: String },

    /// The bytes read are not those of the listing: an upload was going on, or the file was replaced.
    #[error("source {of}: export `{path}` changed while it was read")]
    ChangedWhileRead { of: SourceName, path: String },

    #[error("source {of}: export `{path}`: {what}{}", help.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
    Header { of: SourceName, path: String, what: String, help: Option<String> },

    #[error("source {of}: export `{path}` has columns the contract does not name: {}", columns.join(", "))]
    UnknownColumns { of: SourceName, path: String, columns: Vec<String> },

    /// The contract cannot be used as it is: a bound that is no number, an encoding nobody knows.
    #[error("source {of}: {what}")]
    Contract { of: SourceName, what: String },

    /// The lake's side; the path below the lake names the source.
    #[error("cannot {doing} Parquet file `{path}`")]
    Parquet {
        doing: &'static str,
        path: String,
        #[source]
        cause: ParquetError,
    },

    /// Rows were lost or made up. A bug, and the reason nothing is published.
    #[error(
        "source {of}: `{path}` does not balance: {} rows read, {} landed + {} quarantined + {} deduplicated",
        balance.read, balance.landed, balance.quarantined, balance.deduplicated
    )]
    Balance { of: SourceName, path: String, balance: Balance },

    #[error("source {of}: reading `{path}` stopped half-way")]
    Task {
        of: SourceName,
        path: String,
        #[source]
        cause: tokio::task::JoinError,
    },
}

impl SourceError {
    /// Whether the same again may go well. A local disk's failures do not pass by waiting.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { cause, .. } => store_is_transient(cause),
            Self::Read { cause, .. } => {
                use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut, UnexpectedEof};
                match cause.get_ref().and_then(|inner| inner.downcast_ref::<object_store::Error>()) {
                    Some(store) => store_is_transient(store),
                    None => matches!(
                        cause.kind(),
                        ConnectionAborted | ConnectionReset | Interrupted | TimedOut | UnexpectedEof
                    ),
                }
            }
            Self::Parquet { cause: ParquetError::External(inner), .. } => {
                inner.downcast_ref::<object_store::Error>().is_some_and(store_is_transient)
            }
            Self::ChangedWhileRead { .. } => true,
            _ => false,
        }
    }

    /// Whether the export, rather than the store or the disk, is what is wrong.
    pub fn is_contract(&self) -> bool {
        matches!(self, Self::Header { .. } | Self::UnknownColumns { .. } | Self::Contract { .. })
    }

    /// An object store's error, with the two that mean something for an export told apart.
    pub(super) fn of_export(of: &SourceName, path: &str, cause: object_store::Error) -> Self {
        let (of, path) = (of.clone(), path.to_owned());
        match cause {
            object_store::Error::NotFound { .. } => Self::Vanished { of, path },
            object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. } => {
                Self::ChangedWhileRead { of, path }
            }
            cause => Self::Store { of, doing: "read", path, cause: Box::new(cause) },
        }
    }
}

fn store_is_transient(cause: &object_store::Error) -> bool {
    matches!(cause, object_store::Error::Generic { store, .. } if *store != "LocalFileSystem")
}
