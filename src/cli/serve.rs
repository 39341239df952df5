//! `matins serve`: a line for whatever happens, until a signal.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::base::{Event, Observer, PipelineName, Scheduling, StepOutcome, human_duration};
use crate::cli::args::{Cli, ServeArgs};
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::cli::told_to_stop;
use crate::run::RunError;
use crate::schedule::{self, Serving};
use crate::system::{Clock, System};

pub async fn serve(cli: &Cli, screen: &Screen, system: &System, args: &ServeArgs) -> Result<(), RunError> {
    let mut project = project(cli, screen, system)?;
    if !args.pipelines.is_empty() {
        let mut chosen = (*project).clone();
        let mut names = Vec::new();
        for name in &args.pipelines {
            names.push(pipeline(&project, Some(name))?.name.clone());
        }
        chosen.pipelines.retain(|name, _| names.contains(name));
        project = Arc::new(chosen);
    }
    let scheduled = project.pipelines.values().filter(|p| p.schedule.is_some()).count();
    let (clock, quiet, as_json) = (system.clock.clone(), screen.quiet, screen.json);
    let log = move |pipeline: Option<&PipelineName>| -> Arc<dyn Observer> {
        let name = pipeline.map(ToString::to_string).unwrap_or_default();
        Arc::new(Log { name, clock: clock.clone(), quiet, json: as_json })
    };
    screen.say(&format!(
        "serving {scheduled} {}, {} at once; {} in all",
        if scheduled == 1 { "pipeline" } else { "pipelines" },
        project.at_once,
        project.memory.map_or_else(|| "half of the machine's memory".to_owned(), |m| m.to_string())
    ));
    let serving = Serving { project, system: system.clone(), observers: Arc::new(log) };
    schedule::serve(&serving, told_to_stop()).await?;
    screen.say("stopped");
    Ok(())
}

/// One line an event: when, which pipeline, what.
struct Log {
    name: String,
    clock: Clock,
    quiet: bool,
    json: bool,
}

impl Log {
    fn line(&self, level: &str, text: &str) {
        if self.quiet && level == "info" {
            return;
        }
        let at = shown(self.clock.now());
        if self.json {
            eprintln!("{}", json!({ "at": at, "level": level, "pipeline": self.name, "message": text }));
        } else {
            let mark = if level == "info" { String::new() } else { format!("{level}: ") };
            let name = if self.name.is_empty() { "matins" } else { &self.name };
            eprintln!("{at} {name} {mark}{text}");
        }
    }

    fn schedule(&self, what: &Scheduling) {
        match what {
            Scheduling::Adopted { next } => {
                let next = next.map_or_else(|| "no fire of the clock".to_owned(), |at| format!("next fire {}", shown(at)));
                self.line("info", &format!("schedule taken over: nothing before now is run; {next}"));
            }
            Scheduling::Superseded => self.line(
                "warning",
                "another scheduler works by another version of this schedule, and this one leaves the pipeline to it; restart the one that is to decide",
            ),
            Scheduling::Due { runs, cause, since, late } => {
                let late = if *late { ", late" } else { "" };
                let runs = if *runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
                self.line("info", &format!("{runs} due since {} ({cause}{late})", shown(*since)));
            }
            Scheduling::Waiting { holder } => self.line("info", &format!("due, and waits for {holder}")),
            Scheduling::Skipped { from, until, why } if from == until => {
                self.line("warning", &format!("skipped the fire at {from}: {why}"));
            }
            Scheduling::Skipped { from, until, why } => {
                self.line("warning", &format!("skipped {from} to {until}: {why}"));
            }
            Scheduling::Ended { as_of, snapshot, published: true } => {
                self.line("info", &format!("as of {as_of}: published snapshot {snapshot}"));
            }
            Scheduling::Ended { as_of, snapshot, published: false } => {
                self.line("info", &format!("as of {as_of}: nothing new, snapshot {snapshot} stands"));
            }
            Scheduling::Failed { as_of, why, again } => {
                let of = if as_of.is_empty() { String::new() } else { format!("as of {as_of}: ") };
                let again = match again {
                    Some(at) => format!("tried again at {}", shown(*at)),
                    None => "not tried again by itself: mend it, then `matins run` or `matins backfill`".to_owned(),
                };
                self.line("error", &format!("{of}failed: {why}; {again}"));
            }
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
                self.line("info", &format!("as of {as_of}: run {run} of {steps} steps"));
            }
            Event::StepFinished { step, outcome: StepOutcome::Failed { message }, took } => {
                self.line("error", &format!("{step} failed after {}: {message}", human_duration(*took)));
            }
            Event::StepFinished { step, outcome: StepOutcome::Skipped, .. } => {
                self.line("warning", &format!("{step} skipped: a step it needs failed"));
            }
            Event::Retrying { what, attempt, wait, why } => {
                self.line(
                    "warning",
                    &format!("{what}, try {attempt} failed, again in {}: {why}", human_duration(*wait)),
                );
            }
            Event::Warning { message } => self.line("warning", message),
            Event::RunFinished { took } => self.line("info", &format!("run took {}", human_duration(*took))),
            Event::StepStarted { .. } | Event::StepFinished { .. } | Event::Published { .. } => {}
        }
    }
}
