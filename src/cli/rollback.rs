//! `matins rollback`: readers follow an earlier snapshot, until it is released.

use std::sync::Arc;

use crate::base::{Observer, RunId};
use crate::cli::args::{Cli, RollbackArgs};
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::run::{RunError, open};
use crate::system::System;

pub async fn rollback(cli: &Cli, screen: &Screen, system: &System, args: &RollbackArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let observer: Arc<dyn Observer> = Arc::new(Progress::plain(screen));
    let shop = open(&project, pipeline, system, &observer)?;
    let run: RunId =
        format!("r{}", system.ids.next()).parse().map_err(|e: crate::base::BadName| RunError::Usage(e.to_string()))?;
    shop.lease.take(&shop, &run, args.wait).await?;
    let number = shop.lease.rollback(&shop, args.snapshot).await?;
    match args.snapshot {
        Some(to) => screen.print(&format!(
            "readers of {} follow snapshot {to} and stay there (manifest {number}); `--release` lets them go on",
            pipeline.name
        )),
        None => {
            screen.print(&format!("readers of {} follow the newest snapshot again (manifest {number})", pipeline.name));
        }
    }
    Ok(())
}
