//! `matins runs`: what has run, what one run did, how far one is; and the wish that one end.

use std::time::Duration;

use serde_json::json;

use crate::base::{Event, Observer, RunId, StepOutcome, human_count, human_duration};
use crate::cli::args::{Cli, RunsArgs, RunsVerb};
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::{Screen, outcome_line};
use crate::config::Pipeline;
use crate::lake::{Cancellation, Lake, RunFinished, RunProgress, RunStarted, StepEnd};
use crate::run::{RunError, cancel, code_of, heard_within, notable, open_lake, total};
use crate::system::System;

/// How often a run is looked at while it is watched.
const LOOK: Duration = Duration::from_secs(1);

pub async fn runs(cli: &Cli, screen: &Screen, system: &System, args: &RunsArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let of = match &args.what {
        Some(RunsVerb::Show(one) | RunsVerb::Watch(one) | RunsVerb::Cancel { run: one, .. }) => &one.pipeline,
        None => &args.pipeline,
    };
    let pipeline = pipeline(&project, of.as_deref())?;
    let lake = open_lake(&project, system)?;
    match &args.what {
        Some(RunsVerb::Show(one)) => {
            let (started, finished) = find(&lake, pipeline, &one.run).await?;
            show(screen, &started, finished.as_ref());
            return Ok(());
        }
        Some(RunsVerb::Watch(one)) => return watch(screen, system, &lake, pipeline, &one.run).await,
        Some(RunsVerb::Cancel { run: one, why }) => {
            let (started, finished) = find(&lake, pipeline, &one.run).await?;
            if finished.is_none() && system.machine.is_dead(&started.process) {
                return Err(RunError::Interrupted { run: started.run });
            }
            let host = system.machine.process().host;
            let by = system.environment.get("USER").map_or_else(|| host.clone(), |user| format!("{user} on {host}"));
            let wish = Cancellation { by, why: why.clone(), at: system.clock.now() };
            cancel(&lake, &pipeline.name, &started.run, &wish).await?;
            if screen.json {
                screen.print_json(&json!({ "run": started.run, "cancellation": wish }));
                return Ok(());
            }
            let within = human_duration(heard_within(system));
            screen.print(&format!("run {} of {} ends within {within}; what it made stays", started.run, pipeline.name));
            return Ok(());
        }
        None => {}
    }
    let all = lake.list_runs(&pipeline.name, args.limit).await?;
    if screen.json {
        let all: Vec<_> = all.iter().map(|(s, f)| json!({ "started": s, "finished": f })).collect();
        screen.print_json(&all.into());
        return Ok(());
    }
    if all.is_empty() {
        screen.print(&format!("{} has not run yet", pipeline.name));
        return Ok(());
    }
    let header =
        ["run", "as of", "status", "snapshot", "started", "took", "rows read", "quarantined"].map(str::to_owned);
    let body = all.iter().map(|(started, finished)| {
        let rows = finished.as_ref().map(|f| total(&f.balances));
        let number = |n: Option<u64>| n.map(human_count).unwrap_or_default();
        vec![
            started.run.to_string(),
            started.as_of.clone(),
            status(started, finished.as_ref(), system),
            number(finished.as_ref().and_then(|f| f.snapshot)),
            started.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            took(started, finished.as_ref()),
            number(rows.map(|r| r.read)),
            number(rows.map(|r| r.quarantined)),
        ]
    });
    screen.table(&header, &[false, false, false, true, false, true, true, true], body.collect());
    Ok(())
}

async fn find(lake: &Lake, pipeline: &Pipeline, named: &str) -> Result<(RunStarted, Option<RunFinished>), RunError> {
    if named == "latest" {
        let latest = lake.list_runs(&pipeline.name, 1).await?.pop();
        return latest.ok_or_else(|| RunError::Usage(format!("pipeline `{}` has not run yet", pipeline.name)));
    }
    let run: RunId = named.parse().map_err(|e: crate::base::BadName| RunError::Usage(e.to_string()))?;
    let found = lake.run_record(&pipeline.name, &run).await?;
    found.ok_or_else(|| RunError::Usage(format!("pipeline `{}` has no run `{run}`", pipeline.name)))
}

/// Follows a run to its end by what it leaves in the lake, so that it may work on any machine.
async fn watch(
    screen: &Screen,
    system: &System,
    lake: &Lake,
    pipeline: &Pipeline,
    named: &str,
) -> Result<(), RunError> {
    let (started, mut finished) = find(lake, pipeline, named).await?;
    let progress = Progress::new(screen);
    let (mut shown, mut last) = (0, RunProgress::default());
    let begin = |steps| Event::RunStarted {
        pipeline: started.pipeline.clone(),
        run: started.run.clone(),
        as_of: started.as_of.clone(),
        steps,
    };
    while finished.is_none() {
        if let Some(seen) = lake.progress(&pipeline.name, &started.run).await? {
            if last.steps != seen.steps {
                progress.see(&begin(seen.steps));
            }
            for step in seen.running.iter().filter(|step| !last.running.contains(step)) {
                progress.see(&Event::StepStarted { step: step.clone() });
            }
            for end in seen.ended.iter().skip(shown) {
                progress.see(&event(end));
                if screen.json {
                    screen.print(&json!({ "run": started.run, "ended": end, "of": seen.steps }).to_string());
                } else if !screen.live && end.outcome == "ran" {
                    let took = human_duration(Duration::from_millis(end.took_ms));
                    screen.say(&format!("{} ran in {took}, {} rows", end.step, human_count(end.rows)));
                }
            }
            shown = seen.ended.len();
            last = seen;
        }
        // In this order: a process that is gone has written its last word before.
        let gone = system.machine.is_dead(&started.process);
        finished = lake.run_record(&pipeline.name, &started.run).await?.and_then(|(_, finished)| finished);
        match finished {
            Some(_) => {}
            None if gone => {
                progress.finish();
                return Err(RunError::Interrupted { run: started.run });
            }
            None => tokio::time::sleep(LOOK).await,
        }
    }
    progress.finish();
    let Some(finished) = finished else { return Ok(()) };
    if screen.json {
        screen.print(&json!({ "run": started.run, "finished": finished }).to_string());
    } else {
        show(screen, &started, Some(&finished));
    }
    match code_of(&finished) {
        0 => Ok(()),
        code => Err(RunError::Watched { run: started.run, status: finished.status, code }),
    }
}

fn event(end: &StepEnd) -> Event {
    let outcome = match end.outcome.as_str() {
        "failed" => StepOutcome::Failed { message: end.message.clone().unwrap_or_default() },
        "skipped" => StepOutcome::Skipped,
        "reused" => StepOutcome::Reused,
        _ => StepOutcome::Made { rows: end.rows },
    };
    Event::StepFinished { step: end.step.clone(), outcome, took: Duration::from_millis(end.took_ms) }
}

/// A run without an end runs still, or its process was killed.
fn status(started: &RunStarted, finished: Option<&RunFinished>, system: &System) -> String {
    match finished {
        Some(finished) => format!("{:?}", finished.status).to_lowercase(),
        None if system.machine.is_dead(&started.process) => "interrupted".to_owned(),
        None => format!("running on {}", started.process.host),
    }
}

fn took(started: &RunStarted, finished: Option<&RunFinished>) -> String {
    let span = finished.and_then(|f| (f.finished_at - started.started_at).to_std().ok());
    span.map(human_duration).unwrap_or_default()
}

fn show(screen: &Screen, started: &RunStarted, finished: Option<&RunFinished>) {
    if screen.json {
        screen.print_json(&json!({ "started": started, "finished": finished }));
        return;
    }
    screen.print(&format!("run {} of {} as of {}", started.run, started.pipeline, started.as_of));
    screen.print(&format!(
        "  started  {} on {} (process {})",
        started.started_at.to_rfc3339(),
        started.process.host,
        started.process.pid
    ));
    let Some(finished) = finished else {
        screen.print("  no end was recorded");
        return;
    };
    screen.print(&format!("  ended    {:?} after {}", finished.status, took(started, Some(finished))));
    if let Some(message) = &finished.message {
        screen.print(&format!("  message  {message}"));
    }
    for warning in &finished.warnings {
        screen.print(&format!("  warning  {warning}"));
    }
    for outcome in notable(&finished.checks) {
        screen.print(&format!("  check    {}", outcome_line(outcome)));
    }
    for alert in &finished.alerts {
        screen.print(&format!("  alert    {} (since {})", alert.message, alert.since));
    }
    let header = ["step", "outcome", "rows", "took", "why"].map(str::to_owned);
    let body = finished.steps.iter().map(|s| {
        let why = s.message.clone().unwrap_or_else(|| s.why.clone());
        vec![s.step.clone(), s.outcome.clone(), human_count(s.rows), format!("{} ms", s.took_ms), why]
    });
    screen.table(&header, &[false, false, true, true, false], body.collect());
}
