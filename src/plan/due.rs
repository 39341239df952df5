//! Which runs are due: what a schedule means, what is accounted for, and an instant → what runs, what is skipped and why.
//!
//! Nothing here remembers or waits. Whoever asks again with the same records gets the same answer, however long nobody
//! asked, so a missed wake-up is no missed night.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Duration, FixedOffset, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::base::{AsOf, Cadence, Fingerprint, Interval, PipelineName, Recipe, start_of_day};
use crate::config::{CatchUpData, CatchUpReports, Overlap, Pipeline, Schedule};
use crate::plan::Timetable;

/// Missed runs that are made up for at most; older ones are for `matins backfill`.
const MOST: usize = 31;
/// A run that starts so long after it was due is late, and its reports say so.
const LATE: Duration = Duration::hours(1);
/// Skips that are carried along for people to see; older ones stand in older links of the chain.
const SKIPS_KEPT: usize = 20;
/// Intervals looked back at for one whose time has run out: over holidays many end before one fire.
const PROMISES: usize = 31;

/// How far a schedule is accounted for. Kept in the chain, so that it moves by the same put that publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Of what the schedule meant when this was written. Another one means that somebody edited or paused it.
    pub version: Fingerprint,
    #[serde(default)]
    pub paused: bool,
    /// Fires of cron up to here, this one included.
    pub fires_until: DateTime<Utc>,
    /// Intervals that end here or earlier.
    pub intervals_until: DateTime<Utc>,
    /// The next fire of cron: whoever finds it long gone and nothing accounted for knows that nobody acts on it.
    #[serde(default)]
    pub next: Option<DateTime<Utc>>,
    /// The heads of the awaited pipelines that were acted on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub after: BTreeMap<PipelineName, u64>,
    /// The last ones, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skip>,
}

/// What was left out, and why. Of intervals: from the first one's start to the last one's end. Of a fire: its instant twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    pub from: DateTime<FixedOffset>,
    pub until: DateTime<FixedOffset>,
    pub why: String,
    pub decided_at: DateTime<Utc>,
}

/// What besides the clock can make a run due, as it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signals {
    pub published: Option<Published>,
    pub exports: Option<Arrived>,
}

/// What the awaited pipelines have published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// When the last of them did.
    pub at: DateTime<Utc>,
    /// The newest interval that all have published, of the awaited one that is furthest behind.
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub heads: BTreeMap<PipelineName, u64>,
}

/// The newest interval whose exports are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// When the last of them came.
    pub at: DateTime<Utc>,
    /// The interval's end.
    pub until: DateTime<Utc>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    Nothing,
    /// The schedule is new, changed or paused: what was due before counts as accounted for.
    Adopt(Cursor),
    Run(Batch),
}

/// Runs that are due at once, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// None where all there was is skipped.
    pub runs: Vec<DueRun>,
    pub skipped: Vec<Skip>,
    before: Cursor,
    after: Cursor,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRun {
    pub interval: Interval,
    pub due: DateTime<Tz>,
    pub cause: Cause,
    pub late: bool,
    pub report: bool,
}

/// What made a run due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    Cron,
    After,
    Exports,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cron => "cron",
            Self::After => "after",
            Self::Exports => "exports",
        })
    }
}

impl Batch {
    /// How far the schedule is accounted for once this run, and all before it, have ended.
    pub fn accounted(&self, run: usize) -> Cursor {
        match self.runs.get(run) {
            Some(done) if run + 1 < self.runs.len() => Cursor {
                intervals_until: done.interval.end.to_utc().max(self.before.intervals_until),
                skipped: self.after.skipped.clone(),
                ..self.before.clone()
            },
            _ => self.after.clone(),
        }
    }

    /// A run that failed for good is accounted for like one that was skipped, with its reason.
    pub fn failed(&mut self, run: usize, why: String, now: DateTime<Utc>) {
        if let Some(failed) = self.runs.get(run) {
            let (from, until) = (failed.interval.start.fixed_offset(), failed.interval.end.fixed_offset());
            self.after.skipped = kept(Some(&self.after), vec![Skip { from, until, why, decided_at: now }]);
        }
    }
}

/// A pipeline's schedule, ready to be asked.
#[derive(Debug, Clone)]
pub struct Agenda {
    pub version: Fingerprint,
    pub timetable: Timetable,
    pub schedule: Schedule,
    pub cadence: Cadence,
    pub zone: Tz,
}

/// The intervals that end at or before a fire and after the one before it.
pub fn intervals_of(cadence: Cadence, before: DateTime<Tz>, fire: DateTime<Tz>) -> Vec<Interval> {
    let mut all = Vec::new();
    let mut interval = cadence.last_closed(fire);
    while interval.end > before {
        all.push(interval);
        interval = cadence.previous(&interval);
    }
    all.reverse();
    all
}

/// The first such time of day at or after an instant.
pub fn first_after(at: DateTime<Tz>, by: NaiveTime) -> DateTime<Tz> {
    let day = if at.time() <= by { at.date_naive() } else { at.date_naive() + Days::new(1) };
    let wall = format!("{day}T{}", by.format("%H:%M"));
    AsOf::parse(&wall, at.timezone()).map_or_else(|_| start_of_day(day, at.timezone()), |at| at.0)
}

impl Agenda {
    /// None for a pipeline without a schedule.
    pub fn of(pipeline: &Pipeline) -> Option<Self> {
        let schedule = pipeline.schedule.clone()?;
        Some(Self {
            version: version(pipeline, &schedule),
            timetable: Timetable::of(pipeline),
            schedule,
            cadence: pipeline.interval,
            zone: pipeline.time_zone,
        })
    }

    /// The next instant at which cron fires.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.schedule.paused { None } else { self.timetable.next(after).map(|fire| fire.at.to_utc()) }
    }

    /// The newest interval that should have been published by now: the `publish_by` after its fire, or without cron after its
    /// end, has passed. Whether it is published, the chain says.
    pub fn promised(&self, now: DateTime<Utc>) -> Option<Interval> {
        let by = self.schedule.publish_by.filter(|_| !self.schedule.paused)?;
        let local = now.with_timezone(&self.zone);
        let mut interval = self.cadence.last_closed(local);
        for _ in 0..PROMISES {
            let end = interval.end.to_utc();
            let fire = if self.timetable.is_empty() {
                Some(interval.end)
            } else {
                self.timetable.next(end - Duration::seconds(1)).map(|fire| fire.at)
            };
            if fire.is_some_and(|fire| first_after(fire, by) <= local) {
                return Some(interval);
            }
            interval = self.cadence.previous(&interval);
        }
        None
    }

    /// What is due at `now`. `seen_at` is when this schedule was first looked at, so that taking it over later, when the
    /// pipeline is free, drops nothing that fires meanwhile. `busy` is from when until when the pipeline was last seen to run.
    pub fn due(
        &self,
        cursor: Option<&Cursor>,
        seen_at: DateTime<Utc>,
        now: DateTime<Utc>,
        signals: &Signals,
        busy: Option<(DateTime<Utc>, DateTime<Utc>)>,
    ) -> Due {
        let cursor = match cursor {
            Some(cursor) if cursor.version == self.version => cursor,
            other => return Due::Adopt(self.adopt(other, seen_at, signals)),
        };
        if self.schedule.paused {
            return Due::Nothing;
        }
        let fire = self.timetable.last(now).map(|f| f.at).filter(|at| *at > cursor.fires_until);
        let mut after = Cursor { next: self.next(now), ..cursor.clone() };
        if let Some(at) = fire
            && self.schedule.overlap == Overlap::Skip
            && busy.is_some_and(|(from, until)| from < at && at <= until)
        {
            let at = at.fixed_offset();
            let why = "the pipeline was running, and `overlap` is `skip`; the next fire runs its interval".to_owned();
            after.fires_until = at.to_utc();
            return Due::Run(skipping(cursor, after, vec![Skip { from: at, until: at, why, decided_at: now }]));
        }
        let published = signals.published.as_ref().filter(|p| p.heads != cursor.after);
        let exports = signals.exports.filter(|e| e.until > cursor.intervals_until);
        let clock = fire.map(|at| self.cadence.last_closed(at).end.to_utc());
        let Some(horizon) = [clock, published.map(|p| p.until), exports.map(|e| e.until)].into_iter().flatten().max()
        else {
            return Due::Nothing;
        };
        after.fires_until = fire.map_or(cursor.fires_until, |at| at.to_utc());
        after.intervals_until = horizon.max(cursor.intervals_until);
        if let Some(published) = published {
            after.after.clone_from(&published.heads);
        }
        let newest_of = |until: DateTime<Utc>| self.cadence.last_closed(until.with_timezone(&self.zone)).start.to_utc();
        let signs = [
            published.map(|p| Sign {
                cause: Cause::After,
                from: p.from.min(newest_of(p.until)),
                until: p.until,
                at: p.at,
            }),
            exports.map(|e| Sign { cause: Cause::Exports, from: newest_of(e.until), until: e.until, at: e.at }),
        ];
        let due_since = |end: DateTime<Tz>| {
            let clock = self.timetable.next(end.to_utc() - Duration::seconds(1)).filter(|f| f.at <= now);
            let clock = clock.map(|f| (f.at, Cause::Cron));
            let others = signs.iter().flatten().filter(|sign| end <= sign.until);
            let newest = others.clone().filter(|sign| end > sign.from);
            let newest = newest.map(|sign| (sign.at.with_timezone(&self.zone), sign.cause));
            // When an older one could have run nobody wrote down, so it counts as due since it ended.
            let older = others.map(|sign| (end, sign.cause)).min();
            clock.into_iter().chain(newest).min().or(older)
        };
        let newest = self.cadence.last_closed(horizon.with_timezone(&self.zone));
        let (groups, skipped) = self.missed(cursor, newest, now, due_since);
        self.batch(cursor, after, groups, skipped, newest, fire, published, now)
    }

    /// The intervals that are not accounted for, by when they were due, newest first; and what is too old.
    fn missed(
        &self,
        cursor: &Cursor,
        newest: Interval,
        now: DateTime<Utc>,
        due_since: impl Fn(DateTime<Tz>) -> Option<(DateTime<Tz>, Cause)>,
    ) -> (Vec<Group>, Vec<Skip>) {
        let mut groups: Vec<Group> = Vec::new();
        let mut interval = newest;
        while interval.end > cursor.intervals_until {
            let Some((due, cause)) = due_since(interval.end) else { break };
            let count = groups.len();
            match groups.last_mut() {
                Some(last) if last.due == due => last.intervals.push(interval),
                _ if count == MOST => {
                    let until = interval.end.fixed_offset();
                    let from = cursor.intervals_until.with_timezone(&self.zone).fixed_offset();
                    let why = format!("more than {MOST} runs were missed; `matins backfill` makes up for them");
                    return (groups, vec![Skip { from, until, why, decided_at: now }]);
                }
                _ => groups.push(Group { due, cause, intervals: vec![interval] }),
            }
            interval = self.cadence.previous(&interval);
        }
        (groups, vec![])
    }

    #[expect(clippy::too_many_arguments, reason = "the second half of one decision")]
    fn batch(
        &self,
        cursor: &Cursor,
        after: Cursor,
        mut groups: Vec<Group>,
        mut skipped: Vec<Skip>,
        newest: Interval,
        fire: Option<DateTime<Tz>>,
        published: Option<&Published>,
        now: DateTime<Utc>,
    ) -> Due {
        if groups.is_empty() {
            // All is accounted for, and yet it fires: exports that came meanwhile are looked for.
            let by_clock = fire.map(|due| (due, Cause::Cron));
            let by_others = published.map(|p| (p.at.with_timezone(&self.zone), Cause::After));
            let Some((due, cause)) = by_clock.or(by_others) else { return Due::Nothing };
            groups.push(Group { due, cause, intervals: vec![newest] });
        }
        let is_late = |group: &Group| now - group.due.to_utc() > LATE;
        let policy = self.schedule.catch_up;
        let kept = match policy.data {
            CatchUpData::All => groups.len(),
            CatchUpData::Latest => 1,
            CatchUpData::None => usize::from(!is_late(&groups[0])),
        };
        if let (Some(newest), Some(oldest)) = (groups.get(kept), groups.last()) {
            let bounds = |g: &Group| (g.intervals.last().map(|i| i.start), g.intervals.first().map(|i| i.end));
            if let ((Some(from), _), (_, Some(until))) = (bounds(oldest), bounds(newest)) {
                let word = if policy.data == CatchUpData::None { "none" } else { "latest" };
                let why = format!("it was missed, and `catch_up.data` is `{word}`");
                skipped.push(Skip { from: from.fixed_offset(), until: until.fixed_offset(), why, decided_at: now });
            }
        }
        groups.truncate(kept);
        let mut runs = Vec::new();
        for (at, group) in groups.iter().enumerate().rev() {
            let late = is_late(group);
            let missed = late || at > 0;
            for (back, interval) in group.intervals.iter().enumerate().rev() {
                let report = back == 0
                    && match policy.reports {
                        _ if !missed => true,
                        CatchUpReports::Latest => at == 0,
                        CatchUpReports::All => true,
                        CatchUpReports::None => false,
                    };
                runs.push(DueRun { interval: *interval, due: group.due, cause: group.cause, late, report });
            }
        }
        Due::Run(Batch { runs, ..skipping(cursor, after, skipped) })
    }

    /// Takes a schedule as it is from an instant on: what was due before is accounted for, and nothing old fires.
    fn adopt(&self, old: Option<&Cursor>, at: DateTime<Utc>, signals: &Signals) -> Cursor {
        let local = at.with_timezone(&self.zone);
        let clock = self.timetable.last(at).map(|fire| self.cadence.last_closed(fire.at).end.to_utc());
        let closed = self.cadence.last_closed(local);
        let others = (!self.schedule.after.is_empty()).then(|| closed.end.to_utc());
        // An interval whose exports have not come is still to be run.
        let exports = (!self.schedule.exports.is_empty())
            .then(|| signals.exports.map_or(closed.start.to_utc(), |e| e.until).min(closed.end.to_utc()));
        let before = old.map(|o| o.intervals_until);
        let until = [clock, others, exports, before].into_iter().flatten().max().unwrap_or(closed.end.to_utc());
        let mut skipped = Vec::new();
        if let Some(old) = old.filter(|o| o.intervals_until < until) {
            let why = if old.paused { "the schedule was paused" } else { "the schedule was changed" };
            skipped.push(Skip {
                from: old.intervals_until.with_timezone(&self.zone).fixed_offset(),
                until: until.with_timezone(&self.zone).fixed_offset(),
                why: format!("{why}; `matins backfill` makes up for it"),
                decided_at: at,
            });
        }
        Cursor {
            version: self.version,
            paused: self.schedule.paused,
            fires_until: old.map_or(at, |o| o.fires_until.max(at)),
            intervals_until: until,
            next: self.next(at),
            after: signals.published.as_ref().map(|p| p.heads.clone()).unwrap_or_default(),
            skipped: kept(old, skipped),
        }
    }
}

/// What besides the clock makes intervals due: those that end in this span since `at`, and earlier ones since before.
struct Sign {
    cause: Cause,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    at: DateTime<Utc>,
}

/// Intervals that were due at one instant, newest first.
#[derive(Debug)]
struct Group {
    due: DateTime<Tz>,
    cause: Cause,
    intervals: Vec<Interval>,
}

fn skipping(before: &Cursor, after: Cursor, skipped: Vec<Skip>) -> Batch {
    let after = Cursor { skipped: kept(Some(before), skipped.clone()), ..after };
    Batch { runs: vec![], skipped, before: before.clone(), after }
}

fn kept(old: Option<&Cursor>, new: Vec<Skip>) -> Vec<Skip> {
    let mut all = old.map(|o| o.skipped.clone()).unwrap_or_default();
    all.extend(new);
    all.split_off(all.len().saturating_sub(SKIPS_KEPT))
}

/// What a schedule means: when it fires, and for which intervals. Not what becomes of missed runs, nor who goes first.
fn version(pipeline: &Pipeline, schedule: &Schedule) -> Fingerprint {
    let mut recipe = Recipe::new("schedule/1")
        .text("zone", pipeline.time_zone.name())
        .text("interval", &format!("{:?}", pipeline.interval))
        .text("paused", &schedule.paused.to_string());
    let mut cron: Vec<String> =
        schedule.cron.iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    cron.sort_unstable();
    for text in &cron {
        recipe = recipe.text("cron", text);
    }
    for (name, _) in &schedule.after {
        recipe = recipe.text("after", name.as_str());
    }
    for name in &schedule.exports {
        recipe = recipe.text("exports", name.as_str());
    }
    // A calendar is what its days are, whatever it is called.
    if let Some((_, calendar)) = &schedule.calendar {
        recipe = recipe.text("business days", &format!("{:?}", calendar.business_days));
        for date in &calendar.holidays {
            recipe = recipe.text("holiday", &date.to_string());
        }
    }
    recipe.finish()
}
