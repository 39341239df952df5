//! `matins gc`: lists what no snapshot reaches; a later call deletes what is still unreached.

use chrono::TimeDelta;
use serde_json::json;

use crate::base::human_bytes;
use crate::cli::args::{Cli, GcArgs};
use crate::cli::project::project;
use crate::cli::screen::Screen;
use crate::lake::{GcPhase, GcPolicy};
use crate::run::{RunError, collect_garbage};
use crate::system::System;

pub async fn gc(cli: &Cli, screen: &Screen, system: &System, args: &GcArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let wait = TimeDelta::hours(i64::try_from(args.wait_hours).unwrap_or(24));
    let policy = GcPolicy { keep: args.keep, min_age: wait, wait, dry_run: args.dry_run };
    let report = collect_garbage(&project, system, &policy).await?;
    let (count, size) = (report.objects.len(), human_bytes(report.size_bytes));
    if screen.json {
        screen
            .print_json(&json!({ "phase": report.phase, "objects": report.objects, "size_bytes": report.size_bytes }));
        return Ok(());
    }
    screen.print(&match &report.phase {
        GcPhase::Nothing => "nothing to delete: every object is reached by a kept snapshot, or too young".to_owned(),
        GcPhase::Listed if args.dry_run => {
            format!("{count} objects ({size}) are reached by no kept snapshot; nothing was written")
        }
        GcPhase::Listed => format!(
            "{count} objects ({size}) listed; run gc again in {} hours to delete what is still unreached",
            args.wait_hours
        ),
        GcPhase::Waiting { until } => {
            format!("{count} objects ({size}) are listed and wait until {}", until.format("%Y-%m-%d %H:%M UTC"))
        }
        GcPhase::Held { pipeline } => {
            format!("{count} objects ({size}) are listed, and {pipeline} runs: nothing is deleted beside a run")
        }
        GcPhase::Deleted => format!("{count} objects ({size}) deleted"),
        GcPhase::CalledOff => {
            "a run needed something on the list, so it was called off; run gc again for a new one".to_owned()
        }
    });
    Ok(())
}
