//! What is done besides runs, once a minute: messages whose next try has come, word of what is late or fails again and again,
//! and once a day the collecting of what no snapshot reaches.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::base::{AsOf, Event, Observer};
use crate::config::{Pipeline, Project};
use crate::engine::Engine;
use crate::lake::{GcPolicy, Lake, gc};
use crate::run::outbox::{Post, deliver_due};
use crate::run::{
    Keeper, RunError, describe, help, nearest, open_without_exports, tell_delays, tell_failure, tell_lateness,
};
use crate::schedule::serve::Observers;
use crate::system::System;

/// What upkeep works with.
#[derive(Clone)]
pub struct Upkeep {
    pub project: Arc<Project>,
    pub system: System,
    pub observers: Observers,
    pub observer: Arc<dyn Observer>,
    pub lake: Lake,
    pub engine: Arc<Engine>,
}

impl Upkeep {
    fn post(&self) -> Post {
        Post {
            project: Arc::clone(&self.project),
            lake: self.lake.clone(),
            system: self.system.clone(),
            observer: Arc::clone(&self.observer),
            lease: Keeper::default(),
        }
    }
}

/// What there is to be told of one pipeline.
#[derive(Debug, Clone)]
pub enum News {
    /// A report of it should be out by now.
    Delayed,
    /// It should have published by now.
    Late,
    /// It fails again and again, and may still pass.
    Failing { as_of: Option<AsOf>, why: String, code: u8 },
}

/// Tells the news and delivers what is due. Gives back what could not be told; whatever fails is said, and tried again in a
/// minute.
pub async fn upkeep(with: Upkeep, news: Vec<(Pipeline, News)>, collect: Option<usize>) -> Vec<(Pipeline, News)> {
    let mut again = Vec::new();
    for (pipeline, one) in news {
        if let Err(error) = tell(&with, &pipeline, &one).await {
            let what = match one {
                News::Delayed => "the delay of its reports",
                News::Late => "that it is late",
                News::Failing { .. } => "that it fails",
            };
            warn(&with, &format!("nobody was told of {}: {what}", pipeline.name), &error);
            again.push((pipeline, one));
        }
    }
    if let Err(error) = deliver_due(&with.post(), std::time::Duration::ZERO).await {
        warn(&with, "messages were not delivered", &error);
    }
    if let Some(keep) = collect {
        tidy(&with, keep).await;
    }
    again
}

/// One step of collecting: a list, or a day later its deletion.
async fn tidy(with: &Upkeep, keep: usize) {
    let longest = with.project.pipelines.values().map(|p| p.timeouts.run).max().unwrap_or_default();
    // A call a day finds yesterday's list old enough, and no run lasts so long.
    let wait = TimeDelta::from_std(longest * 2).unwrap_or(TimeDelta::days(30)).max(TimeDelta::hours(23));
    let policy = GcPolicy { keep, min_age: wait, wait, dry_run: false };
    let (system, nonce) = (&with.system, with.system.ids.next());
    match gc(&with.lake, &system.machine, &policy, &nonce, system.clock.now()).await {
        Ok(report) => {
            let objects = report.objects.len() as u64;
            with.observer.see(&Event::Collected { phase: report.phase.word(), objects, size_bytes: report.size_bytes });
        }
        Err(error) => warn(with, "nothing was collected", &error.into()),
    }
}

async fn tell(with: &Upkeep, pipeline: &Pipeline, news: &News) -> Result<(), RunError> {
    let post = Post { observer: (with.observers)(Some(&pipeline.name)), ..with.post() };
    match news {
        News::Delayed => {
            let (project, system, lake) = (&with.project, &with.system, &with.lake);
            let shop = open_without_exports(project, pipeline, system, &post.observer, lake, &with.engine)?;
            tell_delays(&shop).await.map(drop)
        }
        News::Late => tell_lateness((&post, pipeline)).await.map(drop),
        News::Failing { as_of, why, code } => {
            let as_of = as_of.unwrap_or_else(|| nearest((&post, pipeline)).as_of());
            tell_failure((&post, pipeline), &as_of, why, help(*code)).await.map(drop)
        }
    }
}

fn warn(with: &Upkeep, what: &str, error: &RunError) {
    with.observer.see(&Event::Warning { message: format!("{what}: {}", describe(error)) });
}
