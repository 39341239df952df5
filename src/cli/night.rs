//! `matins run`: one interval, and a summary a person understands.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::{Observer, PipelineName, human_count, human_duration};
use crate::cli::args::{Cli, RunArgs};
use crate::cli::outbox::{line, sent_json};
use crate::cli::progress::Progress;
use crate::cli::project::{interval, pipeline, project};
use crate::cli::screen::{Screen, outcome_line};
use crate::cli::{exports, until_told};
use crate::lake::Lake;
use crate::run::outbox::Post;
use crate::run::{Night, Options, RunError, Session, describe, notable, open, run_interval, tell_outcome, total};
use crate::system::System;

pub async fn run(cli: &Cli, screen: &Screen, system: &System, args: &RunArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let interval = interval(&project, pipeline, args.as_of.as_deref(), system, screen)?;
    let exports = exports(&project, system)?;
    let progress = Arc::new(Progress::new(screen));
    let observer = exports.beside(Arc::clone(&progress) as Arc<dyn Observer>, &pipeline.name);
    let shop = open(&project, pipeline, system, &observer)?;
    let options = Options { wait: args.wait, reports: true, mail: !args.no_mail, ..Options::default() };
    let mut session = Session::default();
    let done = until_told(&shop, run_interval(&shop, interval, &mut session, &options, false)).await;
    progress.finish();
    if args.notify {
        // That nobody could be told is no other outcome of the run.
        if let Err(error) =
            tell_outcome((&Post::of(&shop), &shop.pipeline), &interval.as_of(), done.as_ref().err()).await
        {
            screen.warning(&format!("`notify` was not told: {}", describe(&error)));
        }
    }
    exports.finish().await;
    let night = done?;
    if screen.json {
        screen.print_json(&as_json(&pipeline.name, &shop.lake, &night));
    } else {
        summary(screen, &pipeline.name, &shop.lake, &night);
    }
    // The process ends here, and to give back piece by piece what was parsed takes a while. Not the engine: with it goes its folder of
    // what was spilled.
    std::mem::forget((night, session, project, Arc::clone(&shop.pipeline), Arc::clone(&shop.graph)));
    Ok(())
}

/// The shape of one run, as documented in docs/cli.md.
pub fn as_json(pipeline: &PipelineName, lake: &Lake, night: &Night) -> Value {
    let reports: Vec<_> = night
        .reports
        .iter()
        .map(|r| json!({ "report": r.report, "path": shown_path(lake, &r.path), "messages": r.messages.iter().map(sent_json).collect::<Vec<_>>() }))
        .collect();
    json!({
        "pipeline": pipeline,
        "as_of": night.as_of,
        "snapshot": night.snapshot,
        "published": night.published,
        "content": night.publication.content,
        "reproducible": night.publication.reproducible,
        "rows": total(&night.publication.balances),
        "sources": night.publication.balances,
        "tables": night.publication.tables.values().map(|t| json!({ "table": t.name, "rows": t.rows, "fingerprint": t.fingerprint })).collect::<Vec<_>>(),
        "steps_run": night.steps.len(),
        "steps_reused": night.reused,
        "steps": night.steps,
        "checks": night.publication.checks,
        "alerts": night.publication.alerts,
        "warnings": night.warnings,
        "reports": reports,
        "phases_ms": night.phases_ms,
        "took_ms": u64::try_from(night.took.as_millis()).unwrap_or(u64::MAX),
    })
}

fn summary(screen: &Screen, pipeline: &PipelineName, lake: &Lake, night: &Night) {
    let took = human_duration(night.took);
    if night.published {
        screen.print(&format!("{pipeline} as of {}: published snapshot {} in {took}", night.as_of, night.snapshot));
    } else {
        screen.print(&format!(
            "{pipeline} as of {}: nothing to do, snapshot {} holds it ({took})",
            night.as_of, night.snapshot
        ));
    }
    if night.published {
        let rows = total(&night.publication.balances);
        screen.print(&format!(
            "  rows     {} read = {} landed + {} quarantined + {} deduplicated",
            human_count(rows.read),
            human_count(rows.landed),
            human_count(rows.quarantined),
            human_count(rows.deduplicated)
        ));
        let landed = night.steps.iter().filter(|s| s.step.starts_with("land ")).count();
        screen.print(&format!(
            "  work     {} exports landed, {} tables published; {} steps ran, {} had their output already",
            human_count(landed as u64),
            night.publication.tables.len(),
            human_count(night.steps.len() as u64),
            human_count(night.reused as u64)
        ));
        let noted: Vec<String> = notable(&night.publication.checks).map(outcome_line).collect();
        let passed = night.publication.checks.len() - noted.len();
        screen.print(&format!("  checks   {passed} passed, {} noted", noted.len()));
        for line in noted {
            screen.print(&format!("             {line}"));
        }
        for alert in &night.publication.alerts {
            screen.print(&format!("  alert    {} (since {})", alert.message, alert.since));
        }
        if !night.publication.reproducible {
            screen.print("  note     some exports carry no date, so this run cannot be made again exactly");
        }
    }
    warnings(screen, &night.warnings);
    for report in &night.reports {
        screen.print(&format!("  report   {}", shown_path(lake, &report.path)));
        for message in &report.messages {
            screen.print(&format!("  mail     {}", line(message)));
        }
    }
}

fn warnings(screen: &Screen, all: &[String]) {
    const SHOWN: usize = 5;
    for warning in all.iter().take(SHOWN) {
        screen.print(&format!("  warning  {warning}"));
    }
    if all.len() > SHOWN {
        screen.print(&format!("  warning  … and {} more: matins runs", all.len() - SHOWN));
    }
}

/// A path below the lake as a person can open it.
pub fn shown_path(lake: &Lake, path: &str) -> String {
    let location = lake.location().trim_end_matches('/');
    format!("{}/{path}", location.strip_prefix("file://").unwrap_or(location))
}
