//! The loop of `matins serve`: looks at what may be due, starts runs side by side, waits for the next tick, and stops cleanly.
//!
//! Runs have a runtime of their own, as many threads as there are cores, so that a heavy stage starves no tick, and one
//! engine, so that all of them together keep to the memory of one.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::base::{AsOf, Event, Observer, PipelineName, Scheduling};
use crate::config::{Pipeline, Project};
use crate::engine::Engine;
use crate::lake::Lake;
use crate::lake::lease::Watch;
use crate::plan::{Agenda, Batch};
use crate::run::{RunError, describe, engine, jitter, lease_timeout, open_beside, open_lake, overdue, stop};
use crate::schedule::batch::{Ended, work};
use crate::schedule::look::Watched;
use crate::schedule::ticks::Ticks;
use crate::schedule::upkeep::{News, Upkeep, upkeep};
use crate::system::{Clock, System};

/// Looks side by side.
const LOOKS: usize = 16;
/// The first wait after a failure that may pass, which doubles, and the longest.
const FIRST_WAIT: Duration = Duration::from_mins(1);
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How long runs may take to give their leases back when the process is told to stop.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// Failures in a row that may pass, until people are told.
const PATIENCE: u32 = 3;
const UPKEEP: chrono::Duration = chrono::Duration::minutes(1);

/// What a scheduler is given.
pub struct Serving {
    pub project: Arc<Project>,
    pub system: System,
    /// Who sees what happens to a pipeline, and with none, what happens besides.
    pub observers: Observers,
}

/// Gives the observer of a pipeline.
pub type Observers = Arc<dyn Fn(Option<&PipelineName>) -> Arc<dyn Observer> + Send + Sync>;

/// Runs due runs until `told` says to stop, with the code of a signal, or until a leaping clock has come to its end.
pub async fn serve(serving: &Serving, told: impl Future<Output = u8>) -> Result<(), RunError> {
    let mut house = House::open(serving)?;
    let ticks = Ticks::start(&serving.system.clock).await?;
    let mut told = pin!(told);
    loop {
        // A signal counts from the first moment, and in the middle of many looks.
        let looked = tokio::select! {
            biased;
            code = &mut told => Err(code),
            () = house.start_what_is_due() => Ok(()),
        };
        if let Err(code) = looked {
            house.stop(code).await;
            break;
        }
        (serving.observers)(None).see(&Event::Beat { running: house.running.len() });
        house.keep_up().await;
        let (wanted, busy) = (house.next_look(), !house.running.is_empty());
        tokio::select! {
            code = &mut told => {
                house.stop(code).await;
                break;
            }
            Some(ended) = house.running.next(), if busy => house.ended(ended),
            goes_on = ticks.next(wanted, busy) => {
                if !goes_on {
                    break;
                }
            }
        }
    }
    ticks.stop().await;
    Ok(())
}

type Finished = (PipelineName, DateTime<Utc>, Result<Result<Ended, RunError>, tokio::task::JoinError>);

struct House<'a> {
    serving: &'a Serving,
    lake: Lake,
    engine: Arc<Engine>,
    workers: Workers,
    /// Those that do not run at the moment.
    watched: BTreeMap<PipelineName, Watched>,
    started: BTreeMap<PipelineName, Watched>,
    running: FuturesUnordered<std::pin::Pin<Box<dyn Future<Output = Finished> + Send>>>,
    stopping: watch::Sender<Option<u8>>,
    upkeep: Option<JoinHandle<Vec<(Pipeline, News)>>>,
    kept_up_at: DateTime<Utc>,
    /// Intervals whose delayed reports, and whose missing publication, have been seen to.
    announced: BTreeMap<PipelineName, AsOf>,
    called_late: BTreeMap<PipelineName, AsOf>,
    /// What is told at the next upkeep.
    news: Vec<(Pipeline, News)>,
    collected_on: Option<NaiveDate>,
}

impl<'a> House<'a> {
    fn open(serving: &'a Serving) -> Result<Self, RunError> {
        let (project, system) = (&serving.project, &serving.system);
        let lake = open_lake(project, system)?;
        let engine = Arc::new(engine(project, system, &lake)?);
        let now = system.clock.now();
        let mut watched = BTreeMap::new();
        for pipeline in project.pipelines.values() {
            if let Some(agenda) = Agenda::of(pipeline) {
                let holder = Watch::new(lease_timeout(system));
                watched.insert(pipeline.name.clone(), Watched::new(pipeline, agenda, now, holder));
            }
        }
        if watched.is_empty() {
            let message = "no pipeline has a `schedule`; give one `schedule: {cron: \"30 2 * * *\"}`";
            return Err(RunError::Usage(message.to_owned()));
        }
        Ok(Self {
            serving,
            lake,
            engine,
            workers: Workers::new(system.machine.cores)?,
            watched,
            started: BTreeMap::new(),
            running: FuturesUnordered::new(),
            stopping: watch::channel(None).0,
            upkeep: None,
            kept_up_at: now,
            announced: BTreeMap::new(),
            called_late: BTreeMap::new(),
            news: Vec::new(),
            collected_on: None,
        })
    }

    fn observer(&self, pipeline: &PipelineName) -> Arc<dyn Observer> {
        (self.serving.observers)(Some(pipeline))
    }

    fn next_look(&self) -> Option<DateTime<Utc>> {
        self.watched.values().map(|w| w.look_at).min().filter(|at| *at < DateTime::<Utc>::MAX_UTC)
    }

    /// Looks at every pipeline whose time has come, the most urgent first, as long as there is room for another run.
    async fn start_what_is_due(&mut self) {
        loop {
            let now = self.serving.system.clock.now();
            let room = self.serving.project.serve.at_once.saturating_sub(self.running.len());
            let mut due: Vec<&Watched> = self.watched.values().filter(|w| w.look_at <= now).collect();
            if room == 0 || due.is_empty() {
                return;
            }
            due.sort_by_key(|w| (std::cmp::Reverse(w.agenda.schedule.priority), w.look_at));
            let names: Vec<PipelineName> = due.iter().take(LOOKS).map(|w| w.pipeline.name.clone()).collect();
            let taken: Vec<Watched> = names.iter().filter_map(|name| self.watched.remove(name)).collect();
            let looks = taken.into_iter().map(|mut one| {
                let (project, system, lake) = (&self.serving.project, &self.serving.system, &self.lake);
                let observer = self.observer(&one.pipeline.name);
                async move {
                    let found = one.look(project, lake, system, observer.as_ref()).await;
                    (one, found)
                }
            });
            let looked: Vec<(Watched, Result<Option<Batch>, RunError>)> =
                futures::stream::iter(looks).buffered(LOOKS).collect().await;
            for (one, found) in looked {
                match found {
                    Ok(Some(batch)) if self.running.len() < self.serving.project.serve.at_once => {
                        self.start(one, batch);
                    }
                    // Due, and no room: it is looked at again as soon as there is.
                    Ok(_) => {
                        self.watched.insert(one.pipeline.name.clone(), one);
                    }
                    Err(error) => self.failed(one, "", &error),
                }
            }
        }
    }

    fn start(&mut self, one: Watched, batch: Batch) {
        let name = one.pipeline.name.clone();
        let observer = self.observer(&name);
        let (project, system) = (Arc::clone(&self.serving.project), self.serving.system.clone());
        let (lake, engine, pipeline) = (self.lake.clone(), Arc::clone(&self.engine), one.pipeline.clone());
        let (mut stopping, wait) = (self.stopping.subscribe(), one.expired);
        let since = system.clock.now();
        let task = self.workers.drive(async move || {
            let shop = open_beside(&project, &pipeline, &system, &observer, &lake, &engine)?;
            let told = async { stopping.wait_for(Option::is_some).await.ok().and_then(|code| *code) };
            let code = tokio::select! {
                done = work(&shop, batch, wait) => return done,
                code = told => code,
            };
            Err(stop(&shop, code.unwrap_or_default()).await)
        });
        self.started.insert(name.clone(), one);
        self.running.push(Box::pin(async move { (name, since, task.await) }));
    }

    fn ended(&mut self, (name, since, how): Finished) {
        let Some(mut one) = self.started.remove(&name) else { return };
        let now = self.serving.system.clock.now();
        one.busy = Some((since, now));
        match how {
            Ok(Ok(Ended::Done { failed })) => {
                one.failures = 0;
                one.failed_at = failed.then_some(now);
                one.look_at = now;
                for other in self.watched.values_mut() {
                    if other.agenda.schedule.after.iter().any(|(awaited, _)| *awaited == name) {
                        other.look_at = now;
                    }
                }
                self.watched.insert(name, one);
            }
            Ok(Ok(Ended::Held)) => {
                one.look_at = now;
                self.watched.insert(name, one);
            }
            Ok(Ok(Ended::Failed { as_of, error })) => self.failed(one, &as_of, &error),
            Ok(Err(error)) => self.failed(one, "", &error),
            Err(panic) => self.failed(one, "", &RunError::Panicked(panic.to_string())),
        }
    }

    /// It is still due, and tried again after a while.
    fn failed(&mut self, mut one: Watched, as_of: &str, error: &RunError) {
        let system = &self.serving.system;
        let wait = (FIRST_WAIT * 2u32.saturating_pow(one.failures)).min(LONGEST_WAIT);
        let wait = wait.mul_f64(0.5 + jitter(system) / 2.0);
        one.failures += 1;
        if one.failures == PATIENCE && !one.pipeline.notify.is_empty() {
            let as_of = AsOf::parse(as_of, one.pipeline.time_zone).ok();
            let why = format!("{} It has failed {PATIENCE} times in a row, and is tried again.", describe(error));
            self.news.push((one.pipeline.clone(), News::Failing { as_of, why, code: error.exit_code() }));
        }
        one.look_at = system.clock.now() + chrono::Duration::from_std(wait).unwrap_or(UPKEEP);
        let what = Scheduling::Failed { as_of: as_of.to_owned(), why: describe(error), again: Some(one.look_at) };
        let name = one.pipeline.name.clone();
        self.observer(&name).see(&Event::Schedule { pipeline: name.clone(), what });
        self.watched.insert(name, one);
    }

    /// Starts the minute's upkeep when the last one has ended. Where the clock leaps, runs deliver their own messages.
    async fn keep_up(&mut self) {
        let now = self.serving.system.clock.now();
        if matches!(self.serving.system.clock, Clock::Leaping { .. }) || now < self.kept_up_at + UPKEEP {
            return;
        }
        match self.upkeep.take() {
            Some(going) if !going.is_finished() => {
                self.upkeep = Some(going);
                return;
            }
            Some(ended) => self.news.extend(ended.await.unwrap_or_default()),
            None => {}
        }
        self.kept_up_at = now;
        // One that runs may be late too.
        for one in self.watched.values().chain(self.started.values()).filter(|w| !w.agenda.schedule.paused) {
            let name = &one.pipeline.name;
            if let Some(as_of) = overdue(&one.pipeline, now)
                && self.announced.insert(name.clone(), as_of) != Some(as_of)
            {
                self.news.push((one.pipeline.clone(), News::Delayed));
            }
            if let Some(interval) = one.agenda.promised(now)
                && self.called_late.insert(name.clone(), interval.as_of()) != Some(interval.as_of())
            {
                self.news.push((one.pipeline.clone(), News::Late));
            }
        }
        let (news, collect) = (std::mem::take(&mut self.news), self.collects(now));
        let with = Upkeep {
            project: Arc::clone(&self.serving.project),
            system: self.serving.system.clone(),
            observers: Arc::clone(&self.serving.observers),
            observer: (self.serving.observers)(None),
            lake: self.lake.clone(),
            engine: Arc::clone(&self.engine),
        };
        self.upkeep = Some(self.workers.drive(async move || upkeep(with, news, collect).await));
    }

    /// How many snapshots to keep, when the day's collecting is due: the first time that its hour has passed since this
    /// process began, so that a restart at noon collects nothing a second time.
    fn collects(&mut self, now: DateTime<Utc>) -> Option<usize> {
        let gc = self.serving.project.serve.gc?;
        let local = now.with_timezone(&self.serving.project.time_zone);
        let day = if local.time() >= gc.at { local.date_naive() } else { local.date_naive() - Days::new(1) };
        let before = self.collected_on.replace(day);
        (before.is_some_and(|before| before != day)).then_some(gc.keep)
    }

    /// Tells every run to stop, and waits until each has given its lease back.
    async fn stop(&mut self, code: u8) {
        self.stopping.send_replace(Some(code));
        let all = async { while self.running.next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
            tracing::warn!("a run did not stop in time; its lease expires by itself");
        }
    }
}

/// The threads of runs. A runtime may not be dropped where others wait, so it is shut down instead.
struct Workers {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Workers {
    fn new(cores: usize) -> Result<Self, RunError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores)
            .thread_name("run")
            .enable_all()
            .build()
            .map_err(|cause| RunError::Files { what: "starting the threads of runs".to_owned(), cause })?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Drives work from a thread of its own, where it need not be shown to move between threads; what it spawns goes to the
    /// workers.
    fn drive<T: Send + 'static>(&self, work: impl AsyncFnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let handle = self.handle.clone();
        self.handle.spawn_blocking(move || handle.block_on(work()))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
