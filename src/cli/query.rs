//! `matins query`: SQL over what was published.

use crate::cli::args::{Cli, QueryArgs};
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::run::{RunError, query as ask};
use crate::system::System;

pub async fn query(cli: &Cli, screen: &Screen, system: &System, args: &QueryArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let rows = ask(&project, &pipeline.name, args.snapshot, system, &args.sql).await?;
    screen.rows(&rows);
    Ok(())
}
