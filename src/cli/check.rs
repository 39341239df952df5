//! `matins check`: every mistake of the project at once.

use std::collections::BTreeSet;

use serde_json::json;

use crate::base::{Diagnostics, KpiName, Level, PipelineName};
use crate::cli::args::{CheckArgs, Cli};
use crate::cli::project::files;
use crate::cli::screen::Screen;
use crate::plan::Cost;
use crate::run::{RunError, check_project};
use crate::system::System;

pub async fn check(cli: &Cli, screen: &Screen, system: &System, args: &CheckArgs) -> Result<(), RunError> {
    let only = args
        .pipeline
        .as_ref()
        .map(|name| name.parse())
        .transpose()
        .map_err(|e: crate::base::BadName| RunError::Usage(e.to_string()))?;
    let mut checked = check_project(&files(cli)?, system, only.as_slice()).await?;
    if let (Some(name), Some(project)) = (&only, &checked.project) {
        crate::cli::project::pipeline(project, Some(name.as_str()))?;
    }
    if screen.json {
        let all: Vec<_> = checked
            .diagnostics
            .0
            .iter()
            .map(|d| {
                let at = d.place.as_ref().map(|p| (p, p.file.line_column(p.span.start)));
                json!({
                    "level": d.level,
                    "code": d.code,
                    "message": d.message,
                    "file": at.as_ref().map(|(p, _)| p.file.path.display().to_string()),
                    "line": at.as_ref().map(|(_, (line, _))| line),
                    "column": at.as_ref().map(|(_, (_, column))| column),
                    "help": d.help,
                })
            })
            .collect();
        screen.print_json(&json!({ "diagnostics": all, "pipelines": checked.pipelines, "stages": checked.stages, "reports": checked.reports, "tests": checked.tests }));
        return if checked.diagnostics.has_errors() { Err(RunError::Project(Diagnostics::default())) } else { Ok(()) };
    }
    if !args.verbose {
        // A mistake must not be looked for among what is none.
        checked.diagnostics.0.retain(|d| d.level > Level::Note || d.code != "left-out");
        for (pipeline, costs) in &checked.costs {
            say_costs(screen, pipeline, costs);
        }
    }
    if checked.diagnostics.has_errors() {
        return Err(RunError::Project(checked.diagnostics));
    }
    screen.diagnostics(&checked.diagnostics);
    screen.print(&format!(
        "no mistakes: {}, {} planned against their contracts, {} rendered on full, empty and suppressed data",
        count(checked.pipelines, "pipeline"),
        count(checked.stages, "stage"),
        count(checked.reports, "report")
    ));
    Ok(())
}

/// What a pipeline does without for want of data, in few lines: what is wanting, and which KPIs that costs.
pub fn say_costs(screen: &Screen, pipeline: &PipelineName, costs: &[Cost]) {
    if screen.log_json {
        for cost in costs {
            screen.say(&cost.note().message);
        }
        return;
    }
    let (dear, free): (Vec<&Cost>, Vec<&Cost>) = costs.iter().partition(|cost| !cost.kpis.is_empty());
    let kpis: usize = dear.iter().map(|cost| cost.kpis.len()).sum();
    let tables: usize = costs.iter().map(|cost| cost.tables.len()).sum();
    let cost = if kpis == 0 { format!("{}, and no KPI", count(tables, "table")) } else { count(kpis, "KPI") };
    if tables > 0 {
        screen.say(&format!("note: {pipeline} has no data for {cost} (`matins check -v {pipeline}` shows all tables)"));
    }
    let width = dear.iter().map(|cost| cost.pack.as_str().len()).max().unwrap_or_default();
    for cost in &dear {
        let lacks: Vec<&str> = cost.lacks.iter().map(String::as_str).collect();
        let names: Vec<&str> = cost.kpis.iter().map(KpiName::as_str).collect();
        let pack = cost.pack.as_str();
        screen.say(&format!("  {pack:<width$}  without {}: {}", lacks.join(", "), names.join(", ")));
    }
    let lacks: BTreeSet<&str> = free.iter().flat_map(|cost| &cost.lacks).map(String::as_str).collect();
    if !lacks.is_empty() {
        let lacks: Vec<&str> = lacks.into_iter().collect();
        screen.say(&format!("  {:<width$}  without {}: no KPI", "", lacks.join(", ")));
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
