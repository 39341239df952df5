//! Turns what happens into what other systems read: metrics, traces, lineage, and the state that a page shows. It only looks on:
//! nothing it does or fails to do changes a run.
//!
//! What is sent elsewhere is asked for with the variables those systems have agreed on: `OTEL_EXPORTER_OTLP_ENDPOINT` for
//! traces, `OPENLINEAGE_URL` for lineage.

mod board;
mod lineage;
mod metrics;
#[cfg(test)]
mod tests;
mod traces;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::base::{Observer, PipelineName, Tee};
use crate::config::Project;
use crate::system::System;

pub use board::{Board, PipelineState, State};
pub use lineage::Lineage;
pub use metrics::Metrics;
pub use traces::Traces;

#[derive(Debug, thiserror::Error)]
#[error("{variable}: {why}")]
pub struct TelemetryError {
    pub variable: &'static str,
    pub why: String,
}

/// Whether a failure is over, seen when nothing is due: it was to be tried again, and somebody has accounted for it since; or
/// what readers follow was published after it, by whomever.
fn is_over(failed_at: DateTime<Utc>, again: bool, head: Option<&(String, DateTime<Utc>)>) -> bool {
    again || head.is_some_and(|(_, published_at)| *published_at > failed_at)
}

/// What is sent elsewhere while a process works, where that is asked for.
#[derive(Clone, Default)]
pub struct Exports {
    traces: Option<Arc<Traces>>,
    lineage: Option<Arc<Lineage>>,
}

impl Exports {
    pub fn of(project: &Arc<Project>, system: &System) -> Result<Self, TelemetryError> {
        let traces = Traces::from_environment(system)?.map(Arc::new);
        let lineage = Lineage::from_environment(project, system)?.map(Arc::new);
        Ok(Self { traces, lineage })
    }

    /// Those who look on beside `first`, for one pipeline.
    pub fn beside(&self, first: Arc<dyn Observer>, pipeline: &PipelineName) -> Arc<dyn Observer> {
        if self.traces.is_none() && self.lineage.is_none() {
            return first;
        }
        let traces = self.traces.iter().map(|t| t.observer(pipeline));
        let lineage = self.lineage.iter().map(|l| l.observer(pipeline));
        let all: Vec<Arc<dyn Observer>> = [first].into_iter().chain(traces).chain(lineage).collect();
        Arc::new(Tee(all))
    }

    /// Sends what is still to be sent, for some seconds at most.
    pub async fn finish(self) {
        if let Some(lineage) = &self.lineage {
            lineage.finish().await;
        }
        if let Some(traces) = self.traces {
            // It blocks its thread while it waits for the last answer.
            tokio::task::spawn_blocking(move || traces.finish()).await.ok();
        }
    }
}
