//! `matins runs`: what has run, and what one run did.

use serde_json::json;

use crate::base::{RunId, human_count, human_duration};
use crate::cli::args::{Cli, RunsArgs};
use crate::cli::project::{pipeline, project};
use crate::cli::screen::{Screen, outcome_line};
use crate::lake::{RunFinished, RunStarted};
use crate::run::{RunError, notable, open_lake, total};
use crate::system::System;

pub async fn runs(cli: &Cli, screen: &Screen, system: &System, args: &RunsArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let lake = open_lake(&project, system)?;
    if let Some(id) = &args.run {
        let run: RunId = id.parse().map_err(|e: crate::base::BadName| RunError::Usage(e.to_string()))?;
        let found = lake.run_record(&pipeline.name, &run).await?;
        let (started, finished) =
            found.ok_or_else(|| RunError::Usage(format!("pipeline `{}` has no run `{run}`", pipeline.name)))?;
        show(screen, &started, finished.as_ref());
        return Ok(());
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
