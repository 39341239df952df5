//! What is done besides runs, once a minute: messages whose next try has come, and word of reports that are late.

use std::sync::Arc;

use crate::base::{Event, Observer, PipelineName};
use crate::config::{Pipeline, Project};
use crate::engine::Engine;
use crate::lake::Lake;
use crate::run::outbox::{Post, deliver_due};
use crate::run::{Keeper, RunError, describe, open_beside, tell_delays};
use crate::system::System;

/// What upkeep works with.
#[derive(Clone)]
pub struct Upkeep {
    pub project: Arc<Project>,
    pub system: System,
    pub observer: Arc<dyn Observer>,
    pub lake: Lake,
    pub engine: Arc<Engine>,
}

/// Announces the delays of these pipelines and delivers what is due. Gives back those whose delay could not be announced;
/// whatever fails is told, and tried again in a minute.
pub async fn upkeep(with: Upkeep, overdue: Vec<Pipeline>) -> Vec<PipelineName> {
    let mut again = Vec::new();
    for pipeline in overdue {
        if let Err(error) = announce(&with, &pipeline).await {
            warn(&with, &format!("the delay of {}'s reports was not announced", pipeline.name), &error);
            again.push(pipeline.name);
        }
    }
    let post = Post {
        project: Arc::clone(&with.project),
        lake: with.lake.clone(),
        system: with.system.clone(),
        observer: Arc::clone(&with.observer),
        lease: Keeper::default(),
    };
    if let Err(error) = deliver_due(&post, std::time::Duration::ZERO).await {
        warn(&with, "messages were not delivered", &error);
    }
    again
}

async fn announce(with: &Upkeep, pipeline: &Pipeline) -> Result<(), RunError> {
    let shop = open_beside(&with.project, pipeline, &with.system, &with.observer, &with.lake, &with.engine)?;
    tell_delays(&shop).await.map(drop)
}

fn warn(with: &Upkeep, what: &str, error: &RunError) {
    with.observer.see(&Event::Warning { message: format!("{what}: {}", describe(error)) });
}
