//! Why the engine could not do what it was asked.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use tokio::task::JoinError;

use crate::base::is_disk_full;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The statement does not fit the tables it reads; line and column in the statement's text where the planner says so.
    #[error("{message}")]
    Plan { message: String, at: Option<(usize, usize)> },
    #[error("the engine's memory of {limit_mib} MiB is used up: {message}; raise `memory` in matins.yaml")]
    Memory { limit_mib: u64, message: String },
    #[error("{0}")]
    Store(#[source] object_store::Error),
    #[error("the disk is full or cannot be written: {0}")]
    Disk(#[source] std::io::Error),
    /// A bug of the engine or of ours.
    #[error("the statement stopped unexpectedly: {0}")]
    Panicked(String),
    /// A value of the data does not allow what the statement asks: a cast, a division, an overflow.
    #[error("{0}")]
    Execution(String),
}

impl EngineError {
    /// Whether the same thing tried again may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) if is_disk_full(error) => false,
            Self::Store(error) => !matches!(
                error,
                object_store::Error::NotFound { .. }
                    | object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. }
                    | object_store::Error::NotSupported { .. }
                    | object_store::Error::NotImplemented { .. }
            ),
            _ => false,
        }
    }

    pub(crate) fn new(error: DataFusionError, limit_bytes: u64) -> Self {
        if let Some(diagnostic) = error.diagnostic() {
            #[expect(clippy::cast_possible_truncation, reason = "lines and columns of a file in memory")]
            let at = diagnostic.span.map(|s| (s.start.line as usize, s.start.column as usize));
            let mut message = match diagnostic.message.strip_prefix("Invalid function '") {
                Some(name) => format!("there is no function `{}`", name.trim_end_matches('\'')),
                None => fragment(&diagnostic.message),
            };
            let types: Vec<&str> =
                diagnostic.notes.iter().filter_map(|n| n.message.strip_prefix("has type ")).collect();
            if !types.is_empty() {
                message = format!("{message}: {}", sql_types(&types.join(" and ")));
            }
            let help: Vec<&str> = diagnostic.helps.iter().map(|h| h.message.as_str()).collect();
            if !help.is_empty() {
                message = format!("{message} ({})", help.join("; "));
            }
            return Self::Plan { message, at };
        }
        let whole = clean(&error.to_string());
        if is_disk_full(&error) {
            return Self::Disk(std::io::Error::new(std::io::ErrorKind::StorageFull, whole));
        }
        if let Some(said) = panicked(&error) {
            return Self::Panicked(said);
        }
        match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => {
                // It says on several lines who has how much.
                let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
                Self::Memory { limit_mib: limit_bytes >> 20, message }
            }
            DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::SQL(..)
            | DataFusionError::NotImplemented(_) => Self::Plan { message: whole, at: None },
            _ => match store_error(error) {
                Ok(store) => store,
                Err(whole) => Self::Execution(whole),
            },
        }
    }
}

/// What a task of the engine's said when it panicked, however deep that is wrapped.
fn panicked(error: &DataFusionError) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        let joined = match one.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::ExecutionJoin(stopped)) => Some(&**stopped),
            // A repartition tells all that read of it.
            _ => one.downcast_ref::<JoinError>().or_else(|| one.downcast_ref::<Arc<JoinError>>().map(Arc::as_ref)),
        };
        if let Some(stopped) = joined.filter(|stopped| stopped.is_panic()) {
            return Some(stopped.to_string());
        }
        cause = one.source();
    }
    None
}

/// Finds a failure of the store or the disk inside the engine's own wrapping.
fn store_error(error: DataFusionError) -> Result<EngineError, String> {
    let whole = clean(&error.to_string());
    match error {
        DataFusionError::ObjectStore(error) => Ok(EngineError::Store(*error)),
        DataFusionError::IoError(error) => Ok(EngineError::Disk(error)),
        DataFusionError::Context(_, inner) => store_error(*inner),
        other => buried(&other, &whole).ok_or(whole),
    }
}

/// The same, where a reader of Parquet or Arrow wrapped it once more: what it says is kept, and its kind.
fn buried(error: &DataFusionError, whole: &str) -> Option<EngineError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(store) = one.downcast_ref::<object_store::Error>() {
            let source = whole.into();
            return Some(EngineError::Store(match store {
                object_store::Error::NotFound { path, .. } => {
                    object_store::Error::NotFound { path: path.clone(), source }
                }
                _ => object_store::Error::Generic { store: "lake", source },
            }));
        }
        if let Some(disk) = one.downcast_ref::<std::io::Error>() {
            return Some(EngineError::Disk(std::io::Error::new(disk.kind(), whole.to_owned())));
        }
        cause = one.source();
    }
    None
}

/// How the engine and what it stands on begin what they say.
const PREFIXES: &[&str] = &[
    "Error during planning: ",
    "Execution error: ",
    "Arrow error: ",
    "Internal error: ",
    "External error: ",
    "Schema error: ",
    "SQL error: ",
    "This feature is not implemented: ",
    "Cast error: ",
    "Parser error: ",
    "Invalid argument error: ",
    "Compute error: ",
    "Arithmetic overflow: ",
];

/// Takes the engine's own talk about itself out of a message.
fn clean(message: &str) -> String {
    let text = message.split("\n\nbacktrace").next().unwrap_or(message);
    if let Some(said) = signature(text) {
        return said;
    }
    // It asks for a report of a bug, and prints what it parsed.
    let text = ["\nThis issue was likely caused by a bug in DataFusion", " Substring {"]
        .iter()
        .fold(text, |text, talk| text.split(talk).next().unwrap_or(text));
    let mut causes: Vec<&str> = text.split("\ncaused by\n").map(bare).collect();
    // Which of its rules was at work says nothing.
    if causes.len() > 1 && (causes[0].starts_with("Optimizer rule ") || !causes[0].contains(' ')) {
        causes.remove(0);
    }
    let text = causes.join(": ");
    if text == "Divide by zero error" { "division by zero".to_owned() } else { fragment(text.trim_end_matches('.')) }
}

/// A call that no function fits: what the function says of it itself, or what there is.
fn signature(text: &str) -> Option<String> {
    let (before, rest) = text.split_once("No function matches the given name and argument types '")?;
    let (call, rest) = rest.split_once("'. You might need")?;
    let name = call.split('(').next().unwrap_or(call);
    if let Some((_, own)) = before.split_once("user-defined coercion failed with: ")
        && own.contains(name)
    {
        return Some(bare(own).trim().trim_end_matches('.').to_owned());
    }
    let mut known: Vec<&str> = rest.lines().skip(1).map(str::trim).collect();
    known.retain(|line| line.contains('(') && !line.contains("UserDefined"));
    let said = format!("no function fits `{}`", sql_types(call));
    Some(if known.is_empty() { said } else { format!("{said}; there is {}", known.join(", ")) })
}

fn bare(text: &str) -> &str {
    let mut text = text;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest;
    }
    text
}

/// Begins with a small letter, as what we say does, unless a word of SQL or a name stands there.
fn fragment(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_ascii_lowercase() => {
            format!("{}{}", first.to_ascii_lowercase(), &text[1..])
        }
        _ => text.to_owned(),
    }
}

/// Types by the names that SQL has for them.
fn sql_types(text: &str) -> String {
    [
        ("Utf8View", "VARCHAR"),
        ("LargeUtf8", "VARCHAR"),
        ("Utf8", "VARCHAR"),
        ("Decimal128", "DECIMAL"),
        ("Date32", "DATE"),
        ("Timestamp(ns)", "TIMESTAMP"),
        ("UInt64", "BIGINT UNSIGNED"),
        ("Int64", "BIGINT"),
        ("Int32", "INT"),
        ("Float64", "DOUBLE"),
        ("Boolean", "BOOLEAN"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (arrow, sql)| text.replace(arrow, sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_a_failure_of_the_store_however_deep_it_is_said() {
        let gone = object_store::Error::NotFound { path: "landed/x.parquet".into(), source: "gone".into() };
        let reader = parquet::errors::ParquetError::External(Box::new(gone));
        let error = EngineError::new(DataFusionError::ParquetError(Box::new(reader)), 1 << 20);
        assert!(matches!(&error, EngineError::Store(object_store::Error::NotFound { .. })), "{error:?}");
        assert!(!error.is_transient());
    }

    #[test]
    fn the_engines_talk_about_itself_is_left_out() {
        for (talk, said) in [
            ("Arrow error: Divide by zero error", "division by zero"),
            (
                "Optimizer rule 'simplify_expressions' failed\ncaused by\nArrow error: Cast error: Cannot cast string 'x' to value of Date32 type",
                "cannot cast string 'x' to value of Date32 type",
            ),
            (
                "type_coercion\ncaused by\nError during planning: Cannot infer common argument type.",
                "cannot infer common argument type",
            ),
            (
                "Internal error: Function 'sum' failed to match any signature, errors: Error during planning: x..\nThis issue was likely caused by a bug in DataFusion's code. Please help. No function matches the given name and argument types 'sum(Utf8)'. You might need to add explicit type casts.\n\tCandidate functions:\n\tsum(Decimal)\n\tsum(Int64)",
                "no function fits `sum(VARCHAR)`; there is sum(Decimal), sum(Int64)",
            ),
            (
                "Error during planning: Function 'mask' user-defined coercion failed with: Error during planning: mask(name) takes texts, and was given Float64. No function matches the given name and argument types 'mask(Float64)'. You might need to add explicit type casts.\n\tCandidate functions:\n\tmask(UserDefined)",
                "mask(name) takes texts, and was given Float64",
            ),
            ("Error during planning: LIMIT must be >= 0", "LIMIT must be >= 0"),
        ] {
            assert_eq!(clean(talk), said);
        }
    }

    #[test]
    fn a_full_disk_is_no_failure_of_the_store_that_may_pass() {
        let full = || Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
        let store = object_store::Error::Generic { store: "LocalFileSystem", source: full() };
        assert!(!EngineError::Store(object_store::Error::Generic { store: "x", source: full() }).is_transient());
        let writer = parquet::errors::ParquetError::External(Box::new(store));
        for error in [DataFusionError::ParquetError(Box::new(writer)), DataFusionError::IoError(*full())] {
            let error = EngineError::new(error, 1 << 20);
            assert!(matches!(&error, EngineError::Disk(_)) && !error.is_transient(), "{error:?}");
        }
    }
}
