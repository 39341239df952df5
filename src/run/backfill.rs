//! Many intervals in a row, under one lease: in which order, what is made ahead of its turn, and what there is to do at all.
//!
//! What a step makes is named by what it is made from, so steps of several intervals may be made side by side and need no lease.
//! Publishing may not: one holder adds to the chain, and what a snapshot is compared with (`row_change`, restated KPIs, since
//! when an alert stands) is the one before it. So every interval is published in its turn, by the run that any night is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesOrdered;

use crate::base::{Event, Fingerprint, Interval, Observer, StepOutcome, TableName};
use crate::lake::Manifest;
use crate::plan::{Existing, Task, Wanted, plan};
use crate::run::look::{self, Known, with};
use crate::run::night::Phases;
use crate::run::session::Session;
use crate::run::turns::{Turns, output};
use crate::run::work::{Work, work};
use crate::run::{Night, Options, RunError, Workshop, run_interval};

/// How a range is filled.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filling {
    pub newest_first: bool,
    /// Intervals worked on at the same time, the one whose turn it is among them.
    pub parallel: usize,
}

impl Filling {
    /// The intervals in the order of their turns. They are given oldest first.
    pub fn order(self, intervals: &[Interval]) -> Vec<Interval> {
        if self.newest_first { intervals.iter().rev().copied().collect() } else { intervals.to_vec() }
    }
}

/// Runs every interval in its turn under one lease; reports are rendered for the newest one only. A scheduled run that waits
/// goes between two of them.
pub async fn backfill(
    shop: &Workshop,
    intervals: &[Interval],
    options: Options,
    filling: Filling,
    mut seen: impl FnMut(usize, &Night),
) -> Result<Vec<Night>, RunError> {
    let order = filling.order(intervals);
    let newest = intervals.last().copied();
    let several = filling.parallel > 1;
    let mut session = Session { turns: several.then(|| Turns::new(shop.engine.cores(), true)), ..Session::default() };
    let mut nights = Vec::with_capacity(order.len());
    let mut options = Options { cause: Some("backfill".to_owned()), ..options };
    let reports = options.reports;
    let mut ahead = Ahead::default();
    for (at, interval) in order.iter().enumerate() {
        let last = at + 1 == order.len();
        options.reports = reports && Some(*interval) == newest;
        if several {
            while ahead.begun < order.len().min(at + filling.parallel) {
                let next = session.prepare(shop, order[ahead.begun]).await;
                ahead.begin(next);
            }
            session.ahead = ahead.next().await;
        }
        let run = run_interval(shop, *interval, &mut session, &options, !last);
        match ahead.beside(run).await {
            Ok(night) => {
                seen(at, &night);
                // A wish that came too late for its run is still one that the backfill end.
                let run = night.published.then(|| night.publication.run.clone());
                nights.push(night);
                if let Some(run) = run
                    // A store that is gone says so to the next run itself.
                    && let Ok(Some(wish)) = shop.lake.cancellation(&shop.pipeline.name, &run).await
                {
                    shop.lease.release(shop).await.ok();
                    return Err(RunError::Cancelled { by: wish.by, why: wish.why });
                }
            }
            Err(error) => {
                shop.lease.release(shop).await.ok();
                return Err(error);
            }
        }
        if !last && ahead.beside(shop.lease.give_way(shop)).await? {
            // Whoever went between gives the lease back too.
            options.wait = true;
        }
    }
    shop.lease.release(shop).await?;
    Ok(nights)
}

/// The intervals that are worked on before their turn.
#[derive(Default)]
struct Ahead {
    begun: usize,
    going: FuturesOrdered<LocalBoxFuture<'static, Work>>,
    ready: std::collections::VecDeque<Work>,
}

impl Ahead {
    fn begin(&mut self, work: LocalBoxFuture<'static, Work>) {
        self.begun += 1;
        self.going.push_back(work);
    }

    async fn next(&mut self) -> Option<Work> {
        match self.ready.pop_front() {
            Some(work) => Some(work),
            None => self.going.next().await,
        }
    }

    /// Does something while they go on.
    async fn beside<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return done,
                Some(work) = self.going.next(), if !self.going.is_empty() => self.ready.push_back(work),
            }
        }
    }
}

impl Session {
    /// The work on an interval before its turn, ready to be driven. Whatever stands in its way is met again, and told, when
    /// its turn comes.
    async fn prepare(&mut self, shop: &Workshop, interval: Interval) -> LocalBoxFuture<'static, Work> {
        let nothing = || Box::pin(std::future::ready(Work::default()));
        let Some(turns) = self.turns.clone() else { return nothing() };
        let Ok((wanted, head)) = self.look(shop, interval, &mut Phases::default()).await else { return nothing() };
        if !matches!(self.published(shop, &wanted, head.as_ref()).await, Ok(None)) {
            return nothing();
        }
        let observer = Arc::new(Quietly { inner: Arc::clone(&shop.observer) });
        let (shop, known) = (Workshop { observer, ..shop.clone() }, Arc::clone(&self.known));
        Box::pin(async move { made_ahead(&shop, wanted, head.as_ref(), &known, &turns).await.unwrap_or_default() })
    }
}

async fn made_ahead(
    shop: &Workshop,
    wanted: Wanted,
    head: Option<&Manifest>,
    known: &Arc<Mutex<Known>>,
    turns: &Turns,
) -> Result<Work, RunError> {
    let existing = look::claim(shop, &wanted, known).await?;
    let plan = with(known, |k| look::decide(wanted, &existing, head, k, true));
    let mut done = work(shop, &plan, known, turns).await;
    // What failed is tried again in its turn, and told there.
    done.records.retain(|r| r.outcome == "ran");
    Ok(Work { failure: None, failed: 0, ..done })
}

/// Shows what goes on ahead, and no failure: in its turn it may be none.
struct Quietly {
    inner: Arc<dyn Observer>,
}

impl Observer for Quietly {
    fn see(&self, event: &Event) {
        match event {
            Event::StepFinished { step, outcome: StepOutcome::Failed { .. } | StepOutcome::Skipped, .. } => {
                let (step, took) = (step.clone(), Duration::ZERO);
                self.inner.see(&Event::StepFinished { step, outcome: StepOutcome::Reused, took });
            }
            Event::RunStarted { .. } | Event::Published { .. } | Event::RunEnded { .. } => {}
            other => self.inner.see(other),
        }
    }
}

/// What there is to do for one interval, when all that come before it in their turns are done.
#[derive(Debug, Clone)]
pub struct Outlook {
    pub interval: Interval,
    /// Its snapshot holds exactly what is wanted.
    pub published: bool,
    pub land: usize,
    pub assemble: usize,
    pub make: usize,
    pub check: usize,
    /// Steps whose output is there by then.
    pub reused: usize,
    pub warnings: Vec<String>,
}

/// Looks at what a backfill would do, in the order in which it would. Writes nothing.
pub async fn outlook(shop: &Workshop, intervals: &[Interval], filling: Filling) -> Result<Vec<Outlook>, RunError> {
    let mut session = Session::default();
    let (mut made, mut checked) = (BTreeSet::new(), BTreeSet::new());
    let mut all = Vec::with_capacity(intervals.len());
    for interval in filling.order(intervals) {
        let (wanted, head) = session.look(shop, interval, &mut Phases::default()).await?;
        let published = session.published(shop, &wanted, head.as_ref()).await?.is_some();
        let mut one =
            Outlook { interval, published, land: 0, assemble: 0, make: 0, check: 0, reused: 0, warnings: vec![] };
        if !published {
            let mut existing = look::existing(shop, &wanted, &session.known).await?;
            promise(&wanted, &mut existing, &made, &checked);
            let plan = plan(wanted, &existing, None, true);
            for step in &plan.steps {
                match step.task {
                    Task::Land { .. } => one.land += 1,
                    Task::Assemble { .. } => one.assemble += 1,
                    Task::Make { .. } => one.make += 1,
                    Task::Check { .. } => one.check += 1,
                }
                made.insert(step.fingerprint);
                checked.insert(output(step, &plan.wanted));
            }
            one.reused = plan.reused;
            one.warnings = plan.wanted.warnings;
            session.remarks.clear();
        }
        all.push(one);
    }
    Ok(all)
}

/// Counts as there what the intervals before will have made.
fn promise(
    wanted: &Wanted,
    existing: &mut Existing,
    made: &BTreeSet<Fingerprint>,
    checked: &BTreeSet<(Fingerprint, Fingerprint)>,
) {
    let raws = wanted.sources.iter().map(|(name, s)| (TableName::raw(name), s.raw, s.checks));
    let tables = wanted.tables.iter().map(|t| (t.node.table().clone(), t.fingerprint, t.checks));
    for (table, fingerprint, checks) in raws.chain(tables) {
        if checked.contains(&(fingerprint, checks)) {
            existing.checked.insert(table);
        }
    }
    let all = wanted.outputs().chain(wanted.closed.iter().flat_map(|closed| closed.outputs()));
    existing.made.extend(all.filter(|f| made.contains(f)));
}
