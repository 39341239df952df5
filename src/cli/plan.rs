//! `matins plan`: what a run would do, and why.

use std::sync::Arc;

use serde_json::json;

use crate::base::Observer;
use crate::cli::args::{Cli, RunArgs};
use crate::cli::check::say_costs;
use crate::cli::progress::Progress;
use crate::cli::project::{interval, pipeline, project};
use crate::cli::screen::Screen;
use crate::plan::costs;
use crate::run::{RunError, open, plan_interval};
use crate::system::System;

/// Steps of one kind with one reason that are shown one by one; more are counted.
const SHOWN: usize = 3;

pub async fn plan(cli: &Cli, screen: &Screen, system: &System, args: &RunArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let interval = interval(&project, pipeline, args.as_of.as_deref(), system, screen)?;
    let observer: Arc<dyn Observer> = Arc::new(Progress::new(screen));
    let shop = open(&project, pipeline, system, &observer)?;
    let (plan, head) = plan_interval(&shop, interval).await?;
    if screen.json {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|s| json!({ "step": s.task.to_string(), "why": s.why, "fingerprint": s.fingerprint }))
            .collect();
        screen.print_json(&json!({
            "pipeline": pipeline.name,
            "as_of": interval.as_of().to_string(),
            "head": head.map(|h| h.number),
            "publish": plan.publish,
            "reused": plan.reused,
            "steps": steps,
            "left_out": shop.graph.left_out.iter().map(|(table, one)| json!({
                "table": table,
                "pack": one.pack,
                "lacks": one.lacks,
                "kpis": pipeline.kpis.iter().filter(|k| k.table == *table).map(|k| &k.name).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "warnings": plan.wanted.warnings,
        }));
        return Ok(());
    }
    for warning in &plan.wanted.warnings {
        screen.warning(warning);
    }
    say_costs(screen, &pipeline.name, &costs(&project, pipeline, &shop.graph.left_out));
    if plan.is_empty() {
        screen.print(&format!("{} as of {}: nothing to do", pipeline.name, interval.as_of()));
        return Ok(());
    }
    screen.print(&format!(
        "{} as of {}: {} steps run, {} have their output already",
        pipeline.name,
        interval.as_of(),
        plan.steps.len(),
        plan.reused
    ));
    let rows: Vec<(String, String, String)> = plan
        .steps
        .iter()
        .map(|step| {
            let text = step.task.to_string();
            let (verb, what) = text.split_once(' ').unwrap_or((&text, ""));
            (verb.to_owned(), what.to_owned(), step.why.clone())
        })
        .collect();
    let mut at = 0;
    while at < rows.len() {
        let (verb, _, why) = &rows[at];
        let alike = rows[at..].iter().take_while(|(v, _, w)| v == verb && w == why).count();
        for (verb, what, why) in rows[at..at + alike].iter().take(if alike > SHOWN + 1 { SHOWN } else { alike }) {
            screen.print(&format!("  {verb:<9} {what:<52} {why}"));
        }
        if alike > SHOWN + 1 {
            screen.print(&format!("  {verb:<9} {:<52} {why}", format!("… and {} more", alike - SHOWN)));
        }
        at += alike;
    }
    screen.print(if plan.publish { "  publish" } else { "  (this instant is published; nothing is put)" });
    Ok(())
}
