//! What happens during a run, as values. The conductor emits them; whoever shows or keeps them only reads.

use std::time::Duration;

use crate::base::{PipelineName, RunId};

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    Made {
        rows: u64,
    },
    /// Its output existed already.
    Reused,
    Failed {
        message: String,
    },
    /// A step it needs failed.
    Skipped,
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    RunStarted {
        pipeline: PipelineName,
        run: RunId,
        as_of: String,
        steps: usize,
    },
    StepStarted {
        step: String,
    },
    StepFinished {
        step: String,
        outcome: StepOutcome,
        took: Duration,
    },
    /// A transient failure that will be tried again.
    Retrying {
        what: String,
        attempt: u32,
        wait: Duration,
        why: String,
    },
    /// Something a person should know that does not stop the run.
    Warning {
        message: String,
    },
    Published {
        snapshot: u64,
        as_of: String,
    },
    RunFinished {
        took: Duration,
    },
}

/// Receives events. Shared by tasks, so it must not block.
pub trait Observer: Send + Sync {
    fn see(&self, event: &Event);
}
