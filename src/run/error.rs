//! Why a run did not end well, and which of the exit codes that is.

use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, PipelineName, RunId, human_duration};
use crate::engine::EngineError;
use crate::lake::{Blocked, ChainError, LakeError, RunFinished, RunStatus, TakeError};
use crate::plan::Vanished;
use crate::source::SourceError;
use crate::stage::StageError;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Mistakes of the project or the command line, to be shown with their places.
    #[error("the project has mistakes")]
    Project(Diagnostics),
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Vanished(#[from] Vanished),
    #[error("{}", blocks(.0))]
    Blocked(Blocked),
    #[error(transparent)]
    Taken(#[from] TakeError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("{failed} of {steps} steps of `{pipeline}` failed; nothing was published")]
    Steps {
        pipeline: PipelineName,
        failed: usize,
        steps: usize,
        #[source]
        first: Box<RunError>,
    },
    #[error(
        "{what} did not end within {}; what was made stays. If it needs longer, raise {key}",
        human_duration(*.limit)
    )]
    TimedOut { what: String, limit: Duration, key: &'static str },
    #[error("a step stopped unexpectedly: {0}")]
    Panicked(String),
    /// By a signal; 130 or 143.
    #[error("told to stop; run the same again to go on from here")]
    Stopped { code: u8 },
    /// By a person, through the lake.
    #[error("cancelled by {by}{}; run the same again to go on from here", because(.why.as_deref()))]
    Cancelled { by: String, why: Option<String> },
    /// Of a run whose process was killed.
    #[error("run {run} was interrupted: its process is gone; run the same again to go on from what it made")]
    Interrupted { run: RunId },
    /// Of a run that was watched, and has said itself why.
    #[error("run {run} ended as {}{}", format!("{status:?}").to_lowercase(), undelivered(*.code))]
    Watched { run: RunId, status: RunStatus, code: u8 },
    /// Of stages' tests; what is wrong has been shown.
    #[error("{failed} of {tests} tests failed")]
    Tests { failed: usize, tests: usize },
    #[error("published, but not delivered: {0}")]
    NotDelivered(String),
    #[error("{what}: {cause}")]
    Files {
        what: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("report `{report}`: {why}")]
    Report { report: String, why: String },
}

fn because(why: Option<&str>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}

fn undelivered(code: u8) -> &'static str {
    if code == 5 { ", but not delivered" } else { "" }
}

fn blocks(blocked: &Blocked) -> String {
    match blocked.0.len() {
        1 => "1 check blocks publishing".to_owned(),
        n => format!("{n} checks block publishing"),
    }
}

impl RunError {
    /// Whether the same thing tried again may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Lake(e) => e.is_transient(),
            Self::Source(e) => e.is_transient(),
            Self::Stage(e) => e.is_transient(),
            Self::Engine(e) => e.is_transient(),
            Self::Taken(e) => e.is_transient(),
            Self::Chain(e) => e.is_transient(),
            _ => false,
        }
    }

    /// The mistake in a stage's statement that is behind it, where one is.
    pub fn mistake(&self) -> Option<&Diagnostic> {
        match self {
            Self::Steps { first, .. } => first.mistake(),
            Self::Stage(StageError::Engine { mistake: Some(mistake), .. }) => Some(mistake.as_ref()),
            _ => None,
        }
    }

    /// Exit code of the process: docs/cli.md.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Panicked(_) => 1,
            Self::Stopped { code } => *code,
            Self::Cancelled { .. } => 143,
            Self::Watched { code, .. } => *code,
            Self::Interrupted { .. } => 4,
            Self::Project(_) | Self::Usage(_) | Self::Report { .. } => 2,
            Self::Stage(StageError::Bind { .. }) => 2,
            Self::Stage(StageError::Engine { cause, .. } | StageError::Check { cause, .. }) | Self::Engine(cause) => {
                match cause {
                    EngineError::Plan { .. } | EngineError::Execution(_) => 2,
                    EngineError::Memory { .. } | EngineError::Store(_) | EngineError::Disk(_) => 4,
                    EngineError::Panicked(_) => 1,
                }
            }
            Self::Blocked(_) | Self::Tests { .. } => 3,
            Self::Source(e) if e.is_contract() => 3,
            Self::Vanished(_) => 3,
            Self::Source(_) | Self::Files { .. } | Self::TimedOut { .. } => 4,
            Self::Lake(LakeError::BadLocation { .. } | LakeError::BadOption { .. } | LakeError::NoFolder { .. }) => 2,
            Self::Chain(ChainError::NotPublished { .. } | ChainError::Collected { .. }) => 2,
            Self::Lake(_) => 4,
            Self::NotDelivered(_) => 5,
            Self::Taken(TakeError::HeldBy { .. }) | Self::Chain(ChainError::Fenced { .. }) => 6,
            Self::Taken(TakeError::Lake(_)) | Self::Chain(ChainError::Lake(_)) => 4,
            Self::Steps { first, .. } => first.exit_code(),
        }
    }
}

/// The exit code of a run that has ended: its own, or what its status says where it has none.
pub fn code_of(finished: &RunFinished) -> u8 {
    finished.code.unwrap_or(match finished.status {
        RunStatus::Published => 0,
        RunStatus::Blocked => 3,
        RunStatus::Failed => 4,
        RunStatus::Fenced => 6,
        RunStatus::Cancelled => 143,
    })
}

/// An error and its causes in one line, each said once.
pub fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let words = one.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = one.source();
    }
    text
}
