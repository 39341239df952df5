//! Figures for Prometheus, in the `OpenMetrics` text format. Names and labels are an interface: docs/operations.md lists them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::base::{Event, Observer, PipelineName, Scheduling, StepOutcome};
use crate::system::{Clock, Usage};
use crate::telemetry::is_over;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    pipeline: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    pipeline: String,
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    pipeline: String,
    kind: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rows {
    pipeline: String,
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageState {
    state: String,
}

type Instants = Family<Of, Gauge<f64, AtomicU64>>;

/// What is wrong with a pipeline, until a good run of anybody ends it.
#[derive(Default)]
struct Trouble {
    /// When its last run failed, and whether it is tried again by itself.
    failed: Option<(DateTime<Utc>, bool)>,
    /// The interval that should have been published.
    late: Option<String>,
}

/// Every figure, counted since the process began.
#[derive(Clone)]
pub struct Metrics {
    clock: Clock,
    /// By pipeline: each has several observers.
    troubles: Arc<Mutex<BTreeMap<String, Trouble>>>,
    registry: Arc<Registry>,
    running: Gauge,
    runs: Family<Ended, Counter>,
    run_seconds: Family<Of, Histogram>,
    steps: Family<Step, Counter>,
    step_seconds: Family<Of, Histogram>,
    rows: Family<Rows, Counter>,
    published_at: Instants,
    next_fire: Instants,
    late: Family<Of, Gauge>,
    failures: Family<Of, Gauge>,
    skipped: Family<Of, Counter>,
    retries: Family<Of, Counter>,
    warnings: Family<Of, Counter>,
    messages: Family<MessageState, Counter>,
    collected: Counter,
    resident: Gauge,
    cpu: Counter<f64, AtomicU64>,
    started_at: Gauge,
}

fn from_a_second() -> Histogram {
    Histogram::new([0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0])
}

impl Metrics {
    pub fn new(clock: &Clock, pipelines: impl IntoIterator<Item = PipelineName>) -> Self {
        let mut registry = Registry::default();
        let all = Self {
            clock: clock.clone(),
            troubles: Arc::default(),
            registry: Arc::new(Registry::default()),
            running: Gauge::default(),
            runs: Family::default(),
            run_seconds: Family::new_with_constructor(from_a_second),
            steps: Family::default(),
            step_seconds: Family::new_with_constructor(from_a_second),
            rows: Family::default(),
            published_at: Family::default(),
            next_fire: Family::default(),
            late: Family::default(),
            failures: Family::default(),
            skipped: Family::default(),
            retries: Family::default(),
            warnings: Family::default(),
            messages: Family::default(),
            collected: Counter::default(),
            resident: Gauge::default(),
            cpu: Counter::default(),
            started_at: Gauge::default(),
        };
        let r = &mut registry;
        r.register("matins_build", "The program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        r.register("matins_runs_running", "Runs under way in this process", all.running.clone());
        r.register("matins_runs", "Runs by how they ended", all.runs.clone());
        let help = "How long runs took, of every end";
        r.register_with_unit("matins_run_duration", help, Unit::Seconds, all.run_seconds.clone());
        r.register("matins_steps", "Steps by kind and outcome", all.steps.clone());
        r.register_with_unit("matins_step_duration", "How long steps took", Unit::Seconds, all.step_seconds.clone());
        let help = "Rows of sources at each publication: read = landed + quarantined + deduplicated";
        r.register("matins_source_rows", help, all.rows.clone());
        let help = "When what readers follow was published";
        r.register_with_unit("matins_published_timestamp", help, Unit::Seconds, all.published_at.clone());
        let help = "When cron fires next";
        r.register_with_unit("matins_next_fire_timestamp", help, Unit::Seconds, all.next_fire.clone());
        r.register("matins_late", "Whether an interval should be published by now (`publish_by`)", all.late.clone());
        let help = "Failures in a row since the last good run";
        r.register("matins_consecutive_failures", help, all.failures.clone());
        r.register("matins_skipped", "Spans of time that the schedule skipped", all.skipped.clone());
        r.register("matins_retries", "Tries after a failure that can pass", all.retries.clone());
        r.register("matins_warnings", "Things a person should know", all.warnings.clone());
        r.register(
            "matins_messages",
            "Tries to deliver messages, by where the message stands then",
            all.messages.clone(),
        );
        r.register("matins_collected_objects", "Objects that gc has deleted", all.collected.clone());
        let help = "Memory of this process that is in use";
        r.register_with_unit("process_resident_memory", help, Unit::Bytes, all.resident.clone());
        r.register_with_unit("process_cpu", "Processor time of this process", Unit::Seconds, all.cpu.clone());
        let help = "When this process began";
        r.register_with_unit("process_start_time", help, Unit::Seconds, all.started_at.clone());
        // A rule on a pipeline that has not failed yet must find a zero, and not nothing.
        for name in pipelines {
            let of = Of { pipeline: name.to_string() };
            all.late.get_or_create(&of).set(0);
            all.failures.get_or_create(&of).set(0);
            for end in ["published", "failed", "blocked"] {
                drop(all.runs.get_or_create(&Ended { pipeline: name.to_string(), end }));
            }
        }
        Self { registry: Arc::new(registry), ..all }
    }

    /// As Prometheus reads it.
    pub fn text(&self, usage: Usage) -> Result<String, std::fmt::Error> {
        self.resident.set(i64::try_from(usage.resident_bytes).unwrap_or(i64::MAX));
        // A counter of the operating system's, which this one only passes on.
        let cpu = Duration::from_millis(usage.cpu_ms).as_secs_f64();
        self.cpu.inner().store(cpu.to_bits(), Ordering::Relaxed);
        self.started_at.set(i64::try_from(usage.started_s).unwrap_or_default());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    pub fn observer(&self, pipeline: Option<&PipelineName>) -> Arc<dyn Observer> {
        let pipeline = pipeline.map(ToString::to_string).unwrap_or_default();
        Arc::new(Counting { all: self.clone(), of: Of { pipeline }, since: Mutex::new(None) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in 53 bits")]
fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

struct Counting {
    all: Metrics,
    of: Of,
    /// When the run under way began.
    since: Mutex<Option<Instant>>,
}

impl Observer for Counting {
    fn see(&self, event: &Event) {
        let (all, of) = (&self.all, &self.of);
        let pipeline = || of.pipeline.clone();
        match event {
            Event::RunStarted { .. } => {
                *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            Event::RunEnded { end, .. } => {
                all.runs.get_or_create(&Ended { pipeline: pipeline(), end: end.word() }).inc();
                if let Some(since) = self.since.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    all.run_seconds.get_or_create(of).observe(since.elapsed().as_secs_f64());
                }
            }
            Event::StepFinished { step, outcome, took } => {
                let kind = step.split(' ').next().unwrap_or_default().to_owned();
                let outcome = match outcome {
                    StepOutcome::Made { .. } => "ran",
                    StepOutcome::Reused => "reused",
                    StepOutcome::Failed { .. } => "failed",
                    StepOutcome::Skipped => "skipped",
                };
                all.steps.get_or_create(&Step { pipeline: pipeline(), kind, outcome }).inc();
                all.step_seconds.get_or_create(of).observe(took.as_secs_f64());
            }
            Event::Retrying { .. } => {
                all.retries.get_or_create(of).inc();
            }
            Event::Warning { .. } => {
                all.warnings.get_or_create(of).inc();
            }
            Event::Published { read, landed, quarantined, deduplicated, .. } => {
                let rows =
                    [("read", read), ("landed", landed), ("quarantined", quarantined), ("deduplicated", deduplicated)];
                for (what, count) in rows {
                    all.rows.get_or_create(&Rows { pipeline: pipeline(), what }).inc_by(*count);
                }
            }
            Event::Message { state } => {
                all.messages.get_or_create(&MessageState { state: state.clone() }).inc();
            }
            Event::Collected { phase: "deleted", objects, .. } => {
                all.collected.inc_by(*objects);
            }
            Event::Beat { running } => {
                all.running.set(i64::try_from(*running).unwrap_or(i64::MAX));
            }
            Event::Schedule { what, .. } => self.scheduled(what),
            Event::StepStarted { .. } | Event::Collected { .. } => {}
        }
    }
}

impl Counting {
    fn scheduled(&self, what: &Scheduling) {
        let (all, of) = (&self.all, &self.of);
        let mut troubles = all.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = troubles.entry(of.pipeline.clone()).or_default();
        match what {
            Scheduling::Adopted { next: Some(next) } => {
                all.next_fire.get_or_create(of).set(seconds(*next));
            }
            Scheduling::Idle { next, head } => {
                if let Some(next) = next {
                    all.next_fire.get_or_create(of).set(seconds(*next));
                }
                if let Some((as_of, at)) = head {
                    all.published_at.get_or_create(of).set(seconds(*at));
                    self.in_time(trouble, as_of);
                }
                if trouble.failed.is_some_and(|(at, again)| is_over(at, again, head.as_ref())) {
                    self.mended(trouble);
                }
            }
            Scheduling::Ended { as_of, .. } => {
                self.mended(trouble);
                self.in_time(trouble, as_of);
            }
            Scheduling::Failed { again, .. } => {
                trouble.failed = Some((all.clock.now(), again.is_some()));
                all.failures.get_or_create(of).inc();
            }
            Scheduling::Late { as_of } => {
                trouble.late = Some(as_of.clone());
                all.late.get_or_create(of).set(1);
            }
            Scheduling::Skipped { .. } => {
                all.skipped.get_or_create(of).inc();
            }
            Scheduling::Adopted { next: None }
            | Scheduling::Superseded
            | Scheduling::Due { .. }
            | Scheduling::Waiting { .. } => {}
        }
    }

    fn mended(&self, trouble: &mut Trouble) {
        trouble.failed = None;
        self.all.failures.get_or_create(&self.of).set(0);
    }

    /// What is published up to here is late no more.
    fn in_time(&self, trouble: &mut Trouble, as_of: &str) {
        if trouble.late.as_deref().is_some_and(|late| as_of >= late) {
            trouble.late = None;
            self.all.late.get_or_create(&self.of).set(0);
        }
    }
}
