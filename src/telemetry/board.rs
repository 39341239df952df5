//! How every pipeline of a scheduler stands, from what has happened since it began. Lost with the process, like everything but
//! the records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::base::{Event, Observer, PipelineName, RunEnd, Scheduling, StepOutcome};
use crate::system::Clock;
use crate::telemetry::is_over;

/// Lines kept for the page.
const LINES: usize = 200;

/// What a pipeline is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not looked at yet.
    #[default]
    Starting,
    Idle,
    Running,
    /// Due, and somebody else holds it.
    Waiting,
    Failed,
    Paused,
}

/// One pipeline, for people and programs: a row of `/status`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PipelineState {
    pub state: State,
    pub description: String,
    /// What readers follow: `as_of` and when it was published.
    pub as_of: Option<String>,
    pub published_at: Option<DateTime<Utc>>,
    pub next: Option<DateTime<Utc>>,
    /// The interval that should have been published by now.
    pub late: Option<String>,
    pub run: Option<RunState>,
    /// The last failure since the last publication, of this scheduler or of anybody else.
    pub failure: Option<Failure>,
}

/// The run under way.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RunState {
    pub run: String,
    pub as_of: String,
    pub since: DateTime<Utc>,
    pub steps: usize,
    pub ended: usize,
    /// Steps at work.
    pub at: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    pub at: DateTime<Utc>,
    pub as_of: String,
    pub why: String,
    pub again: Option<DateTime<Utc>>,
}

/// A line of the page: something a person may want to know.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub at: DateTime<Utc>,
    pub pipeline: String,
    pub text: String,
}

/// Shared by all that happens and all that is shown.
#[derive(Clone)]
pub struct Board {
    clock: Clock,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    pipelines: BTreeMap<PipelineName, PipelineState>,
    lines: VecDeque<Line>,
    beat: Instant,
}

impl Board {
    /// `pipelines` with what each is for, and whether it is paused.
    pub fn new(clock: &Clock, pipelines: impl IntoIterator<Item = (PipelineName, String, bool)>) -> Self {
        let state = |description, paused| {
            let state = if paused { State::Paused } else { State::Starting };
            PipelineState { state, description, ..PipelineState::default() }
        };
        let pipelines = pipelines.into_iter().map(|(name, text, paused)| (name, state(text, paused))).collect();
        let inner = Inner { pipelines, lines: VecDeque::new(), beat: Instant::now() };
        Self { clock: clock.clone(), inner: Arc::new(Mutex::new(inner)) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago the scheduler went round for the last time.
    pub fn silent(&self) -> Duration {
        self.inner().beat.elapsed()
    }

    pub fn pipelines(&self) -> BTreeMap<PipelineName, PipelineState> {
        self.inner().pipelines.clone()
    }

    /// The newest first.
    pub fn lines(&self) -> Vec<Line> {
        self.inner().lines.iter().rev().cloned().collect()
    }

    /// None sees what is no pipeline's.
    pub fn observer(&self, pipeline: Option<&PipelineName>) -> Arc<dyn Observer> {
        Arc::new(Looking { board: self.clone(), pipeline: pipeline.cloned() })
    }
}

struct Looking {
    board: Board,
    pipeline: Option<PipelineName>,
}

impl Observer for Looking {
    fn see(&self, event: &Event) {
        let now = self.board.clock.now();
        let mut inner = self.board.inner();
        if let Event::Beat { .. } = event {
            inner.beat = Instant::now();
            return;
        }
        if let Some(text) = said(event) {
            if inner.lines.len() == LINES {
                inner.lines.pop_front();
            }
            let pipeline = self.pipeline.as_ref().map(ToString::to_string).unwrap_or_default();
            inner.lines.push_back(Line { at: now, pipeline, text });
        }
        if let Some(state) = self.pipeline.as_ref().and_then(|name| inner.pipelines.get_mut(name)) {
            state.learn(event, now);
        }
    }
}

impl PipelineState {
    fn learn(&mut self, event: &Event, now: DateTime<Utc>) {
        match event {
            Event::RunStarted { run, as_of, steps, .. } => {
                self.state = State::Running;
                let (run, as_of) = (run.to_string(), as_of.clone());
                self.run = Some(RunState { run, as_of, since: now, steps: *steps, ..RunState::default() });
            }
            Event::StepStarted { step } => {
                if let Some(run) = &mut self.run {
                    run.at.push(step.clone());
                }
            }
            Event::StepFinished { step, .. } => {
                if let Some(run) = &mut self.run {
                    run.ended += 1;
                    run.at.retain(|at| at != step);
                }
            }
            Event::Published { as_of, .. } => {
                // A backfill behind it does not move what readers see.
                if self.as_of.as_ref().is_none_or(|before| as_of >= before) {
                    (self.as_of, self.published_at) = (Some(as_of.clone()), Some(now));
                }
                if self.late.as_ref().is_some_and(|late| as_of >= late) {
                    self.late = None;
                }
                self.failure = None;
            }
            Event::RunEnded { end, .. } => {
                self.run = None;
                self.state = if *end == RunEnd::Published { State::Idle } else { State::Failed };
            }
            Event::Schedule { what, .. } => self.scheduled(what, now),
            _ => {}
        }
    }

    fn scheduled(&mut self, what: &Scheduling, now: DateTime<Utc>) {
        match what {
            Scheduling::Adopted { next } => self.next = *next,
            Scheduling::Idle { next, head } => {
                self.next = *next;
                if let Some((as_of, at)) = head {
                    (self.as_of, self.published_at) = (Some(as_of.clone()), Some(*at));
                    if self.late.as_ref().is_some_and(|late| as_of >= late) {
                        self.late = None;
                    }
                }
                if self.failure.as_ref().is_some_and(|f| is_over(f.at, f.again.is_some(), head.as_ref())) {
                    self.failure = None;
                }
                let mended = self.state == State::Failed && self.failure.is_none();
                if mended || matches!(self.state, State::Starting | State::Waiting) {
                    self.state = State::Idle;
                }
            }
            Scheduling::Waiting { .. } => self.state = State::Waiting,
            Scheduling::Late { as_of } => self.late = Some(as_of.clone()),
            Scheduling::Ended { .. } => (self.state, self.failure) = (State::Idle, None),
            Scheduling::Failed { as_of, why, again } => {
                self.state = State::Failed;
                let (as_of, why) = (as_of.clone(), why.clone());
                self.failure = Some(Failure { at: now, as_of, why, again: *again });
            }
            Scheduling::Superseded | Scheduling::Due { .. } | Scheduling::Skipped { .. } => {}
        }
    }
}

/// What a person may want to read of it.
fn said(event: &Event) -> Option<String> {
    Some(match event {
        Event::StepFinished { step, outcome: StepOutcome::Failed { message }, .. } => {
            format!("{step} failed: {message}")
        }
        Event::Retrying { what, why, .. } => format!("{what} is tried again: {why}"),
        Event::Warning { message } => message.clone(),
        Event::Published { snapshot, as_of, .. } => format!("published snapshot {snapshot}, as of {as_of}"),
        Event::RunEnded { end, message: Some(message), .. } => format!("{}: {message}", end.word()),
        Event::Collected { phase, objects, .. } => format!("gc: {phase}, {objects} objects"),
        Event::Schedule { what, .. } => match what {
            Scheduling::Due { runs, cause, .. } => format!("{runs} due ({cause})"),
            Scheduling::Waiting { holder } => format!("due, and waits for {holder}"),
            Scheduling::Skipped { from, until, why } => format!("skipped {from} to {until}: {why}"),
            Scheduling::Late { as_of } => format!("{as_of} should be published by now"),
            Scheduling::Failed { why, .. } => format!("failed: {why}"),
            Scheduling::Superseded => "left to a scheduler with a newer schedule".to_owned(),
            Scheduling::Adopted { .. } | Scheduling::Idle { .. } | Scheduling::Ended { .. } => return None,
        },
        _ => return None,
    })
}
