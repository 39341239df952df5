//! When a schedule fires: cron patterns on the wall clock of a zone, moved to business days, as instants.
//!
//! `croner` says which wall-clock times a pattern has; it is asked on a clock that never changes, and what a clock change
//! does to them is decided here: a fixed time that does not exist fires at the first instant after the gap, one that
//! happens twice fires the first time. A pattern of every hour goes by elapsed hours: each fires, and none is added.

use chrono::{DateTime, Days, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::base::WallTime;
use crate::config::{Calendar, Pipeline};

/// Further than any pattern waits: 29 February is eight years away at most, from 2096.
const HORIZON: Duration = Duration::days(9 * 366);
/// Wall clocks differ from a zone's usual one by less, even at the date line.
const SLACK: Duration = Duration::hours(26);

/// The cron patterns of one pipeline, ready to be asked.
#[derive(Debug, Clone)]
pub struct Timetable {
    patterns: Vec<Pattern>,
    zone: Tz,
    calendar: Option<Calendar>,
}

#[derive(Debug, Clone)]
struct Pattern {
    cron: Cron,
    every_hour: bool,
}

/// One instant at which a schedule fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fire {
    pub at: DateTime<Tz>,
    /// Why it is not simply what the pattern says.
    pub notes: Vec<Note>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Clocks go forward over this time; it fires at the first instant after.
    NoSuchTime(NaiveDateTime),
    /// This time happens twice that day; it fires the first time only.
    TwiceFirst,
    /// The same hour once more.
    TwiceAgain,
    /// From a day without business.
    MovedFrom(NaiveDate),
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchTime(wall) => write!(f, "clocks go forward: there is no {}", wall.format("%H:%M")),
            Self::TwiceFirst => f.write_str("clocks go back: the first of two"),
            Self::TwiceAgain => f.write_str("clocks go back: the same hour again"),
            Self::MovedFrom(date) => write!(f, "moved from {}, no business day", date.format("%a %Y-%m-%d")),
        }
    }
}

impl Timetable {
    /// The patterns of a pipeline's schedule; without any it never fires.
    pub fn of(pipeline: &Pipeline) -> Self {
        let schedule = pipeline.schedule.as_ref();
        let cron = schedule.map(|s| s.cron.as_slice()).unwrap_or_default();
        Self::new(cron, pipeline.time_zone, schedule.and_then(|s| s.calendar.as_ref()).map(|(_, c)| c.clone()))
    }

    pub fn new(cron: &[String], zone: Tz, calendar: Option<Calendar>) -> Self {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        // `config` has refused what does not parse.
        let patterns = cron.iter().filter_map(|text| parser.parse(text).ok());
        let patterns = patterns.map(|cron| Pattern { every_hour: cron.pattern.hours.values().len() == 24, cron });
        Self { patterns: patterns.collect(), zone, calendar }
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Every fire later than `after`, up to `until`, in order; at most so many of each pattern.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> Vec<Fire> {
        let local = |at: DateTime<Utc>| at.with_timezone(&self.zone).naive_local();
        let slack = if self.changes(after, until) { SLACK } else { Duration::zero() };
        let from = self.reach_back(local(after) - slack);
        let to = local(until) + slack;
        let mut fires: Vec<Fire> = Vec::new();
        for pattern in &self.patterns {
            let mut found = 0;
            let mut next = pattern.cron.find_next_occurrence(&from.and_utc(), true);
            while let Ok(wall) = next
                && wall.naive_utc() <= to
                && found < most
            {
                for fire in self.fires(pattern, wall.naive_utc()) {
                    if fire.at > after && fire.at <= until {
                        found += 1;
                        fires.push(fire);
                    }
                }
                next = pattern.cron.find_next_occurrence(&wall, false);
            }
        }
        fires.sort_by_key(|fire| fire.at);
        // Fires that meet are one: patterns that say the same time, and days that move to the same day.
        fires.dedup_by(|later, earlier| {
            let meet = later.at == earlier.at;
            if meet {
                earlier.notes.append(&mut later.notes);
                earlier.notes.sort_unstable();
                earlier.notes.dedup();
            }
            meet
        });
        fires
    }

    /// The first fire later than an instant.
    pub fn next(&self, after: DateTime<Utc>) -> Option<Fire> {
        let (mut from, mut step) = (after, Duration::days(1));
        while !self.is_empty() && from - after < HORIZON {
            if let Some(fire) = self.between(from, from + step, usize::MAX).into_iter().next() {
                return Some(fire);
            }
            from += step;
            step = (step * 2).min(Duration::days(64));
        }
        None
    }

    /// The last fire at or before an instant.
    pub fn last(&self, until: DateTime<Utc>) -> Option<Fire> {
        let (mut to, mut step) = (until, Duration::days(1));
        while !self.is_empty() && until - to < HORIZON {
            if let Some(fire) = self.between(to - step, to, usize::MAX).into_iter().next_back() {
                return Some(fire);
            }
            to -= step;
            step = (step * 2).min(Duration::days(64));
        }
        None
    }

    /// Whether the zone's clock may change in or near a span, which is asked at its ends and once a week.
    fn changes(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> bool {
        let offset = |at: DateTime<Utc>| self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let (mut at, end) = (after - SLACK, until + SLACK);
        let first = offset(at);
        while at < end {
            if offset(at) != first {
                return true;
            }
            at += Duration::days(7);
        }
        offset(end) != first
    }

    /// Days without business before a time move their fires past it.
    fn reach_back(&self, wall: NaiveDateTime) -> NaiveDateTime {
        let Some(calendar) = &self.calendar else { return wall };
        let mut date = wall.date();
        while !calendar.is_business_day(date - Days::new(1)) {
            date = date - Days::new(1);
        }
        wall.min(date.and_time(chrono::NaiveTime::MIN))
    }

    /// The instants of one wall-clock time of a pattern.
    fn fires(&self, pattern: &Pattern, wall: NaiveDateTime) -> Vec<Fire> {
        let mut notes = Vec::new();
        let mut day = wall.date();
        if let Some(calendar) = &self.calendar {
            while !calendar.is_business_day(day) {
                day = day + Days::new(1);
            }
            if day != wall.date() {
                notes.push(Note::MovedFrom(wall.date()));
            }
        }
        let wall = day.and_time(wall.time());
        let with = |at: DateTime<Tz>, note: Note| {
            let mut notes = notes.clone();
            notes.push(note);
            Fire { at, notes }
        };
        match WallTime::of(wall, self.zone) {
            WallTime::Once(at) => vec![Fire { at, notes }],
            WallTime::Twice(first, second) if pattern.every_hour => {
                vec![Fire { at: first, notes: notes.clone() }, with(second, Note::TwiceAgain)]
            }
            WallTime::Twice(first, _) => vec![with(first, Note::TwiceFirst)],
            WallTime::Never(_) if pattern.every_hour => vec![],
            WallTime::Never(after) => vec![with(after, Note::NoSuchTime(wall))],
        }
    }
}
