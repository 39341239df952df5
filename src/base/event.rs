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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    Published,
    /// A check blocked publishing.
    Blocked,
    Failed,
    /// Somebody else took the pipeline.
    Fenced,
    Cancelled,
}

impl RunEnd {
    /// As it stands in records, metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Fenced => "fenced",
            Self::Cancelled => "cancelled",
        }
    }
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
        /// Of its sources: read = landed + quarantined + deduplicated.
        read: u64,
        landed: u64,
        quarantined: u64,
        deduplicated: u64,
    },
    /// A run that was recorded as started has its end recorded, whatever it is.
    RunEnded {
        run: RunId,
        end: RunEnd,
        /// Why, when it did not go well.
        message: Option<String>,
    },
    /// A message was tried, and this is where it stands.
    Message {
        state: String,
    },
    /// One step of collecting what no snapshot reaches: `listed`, `deleted`, `nothing` …
    Collected {
        phase: &'static str,
        objects: u64,
        size_bytes: u64,
    },
    /// A scheduler went round once more.
    Beat {
        running: usize,
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
    /// Nothing is due.
    Idle {
        next: Option<DateTime<Utc>>,
        /// What readers follow: its `as_of`, and when it was published.
        head: Option<(String, DateTime<Utc>)>,
    },
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
    /// It should have published this interval by now, by its `publish_by`.
    Late {
        as_of: String,
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

/// Several observers as one, in order.
pub struct Tee(pub Vec<std::sync::Arc<dyn Observer>>);

impl Observer for Tee {
    fn see(&self, event: &Event) {
        for one in &self.0 {
            one.see(event);
        }
    }
}
