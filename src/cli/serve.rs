//! `matins serve`: a line for whatever happens, and a page on how it is, until a signal.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::base::{
    BadName, Event, Level, Observer, PipelineName, RunEnd, Scheduling, StepOutcome, Tee, human_bytes, human_duration,
};
use crate::cli::args::{Cli, ServeArgs};
use crate::cli::project::{files, pipeline};
use crate::cli::screen::Screen;
use crate::cli::{exports, told_to_stop};
use crate::config::Project;
use crate::pages::{Ready, serve_status};
use crate::run::{RunError, check_project, describe, open_lake};
use crate::schedule::{self, Serving};
use crate::system::{Clock, System};
use crate::telemetry::{Board, Metrics};

pub async fn serve(cli: &Cli, screen: &Screen, system: &System, args: &ServeArgs) -> Result<(), RunError> {
    let line = Line { clock: system.clock.clone(), quiet: screen.quiet, json: screen.json || screen.log_json };
    let project = Arc::new(checked(cli, screen, system, &line, &args.pipelines).await?);
    let scheduled: Vec<_> = project.pipelines.values().filter_map(|p| Some((p, p.schedule.as_ref()?))).collect();
    let board = Board::new(
        &system.clock,
        scheduled.iter().map(|(p, schedule)| (p.name.clone(), p.description.clone(), schedule.paused)),
    );
    let metrics = Metrics::new(&system.clock, scheduled.iter().map(|(p, _)| p.name.clone()));
    let exports = exports(&project, system)?;
    let observers = {
        let (board, metrics, exports, line) = (board.clone(), metrics.clone(), exports.clone(), line.clone());
        move |pipeline: Option<&PipelineName>| -> Arc<dyn Observer> {
            let name = pipeline.map(ToString::to_string).unwrap_or_default();
            let log = Log { name, line: line.clone(), run: Mutex::default() };
            let shown: Arc<dyn Observer> =
                Arc::new(Tee(vec![board.observer(pipeline), metrics.observer(pipeline), Arc::new(log)]));
            pipeline.map_or_else(|| Arc::clone(&shown), |name| exports.beside(Arc::clone(&shown), name))
        }
    };
    let serving = format!(
        "serving {} {}, {} at once; {} in all",
        scheduled.len(),
        if scheduled.len() == 1 { "pipeline" } else { "pipelines" },
        project.serve.at_once,
        project.memory.map_or_else(|| "half of the machine's memory".to_owned(), |m| m.to_string())
    );
    // Without one there is nothing to serve, which is said with the error.
    if !scheduled.is_empty() {
        line.of_itself(screen, "info", "serving", &serving);
    }
    let (end, ended) = watch::channel(false);
    let pages = match args.listen.or(project.serve.listen) {
        Some(address) => Some(pages(&project, system, (screen, &line), address, (board, metrics), ended).await?),
        None => None,
    };
    let serving = Serving { project, system: system.clone(), observers: Arc::new(observers) };
    let done = schedule::serve(&serving, told_to_stop()).await;
    end.send_replace(true);
    if let Some(pages) = pages {
        // A reader that keeps its connection open does not keep the process.
        tokio::time::timeout(std::time::Duration::from_secs(2), pages).await.ok();
    }
    exports.finish().await;
    done?;
    line.of_itself(screen, "info", "stopped", "stopped");
    Ok(())
}

/// The project, or these pipelines of it, when it has no mistake that can be known now and not only at night.
async fn checked(
    cli: &Cli,
    screen: &Screen,
    system: &System,
    line: &Line,
    named: &[String],
) -> Result<Project, RunError> {
    let names: Vec<PipelineName> = named
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, BadName>>()
        .map_err(|e| RunError::Usage(e.to_string()))?;
    let checked = check_project(&files(cli)?, system, &names).await?;
    let mut diagnostics = checked.diagnostics;
    diagnostics.0.retain(|d| d.level > Level::Note);
    let Some(mut project) = checked.project.filter(|_| !diagnostics.has_errors()) else {
        return Err(RunError::Project(diagnostics));
    };
    for warning in diagnostics.0.iter().filter(|d| d.level == Level::Warning) {
        line.of_itself(screen, "warning", "project", &warning.message);
    }
    for name in &names {
        pipeline(&project, Some(name.as_str()))?;
    }
    if !names.is_empty() {
        project.pipelines.retain(|name, _| names.contains(name));
    }
    Ok(project)
}

async fn pages(
    project: &Arc<Project>,
    system: &System,
    (screen, line): (&Screen, &Line),
    address: SocketAddr,
    state: (Board, Metrics),
    mut ended: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, RunError> {
    let failed = |cause| RunError::Files { what: format!("listening on {address}"), cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    line.of_itself(screen, "info", "listening", &format!("http://{bound}/ shows how it is"));
    let lake = open_lake(project, system)?;
    let ready: Ready = Arc::new(move || {
        let lake = lake.clone();
        Box::pin(async move { lake.pipelines().await.map(drop).map_err(|error| describe(&error)) })
    });
    let told = async move {
        ended.wait_for(|ended| *ended).await.ok();
    };
    let serving = serve_status(listener, system.clone(), state, ready, told);
    Ok(tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the pages are not shown any more");
        }
    }))
}

/// How lines are written.
#[derive(Clone)]
struct Line {
    clock: Clock,
    quiet: bool,
    json: bool,
}

impl Line {
    /// What the scheduler says of itself, about no pipeline: as it starts and stops.
    fn of_itself(&self, screen: &Screen, level: &str, event: &str, text: &str) {
        if self.json {
            let log = Log { name: String::new(), line: self.clone(), run: Mutex::default() };
            log.event(level, event, text, &json!({}));
        } else if level == "warning" {
            screen.warning(text);
        } else {
            screen.say(text);
        }
    }
}

/// One line an event: when, which pipeline, what.
struct Log {
    name: String,
    line: Line,
    /// The run under way, and when it began.
    run: Mutex<Option<(String, String, Instant)>>,
}

impl Log {
    fn line(&self, level: &str, text: &str) {
        self.event(level, "message", text, &json!({}));
    }

    /// `more` is for programs: what the text says, in fields.
    fn event(&self, level: &str, event: &str, text: &str, more: &Value) {
        if self.line.quiet && level == "info" {
            return;
        }
        let at = shown(self.line.clock.now());
        if self.line.json {
            let mut all = json!({ "at": at, "level": level, "event": event, "pipeline": self.name, "message": text });
            if let Some((run, as_of, _)) = &*self.run.lock().unwrap_or_else(PoisonError::into_inner) {
                all["run"] = run.as_str().into();
                all["as_of"] = as_of.as_str().into();
            }
            for (key, value) in more.as_object().into_iter().flatten() {
                all[key] = value.clone();
            }
            eprintln!("{all}");
        } else {
            let mark = if level == "info" { String::new() } else { format!("{level}: ") };
            let name = if self.name.is_empty() { "matins" } else { &self.name };
            eprintln!("{at} {name} {mark}{text}");
        }
    }

    fn schedule(&self, what: &Scheduling) {
        match what {
            Scheduling::Adopted { next } => {
                let until = next.map_or_else(|| "no fire of the clock".to_owned(), |at| format!("next fire {}", shown(at)));
                let text = format!("schedule taken over: nothing before now is run; {until}");
                self.event("info", "adopted", &text, &json!({ "next": next }));
            }
            Scheduling::Superseded => self.event(
                "warning",
                "superseded",
                "another scheduler works by another version of this schedule, and this one leaves the pipeline to it; restart the one that is to decide",
                &json!({}),
            ),
            Scheduling::Due { runs, cause, since, late } => {
                let words = if *late { ", late" } else { "" };
                let count = if *runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
                let text = format!("{count} due since {} ({cause}{words})", shown(*since));
                self.event("info", "due", &text, &json!({ "runs": runs, "cause": cause, "since": since, "late": late }));
            }
            Scheduling::Waiting { holder } => {
                self.event("info", "waiting", &format!("due, and waits for {holder}"), &json!({ "holder": holder }));
            }
            Scheduling::Skipped { from, until, why } => {
                let span = if from == until { format!("the fire at {from}") } else { format!("{from} to {until}") };
                let more = json!({ "from": from, "until": until, "why": why });
                self.event("warning", "skipped", &format!("skipped {span}: {why}"), &more);
            }
            Scheduling::Ended { as_of, snapshot, published } => {
                let text = if *published {
                    format!("as of {as_of}: published snapshot {snapshot}")
                } else {
                    format!("as of {as_of}: nothing new, snapshot {snapshot} stands")
                };
                let more = json!({ "as_of": as_of, "snapshot": snapshot, "published": published });
                self.event("info", "ended", &text, &more);
            }
            Scheduling::Late { as_of } => {
                let text = format!("{as_of} should be published by now (`publish_by`), and is not");
                self.event("error", "late", &text, &json!({ "as_of": as_of }));
            }
            Scheduling::Failed { as_of, why, again } => {
                let of = if as_of.is_empty() { String::new() } else { format!("as of {as_of}: ") };
                let then = match again {
                    Some(at) => format!("tried again at {}", shown(*at)),
                    None => "not tried again by itself: mend it, then `matins run` or `matins backfill`".to_owned(),
                };
                let more = json!({ "as_of": as_of, "why": why, "again": again });
                self.event("error", "failed", &format!("{of}failed: {why}; {then}"), &more);
            }
            Scheduling::Idle { .. } => {}
        }
    }
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Observer for Log {
    fn see(&self, event: &Event) {
        match event {
            Event::Schedule { what, .. } => self.schedule(what),
            Event::RunStarted { run, as_of, steps, .. } => {
                let going = (run.to_string(), as_of.clone(), Instant::now());
                *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(going);
                let text = format!("as of {as_of}: run {run} of {steps} steps");
                self.event("info", "run started", &text, &json!({ "steps": steps }));
            }
            Event::StepFinished { step, outcome: StepOutcome::Failed { message }, took } => {
                let text = format!("{step} failed after {}: {message}", human_duration(*took));
                self.event("error", "step failed", &text, &json!({ "step": step, "why": message }));
            }
            Event::StepFinished { step, outcome: StepOutcome::Skipped, .. } => {
                let text = format!("{step} skipped: a step it needs failed");
                self.event("warning", "step skipped", &text, &json!({ "step": step }));
            }
            // For programs only: a person reads what went wrong, and `runs show`.
            Event::StepFinished { step, outcome: StepOutcome::Made { rows }, took } if self.line.json => {
                let more = json!({ "step": step, "rows": rows, "took_s": took.as_secs_f64() });
                self.event("info", "step ended", &format!("{step}: {rows} rows"), &more);
            }
            Event::Retrying { what, attempt, wait, why } => {
                let text = format!("{what}, try {attempt} failed, again in {}: {why}", human_duration(*wait));
                self.event("warning", "retrying", &text, &json!({ "what": what, "attempt": attempt, "why": why }));
            }
            Event::Warning { message } => self.line("warning", message),
            Event::RunEnded { end, message, .. } => {
                let since = self.run.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|r| r.2);
                let took = since.map(|since| since.elapsed()).unwrap_or_default();
                let more = json!({ "end": end.word(), "why": message, "took_s": took.as_secs_f64() });
                // Why it failed is said by whoever decides what becomes of it.
                let word = if *end == RunEnd::Published { "took" } else { "ended after" };
                self.event("info", "run ended", &format!("run {word} {}", human_duration(took)), &more);
                *self.run.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Event::Collected { phase, objects, size_bytes } => {
                let text = format!("gc: {phase}, {objects} objects ({})", human_bytes(*size_bytes));
                self.event(
                    "info",
                    "collected",
                    &text,
                    &json!({ "phase": phase, "objects": objects, "bytes": size_bytes }),
                );
            }
            Event::StepStarted { .. }
            | Event::StepFinished { .. }
            | Event::Published { .. }
            | Event::Message { .. }
            | Event::Beat { .. } => {}
        }
    }
}
