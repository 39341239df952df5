//! `matins report`: the reports that were made, and where their pages are.

use std::sync::Arc;

use serde_json::json;

use crate::base::Observer;
use crate::cli::args::{Cli, PreviewArgs, ReportArgs, ReportVerb};
use crate::cli::night::shown_path;
use crate::cli::preview::preview;
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::lake::paths;
use crate::report::Archived;
use crate::run::{RunError, Workshop, archived, open, rebuild};
use crate::system::System;

pub async fn report(cli: &Cli, screen: &Screen, system: &System, args: &ReportArgs) -> Result<(), RunError> {
    if let ReportVerb::Preview(args) = &args.what {
        return preview(cli, screen, system, args).await;
    }
    let project = project(cli, screen, system)?;
    let (ReportVerb::List { pipeline: name, .. }
    | ReportVerb::Archive { pipeline: name }
    | ReportVerb::Preview(PreviewArgs { pipeline: name, .. })) = &args.what;
    let pipeline = pipeline(&project, name.as_deref())?;
    let observer: Arc<dyn Observer> = Arc::new(Progress::silent());
    let shop = open(&project, pipeline, system, &observer)?;
    match &args.what {
        ReportVerb::List { limit, .. } => {
            let all = archived(&shop).await?;
            list(screen, &shop, &all[all.len().saturating_sub(*limit)..]);
        }
        ReportVerb::Archive { .. } | ReportVerb::Preview(_) => list(screen, &shop, &rebuild(&shop).await?),
    }
    Ok(())
}

fn list(screen: &Screen, shop: &Workshop, all: &[Archived]) {
    let folder = paths::archive(&shop.pipeline.name);
    let place = |path: &str| shown_path(&shop.lake, &format!("{folder}/{path}"));
    if screen.json {
        let one = |a: &Archived| {
            json!({
                "as_of": a.as_of,
                "snapshot": a.snapshot,
                "report": a.report,
                "title": a.title,
                "pages": a.pages.iter().map(|p| place(&p.path)).collect::<Vec<_>>(),
                "figures": a.figures.iter().map(|f| json!({ "name": f.name, "page": place(&f.path) })).collect::<Vec<_>>(),
            })
        };
        screen.print_json(&all.iter().map(one).collect());
        return;
    }
    if all.is_empty() {
        screen.print(&format!("no report of `{0}` was made yet: matins run {0}", shop.pipeline.name));
        return;
    }
    let header = ["as of", "snapshot", "report", "page"].map(str::to_owned);
    let row = |a: &Archived| {
        let more = match a.pages.len() {
            0 | 1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let page = a.pages.first().map(|p| place(&p.path)).unwrap_or_default();
        vec![a.as_of.clone(), a.snapshot.to_string(), a.report.clone(), format!("{page}{more}")]
    };
    screen.table(&header, &[false, true, false, false], all.iter().map(row).collect());
    screen.print(&format!("index  {}", place("index.html")));
}
