//! What can go wrong with anything durable, each with the path and the operation. Never holds a secret.

use std::io;

use object_store::client::{HttpError, HttpErrorKind};

use crate::base::{BadName, Fingerprint, PipelineName};

use super::types::Lease;

#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    #[error("cannot {operation} `{path}` in {location}: {source}{}", without_credentials(.location, .source))]
    Store { operation: &'static str, path: String, location: String, source: Box<object_store::Error> },
    #[error("cannot {operation} `{path}` in {location}: {source}")]
    Disk { operation: &'static str, path: String, location: String, source: io::Error },
    #[error("`{path}` is not in {location}")]
    Missing { path: String, location: String },
    #[error("`{location}` is not a folder or a URL of a store: {why}")]
    BadLocation { location: String, why: String },
    #[error("the folder `{path}` does not exist")]
    NoFolder { path: String },
    #[error("option `{option}` of {location}: {why}")]
    BadOption { option: String, location: String, why: String },
    #[error("`{path}` was written by a newer Matins ({kind} version {found}, this one reads up to {known})")]
    Newer { path: String, kind: &'static str, found: u32, known: u32 },
    #[error("`{path}` cannot be read as {kind}: {why}")]
    Unreadable { path: String, kind: &'static str, why: String },
    #[error("`{id}` cannot be the name of a stored object: {why}")]
    BadId { id: String, why: &'static str },
    #[error("a name found in the lake: {0}")]
    BadName(#[from] BadName),
    #[error(
        "`gc` is deleting {fingerprint}, which this run needs; let it finish, or run `matins gc` again if it was stopped"
    )]
    BeingCollected { fingerprint: Fingerprint },
}

impl LakeError {
    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { source, .. } => store_is_transient(source),
            Self::Disk { source, .. } => io_is_transient(source.kind()),
            Self::BeingCollected { .. } => true,
            _ => false,
        }
    }

    /// Whether the object, rather than the store, is what was not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// Where clouds tell a machine its role.
const METADATA: [&str; 2] = ["169.254.169.254", "metadata.google.internal"];

/// Without credentials the clouds' clients ask the machine they run on, and say that this failed.
fn without_credentials(location: &str, error: &object_store::Error) -> String {
    let told = error.to_string();
    if !METADATA.iter().any(|host| told.contains(host)) {
        return String::new();
    }
    let variables = match location.split("://").next() {
        Some("gs") => "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
        Some("az" | "azure" | "abfs" | "abfss" | "adl") => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        _ => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    };
    format!(
        ". No credentials are given, so this machine was asked for a role of its own: set {variables}, or what your cloud's own \
         tools read (docs/cli.md#environment)"
    )
}

fn store_is_transient(error: &object_store::Error) -> bool {
    if let object_store::Error::Generic { source, .. } = error {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
        while let Some(one) = cause {
            if let Some(http) = one.downcast_ref::<HttpError>() {
                use HttpErrorKind::{Connect, Interrupted, Request, Timeout};
                return matches!(http.kind(), Connect | Request | Timeout | Interrupted);
            }
            if let Some(io) = one.downcast_ref::<io::Error>() {
                return io_is_transient(io.kind());
            }
            cause = one.source();
        }
        return status_is_transient(&source.to_string());
    }
    // A task the runtime dropped, or a body that broke off: the bytes are still there.
    matches!(error, object_store::Error::JoinError { .. })
}

/// `object_store` keeps the status of a failed request in a type it does not export, so its text is what there is.
fn status_is_transient(text: &str) -> bool {
    let Some((_, after)) = text.split_once("status code: ") else { return false };
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    matches!(digits.parse::<u16>(), Ok(408 | 429 | 500..=599))
}

fn io_is_transient(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, TimedOut, UnexpectedEof,
        WouldBlock,
    };
    matches!(
        kind,
        BrokenPipe
            | ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | Interrupted
            | TimedOut
            | UnexpectedEof
            | WouldBlock
    )
}

/// Why the lease could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error("{pipeline} is held by run {} of process {} on {}", .lease.run, .lease.holder.pid, .lease.holder.host)]
    HeldBy { pipeline: PipelineName, lease: Lease },
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl TakeError {
    /// Waiting for a holder is not a retry: `--wait` decides about that.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Lake(error) if error.is_transient())
    }
}

/// Why a link could not be added to a chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Somebody took the lease over. Nothing was written, and nothing more may be done for this run.
    #[error("{pipeline} was taken over at snapshot {number}{}", .by.as_ref().map(by_whom).unwrap_or_default())]
    Fenced { pipeline: PipelineName, number: u64, by: Option<Lease> },
    #[error("{pipeline} has no published snapshot {number}; `matins runs --pipeline {pipeline}` shows which it has")]
    NotPublished { pipeline: PipelineName, number: u64 },
    #[error(
        "the tables of snapshot {number} of {pipeline} have been collected; `matins run {pipeline} --as-of {as_of}` makes them again"
    )]
    Collected { pipeline: PipelineName, number: u64, as_of: String },
    #[error(transparent)]
    Lake(#[from] LakeError),
}

fn by_whom(lease: &Lease) -> String {
    format!(" by run {} of process {} on {}", lease.run, lease.holder.pid, lease.holder.host)
}

impl ChainError {
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Lake(error) if error.is_transient())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> LakeError {
        let source = Box::new(object_store::Error::Generic { store: "S3", source });
        LakeError::Store { operation: "read", path: "x".into(), location: "s3://b".into(), source }
    }

    #[test]
    fn only_what_can_pass_is_transient() {
        let status =
            |code: u16| generic(format!("Server returned non-2xx status code: {code} Oh").into()).is_transient();
        assert!(status(503) && status(429) && status(408));
        assert!(!status(400) && !status(501 - 100));
        assert!(generic(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused))).is_transient());
        assert!(!generic(Box::new(io::Error::from(io::ErrorKind::StorageFull))).is_transient());
        assert!(!LakeError::NoFolder { path: "x".into() }.is_transient());
    }

    #[test]
    fn who_gave_no_credentials_is_told_so() {
        let told = |why: &str| generic(why.into()).to_string();
        assert!(told("Error performing PUT http://169.254.169.254/latest/api/token").contains("set AWS_ACCESS_KEY_ID"));
        assert!(!told("Server returned non-2xx status code: 403 Forbidden").contains("AWS_ACCESS_KEY_ID"));
    }
}
