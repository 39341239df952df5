//! `matins backfill`: every interval of a range under one lease. Run again, it goes on where it was.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::base::{AsOf, Interval, Observer, human_count, human_duration};
use crate::cli::args::{BackfillArgs, Cli};
use crate::cli::night::{as_json, shown_path};
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::cli::{exports, until_told};
use crate::run::{Filling, Options, Outlook, RunError, Workshop, backfill as fill, open, outlook, total};
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
    let filling = Filling { newest_first: args.newest_first, parallel: args.parallel.into() };
    let count = intervals.len();
    let exports = exports(&project, system)?;
    let progress = Arc::new(Progress::of_intervals(screen, args.dry_run, count));
    let observer = exports.beside(Arc::clone(&progress) as Arc<dyn Observer>, &pipeline.name);
    let shop = open(&project, pipeline, system, &observer)?;
    if args.dry_run {
        progress.finish();
        return dry_run(screen, &shop, &intervals, filling).await;
    }
    let options = Options { wait: args.wait, reports: true, mail: args.mail, ..Options::default() };
    let seen = |at: usize, night: &crate::run::Night| {
        progress.intervals_done(at + 1);
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
    let done = until_told(&shop, fill(&shop, &intervals, options, filling, seen)).await;
    progress.finish();
    exports.finish().await;
    let nights = done?;
    let published = nights.iter().filter(|n| n.published).count();
    if screen.json {
        let all: Vec<_> = nights.iter().map(|n| as_json(&pipeline.name, &shop.lake, n)).collect();
        screen.print_json(&all.into());
        return Ok(());
    }
    let newest = if filling.newest_first { nights.first() } else { nights.last() };
    let Some(newest) = newest else { return Ok(()) };
    let rows = total(&newest.publication.balances);
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
        newest.as_of
    ));
    for report in &newest.reports {
        screen.print(&format!("  report   {}", shown_path(&shop.lake, &report.path)));
    }
    Ok(())
}

async fn dry_run(screen: &Screen, shop: &Workshop, intervals: &[Interval], filling: Filling) -> Result<(), RunError> {
    let all = outlook(shop, intervals, filling).await?;
    let sum = |of: fn(&Outlook) -> usize| all.iter().map(of).sum::<usize>();
    let (land, assemble, make, check) = (sum(|o| o.land), sum(|o| o.assemble), sum(|o| o.make), sum(|o| o.check));
    let published = all.iter().filter(|o| o.published).count();
    let made = all.iter().filter(|o| !o.published && o.land + o.assemble + o.make + o.check == 0).count();
    if screen.json {
        let one = |o: &Outlook| {
            json!({
                "interval": o.interval.label(),
                "as_of": o.interval.as_of().to_string(),
                "published": o.published,
                "land": o.land,
                "assemble": o.assemble,
                "make": o.make,
                "check": o.check,
                "reused": o.reused,
                "warnings": o.warnings,
            })
        };
        screen.print_json(&json!({
            "pipeline": shop.pipeline.name,
            "intervals": all.iter().map(one).collect::<Vec<_>>(),
            "total": {
                "intervals": all.len(),
                "published": published,
                "to_publish": all.len() - published,
                "land": land,
                "assemble": assemble,
                "make": make,
                "check": check,
            },
        }));
        return Ok(());
    }
    let number = |n: usize| human_count(n as u64);
    screen.print(&format!(
        "{}: {} intervals, from {} to {}: {} are published, {} to publish ({} of them have all their tables)",
        shop.pipeline.name,
        number(all.len()),
        intervals[0].label(),
        intervals[intervals.len() - 1].label(),
        number(published),
        number(all.len() - published),
        number(made),
    ));
    let header = ["interval", "", "land", "assemble", "make", "check", "there already"].map(str::to_owned);
    let line = |o: &Outlook| -> Vec<String> {
        if o.published {
            return vec![o.interval.label(), "published".to_owned()];
        }
        let counts = [o.land, o.assemble, o.make, o.check, o.reused].map(number);
        [o.interval.label(), "to publish".to_owned()].into_iter().chain(counts).collect()
    };
    let mut body: Vec<Vec<String>> = all.iter().map(line).collect();
    body.push(
        ["total".to_owned(), String::new()].into_iter().chain([land, assemble, make, check].map(number)).collect(),
    );
    screen.table(&header, &[false, false, true, true, true, true, true], body);
    let warnings: std::collections::BTreeSet<&String> = all.iter().flat_map(|o| &o.warnings).collect();
    for warning in warnings {
        screen.warning(warning);
    }
    Ok(())
}
