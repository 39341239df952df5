//! What happens during a run, as values. The conductor emits them; whoever shows or keeps them only reads.

use std::time::Duration;

use chrono::{DateTime, Utc};

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
    /// What a scheduler decides, or learns, about one pipeline.
    Schedule {
        pipeline: PipelineName,
        what: Scheduling,
    },
}

/// The scheduler's part of a pipeline's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheduling {
    /// The schedule is new or changed; what was due before counts as accounted for.
    Adopted {
        next: Option<DateTime<Utc>>,
    },
    /// Another scheduler works by another version of the schedule, and this one leaves the pipeline to it.
    Superseded,
    Due {
        runs: usize,
        cause: String,
        since: DateTime<Utc>,
        late: bool,
    },
    /// Somebody else holds the pipeline.
    Waiting {
        holder: String,
    },
    Skipped {
        from: String,
        until: String,
        why: String,
    },
    Ended {
        as_of: String,
        snapshot: u64,
        published: bool,
    },
    /// With the time of the next try, where there is one.
    Failed {
        as_of: String,
        why: String,
        again: Option<DateTime<Utc>>,
    },
}

/// Receives events. Shared by tasks, so it must not block.
pub trait Observer: Send + Sync {
    fn see(&self, event: &Event);
}
