//! `matins backfill`: every interval of a range, oldest first, under one lease. Run again, it goes on where it was.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::base::{AsOf, Observer, human_count, human_duration};
use crate::cli::args::{BackfillArgs, Cli};
use crate::cli::night::{as_json, shown_path};
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::cli::{exports, until_told};
use crate::run::{Options, RunError, backfill as fill, open, total};
use crate::system::System;

pub async fn backfill(cli: &Cli, screen: &Screen, system: &System, args: &BackfillArgs) -> Result<(), RunError> {
    let started = Instant::now();
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let at = |text: &str| AsOf::parse(text, pipeline.time_zone).map_err(RunError::Usage);
    let (from, to) = (at(&args.from)?, at(&args.to)?);
    if to < from {
        return Err(RunError::Usage(format!("--to {to} is before --from {from}")));
    }
    let intervals = pipeline.interval.between(from.0, to.0);
    if args.dry_run {
        let names: Vec<String> = intervals.iter().map(crate::base::Interval::label).collect();
        if screen.json {
            screen.print_json(&json!({ "pipeline": pipeline.name, "intervals": names }));
        } else {
            screen.print(&format!(
                "{}: {} intervals, from {} to {}",
                pipeline.name,
                names.len(),
                names[0],
                names[names.len() - 1]
            ));
        }
        return Ok(());
    }
    let exports = exports(&project, system)?;
    let progress = Arc::new(Progress::new(screen));
    let observer = exports.beside(Arc::clone(&progress) as Arc<dyn Observer>, &pipeline.name);
    let shop = open(&project, pipeline, system, &observer)?;
    let options = Options { wait: args.wait, reports: true, mail: args.mail, ..Options::default() };
    let count = intervals.len();
    let seen = |at: usize, night: &crate::run::Night| {
        if !screen.live && !screen.quiet && !screen.json && night.published {
            screen.say(&format!(
                "{}/{count} as of {}: snapshot {} in {}",
                at + 1,
                night.as_of,
                night.snapshot,
                human_duration(night.took)
            ));
        }
    };
    let done = until_told(&shop, fill(&shop, &intervals, options, seen)).await;
    progress.finish();
    exports.finish().await;
    let nights = done?;
    let published = nights.iter().filter(|n| n.published).count();
    if screen.json {
        let all: Vec<_> = nights.iter().map(|n| as_json(&pipeline.name, &shop.lake, n)).collect();
        screen.print_json(&all.into());
        return Ok(());
    }
    let Some(last) = nights.last() else { return Ok(()) };
    let rows = total(&last.publication.balances);
    screen.print(&format!(
        "{}: {count} intervals in {}, {published} published, {} were there already",
        pipeline.name,
        human_duration(started.elapsed()),
        count - published
    ));
    screen.print(&format!(
        "  rows     {} read = {} landed + {} quarantined + {} deduplicated, as of {}",
        human_count(rows.read),
        human_count(rows.landed),
        human_count(rows.quarantined),
        human_count(rows.deduplicated),
        last.as_of
    ));
    for report in &last.reports {
        screen.print(&format!("  report   {}", shown_path(&shop.lake, &report.path)));
    }
    Ok(())
}
