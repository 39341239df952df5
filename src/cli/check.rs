//! `matins check`: every mistake of the project at once.

use serde_json::json;

use crate::base::Diagnostics;
use crate::cli::args::{CheckArgs, Cli};
use crate::cli::project::files;
use crate::cli::screen::Screen;
use crate::run::{RunError, check_project};
use crate::system::System;

pub async fn check(cli: &Cli, screen: &Screen, system: &System, args: &CheckArgs) -> Result<(), RunError> {
    let only = args
        .pipeline
        .as_ref()
        .map(|name| name.parse())
        .transpose()
        .map_err(|e: crate::base::BadName| RunError::Usage(e.to_string()))?;
    let checked = check_project(&files(cli)?, system, only.as_slice()).await?;
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
        screen.print_json(&json!({ "diagnostics": all, "pipelines": checked.pipelines, "stages": checked.stages, "reports": checked.reports }));
        return if checked.diagnostics.has_errors() { Err(RunError::Project(Diagnostics::default())) } else { Ok(()) };
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

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
