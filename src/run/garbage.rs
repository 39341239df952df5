//! Collects what no snapshot reaches: one step of it, list or deletion.

use crate::config::Project;
use crate::lake::{GcPolicy, GcReport, gc};
use crate::run::{RunError, open_lake};
use crate::system::System;

/// See `lake::gc`.
pub async fn collect_garbage(project: &Project, system: &System, policy: &GcPolicy) -> Result<GcReport, RunError> {
    let lake = open_lake(project, system)?;
    Ok(gc(&lake, &system.machine, policy, &system.ids.next(), system.clock.now()).await?)
}
