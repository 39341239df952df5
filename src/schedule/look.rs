//! One look at one pipeline: what its chain and what it waits for say, and what is due by that. Starts nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Duration, Utc};

use crate::base::{Event, Interval, Observer, Scheduling};
use crate::config::{Pipeline, Project};
use crate::lake::lease::{Verdict, Waiting, Watch, observe, set_waiting};
use crate::lake::{Lake, Manifest, TakeError};
use crate::plan::{Agenda, Arrived, Batch, Cursor, Due, Published, Signals};
use crate::run::{RunError, open_exports};
use crate::schedule::accounts::account;
use crate::source::arrival_of;
use crate::system::{Clock, System};

/// How often a pipeline that somebody holds is looked at; well within the grace of a backfill that gives way.
const WAITING: Duration = Duration::seconds(2);
/// How often the chains of awaited pipelines are read. What this process publishes itself is known at once.
const AWAITED: Duration = Duration::seconds(10);
/// How often one whose last run failed for good is looked at: a person who has mended it runs it, and then it fails no more.
const MENDING: Duration = Duration::minutes(1);
/// After this long without its fire accounted for, nobody acts on another version of the schedule any more.
const ABANDONED: Duration = Duration::hours(1);
/// Intervals whose exports are asked for in one look.
const LOOK_BACK: usize = 31;

/// What one scheduler knows of one pipeline, beside the records. All of it may be lost.
pub struct Watched {
    pub pipeline: Pipeline,
    pub agenda: Agenda,
    /// When this schedule was first looked at.
    pub seen_at: DateTime<Utc>,
    /// When to look next.
    pub look_at: DateTime<Utc>,
    /// Failures in a row that may pass.
    pub failures: u32,
    /// When its last run failed for good, until somebody has published since.
    pub failed_at: Option<DateTime<Utc>>,
    /// When exports of the newest interval were last looked for in vain.
    missing_at: Option<DateTime<Utc>>,
    /// From when until when it was last seen to run.
    pub busy: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub holder: Watch,
    /// Whether its last holder was found without a sign of life.
    pub expired: bool,
    standing: Standing,
    waits: bool,
}

/// What became of this version of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The chain has not been seen with it, so another one in it is older.
    New,
    Current,
    /// The chain had it, and has a newer one since.
    Superseded,
}

impl Watched {
    pub fn new(pipeline: &Pipeline, agenda: Agenda, now: DateTime<Utc>, holder: Watch) -> Self {
        Self {
            pipeline: pipeline.clone(),
            agenda,
            seen_at: now,
            look_at: now,
            failures: 0,
            failed_at: None,
            missing_at: None,
            busy: None,
            holder,
            expired: false,
            standing: Standing::New,
            waits: false,
        }
    }

    fn tell(&self, observer: &dyn Observer, what: Scheduling) {
        observer.see(&Event::Schedule { pipeline: self.pipeline.name.clone(), what });
    }

    /// When to look again, when nothing is due now.
    fn next_look(&self, now: DateTime<Utc>, clock: &Clock) -> DateTime<Utc> {
        let schedule = &self.agenda.schedule;
        let exports = (!schedule.exports.is_empty() && !schedule.paused)
            .then(|| now + Duration::minutes(i64::from(schedule.look_every_minutes)));
        // A leaping clock has one process, which knows what it published.
        let alone = matches!(clock, Clock::Leaping { .. });
        let awaited = (!schedule.after.is_empty() && !schedule.paused && !alone).then(|| now + AWAITED);
        let mending = (self.failed_at.is_some() && !alone).then(|| now + MENDING);
        let all = [self.agenda.next(now), exports, awaited, mending];
        all.into_iter().flatten().min().unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Looks, writes into the chain what needs no run, and gives back the runs that are due and may start.
    pub async fn look(
        &mut self,
        project: &Project,
        lake: &Lake,
        system: &System,
        observer: &dyn Observer,
    ) -> Result<Option<Batch>, RunError> {
        let now = system.clock.now();
        let name = self.pipeline.name.clone();
        let latest = lake.latest(&name).await?;
        let cursor = latest.as_ref().and_then(|link| link.cursor.clone());
        if self.is_superseded(cursor.as_ref(), latest.as_ref().is_some_and(|l| l.lease.is_some()), now) {
            if std::mem::replace(&mut self.standing, Standing::Superseded) != Standing::Superseded {
                self.tell(observer, Scheduling::Superseded);
            }
            // What it once told of this pipeline is over when the other scheduler has published.
            self.idle(lake, latest.as_ref(), None, observer).await?;
            self.look_at = self.next_look(now, &system.clock).min(now + Duration::minutes(10));
            return Ok(None);
        }
        let signals = self.signals(project, lake, system, cursor.as_ref()).await?;
        let due = self.agenda.due(cursor.as_ref(), self.seen_at, now, &signals, self.busy);
        if due == Due::Nothing {
            self.standing = Standing::Current;
            self.stop_waiting(lake).await;
            self.idle(lake, latest.as_ref(), self.agenda.next(now), observer).await?;
            self.failures = 0;
            self.look_at = self.next_look(now, &system.clock);
            return Ok(None);
        }
        // A run, or a word about the schedule, needs the lease; whoever has it is left in peace.
        self.expired = false;
        match observe(lake, &name, &system.machine, &mut self.holder, Instant::now()).await? {
            Verdict::Free | Verdict::Dead => {}
            Verdict::Expired(_) => self.expired = true,
            Verdict::Alive(lease) => {
                let since = latest.map_or(now, |link| link.written_at);
                self.busy = Some((self.busy.map_or(since, |(from, _)| from.min(since)), now));
                let holder = format!("run {} of process {} on {}", lease.run, lease.holder.pid, lease.holder.host);
                self.wait(lake, system, observer, holder).await?;
                return Ok(None);
            }
        }
        let (from, cursor, batch) = match due {
            Due::Nothing => return Ok(None),
            Due::Run(batch) if !batch.runs.is_empty() => {
                self.standing = Standing::Current;
                self.stop_waiting(lake).await;
                return Ok(Some(batch));
            }
            Due::Run(batch) => (Some(self.agenda.version), batch.accounted(0), Some(batch)),
            Due::Adopt(adopted) => (cursor.map(|c| c.version), adopted, None),
        };
        match account(lake, &name, system, from, cursor.clone()).await {
            Ok(()) => {}
            Err(RunError::Taken(TakeError::HeldBy { lease, .. })) => {
                let holder = format!("run {} of process {} on {}", lease.run, lease.holder.pid, lease.holder.host);
                self.wait(lake, system, observer, holder).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        if batch.is_none() {
            self.tell(observer, Scheduling::Adopted { next: cursor.next });
        }
        self.standing = Standing::Current;
        let told = batch.map_or_else(
            || cursor.skipped.iter().rev().take_while(|s| s.decided_at == self.seen_at).cloned().collect(),
            |b| b.skipped,
        );
        for skip in told {
            let shown = |at: DateTime<chrono::FixedOffset>| at.format("%Y-%m-%dT%H:%M").to_string();
            self.tell(
                observer,
                Scheduling::Skipped { from: shown(skip.from), until: shown(skip.until), why: skip.why },
            );
        }
        // What fired meanwhile is looked at with the new cursor.
        self.look_at = now;
        Ok(None)
    }

    /// What besides the clock may make it due. Costs nothing for a schedule of cron alone.
    async fn signals(
        &mut self,
        project: &Project,
        lake: &Lake,
        system: &System,
        cursor: Option<&Cursor>,
    ) -> Result<Signals, RunError> {
        let agenda = &self.agenda;
        if agenda.schedule.paused {
            return Ok(Signals::default());
        }
        let published = published(lake, agenda).await?;
        if agenda.schedule.exports.is_empty() {
            return Ok(Signals { published, exports: None });
        }
        let exports = arrived(project, system, &self.pipeline, agenda, cursor, self.missing_at).await?;
        let now = system.clock.now();
        let newest = agenda.cadence.last_closed(now.with_timezone(&agenda.zone)).end.to_utc();
        if exports.is_none_or(|e| e.until < newest) {
            self.missing_at = Some(now);
        }
        Ok(Signals { published, exports })
    }

    /// Says that nothing is due, and what readers follow.
    async fn idle(
        &mut self,
        lake: &Lake,
        latest: Option<&Manifest>,
        next: Option<DateTime<Utc>>,
        observer: &dyn Observer,
    ) -> Result<(), RunError> {
        let head = match latest.and_then(|link| Some((link.head?, link))) {
            Some((number, link)) if number == link.number => Some(link.clone()),
            Some((number, _)) => Some(lake.manifest(&self.pipeline.name, number).await?),
            None => None,
        };
        let head = head.and_then(|link| Some((link.publication?.as_of, link.written_at)));
        if head.as_ref().is_some_and(|(_, published_at)| self.failed_at.is_some_and(|at| *published_at > at)) {
            self.failed_at = None;
        }
        self.tell(observer, Scheduling::Idle { next, head });
        Ok(())
    }

    async fn wait(
        &mut self,
        lake: &Lake,
        system: &System,
        observer: &dyn Observer,
        holder: String,
    ) -> Result<(), RunError> {
        if !self.waits {
            self.tell(observer, Scheduling::Waiting { holder });
        }
        self.waits = true;
        self.look_at = system.clock.now() + WAITING;
        let waiting = Waiting { by: system.machine.process(), at: system.clock.now() };
        Ok(set_waiting(lake, &self.pipeline.name, Some(&waiting)).await?)
    }

    /// A word left behind costs a backfill a few seconds, so it is no failure when it stays.
    async fn stop_waiting(&mut self, lake: &Lake) {
        if std::mem::take(&mut self.waits)
            && let Err(error) = set_waiting(lake, &self.pipeline.name, None).await
        {
            tracing::debug!(pipeline = %self.pipeline.name, %error, "the word that a run waits was not taken back");
        }
    }

    /// Whether a scheduler with a newer version of the schedule is at work. The one that was started last decides, until
    /// a fire it promised has long passed and nobody has accounted for it.
    fn is_superseded(&self, cursor: Option<&Cursor>, held: bool, now: DateTime<Utc>) -> bool {
        let other = cursor.filter(|c| self.standing != Standing::New && c.version != self.agenda.version);
        let Some(cursor) = other else { return false };
        let abandoned = cursor.next.is_some_and(|next| cursor.fires_until < next && now > next + ABANDONED);
        held || !abandoned
    }
}

/// Up to where all the awaited pipelines have published; nothing as long as one of them never has.
async fn published(lake: &Lake, agenda: &Agenda) -> Result<Option<Published>, RunError> {
    let mut all: Option<Published> = None;
    for (name, _) in &agenda.schedule.after {
        let Some(head) = lake.head(name).await? else { return Ok(None) };
        let Some(publication) = &head.publication else { return Ok(None) };
        let (at, from, until) = (head.written_at, publication.start.to_utc(), publication.end.to_utc());
        let so_far = all.get_or_insert_with(|| Published { at, from, until, heads: BTreeMap::new() });
        so_far.at = so_far.at.max(at);
        if until < so_far.until {
            (so_far.from, so_far.until) = (from, until);
        }
        so_far.heads.insert(name.clone(), head.number);
    }
    Ok(all)
}

/// The newest closed interval, not accounted for, of whose last day every awaited source has an export. A file may be older than
/// its arrival (copied with its times), so it came no sooner than it was last `missing_at`.
async fn arrived(
    project: &Project,
    system: &System,
    pipeline: &Pipeline,
    agenda: &Agenda,
    cursor: Option<&Cursor>,
    missing_at: Option<DateTime<Utc>>,
) -> Result<Option<Arrived>, RunError> {
    let now = system.clock.now();
    let mut interval = agenda.cadence.last_closed(now.with_timezone(&agenda.zone));
    // Of a schedule that is new only the newest interval matters.
    for _ in 0..if cursor.is_some() { LOOK_BACK } else { 1 } {
        if cursor.is_some_and(|c| interval.end <= c.intervals_until) {
            return Ok(None);
        }
        if let Some(came) = all_there(project, system, pipeline, agenda, &interval).await? {
            let until = interval.end.to_utc();
            let at = missing_at.map_or(came, |missing| missing.max(came)).max(until).min(now);
            return Ok(Some(Arrived { at, until }));
        }
        interval = agenda.cadence.previous(&interval);
    }
    Ok(None)
}

/// When the last of the exports of an interval's last day came; nothing where one is missing.
async fn all_there(
    project: &Project,
    system: &System,
    pipeline: &Pipeline,
    agenda: &Agenda,
    interval: &Interval,
) -> Result<Option<DateTime<Utc>>, RunError> {
    let mut came = DateTime::<Utc>::MIN_UTC;
    let last_day = (interval.end - Duration::nanoseconds(1)).date_naive();
    for source in agenda.schedule.exports.iter().filter_map(|name| pipeline.sources.get(name)) {
        let store = open_exports(project, &source.store, system)?;
        let Some(at) = arrival_of(&store.store, source, last_day).await? else { return Ok(None) };
        // A store that does not know says 1970.
        came = came.max(if at.timestamp() == 0 { system.clock.now() } else { at });
    }
    Ok(Some(came))
}
