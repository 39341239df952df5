//! `matins schedule`: when pipelines run by themselves.

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::base::{AsOf, Cadence, Interval, human_count};
use crate::cli::args::{Cli, ScheduleArgs};
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::config::Pipeline;
use crate::lake::Lake;
use crate::plan::{Agenda, Cursor, Fire, intervals_of};
use crate::run::{RunError, open_lake};
use crate::system::System;

const OF_A_YEAR: usize = 400;
/// A program gets all fires of a year: one a minute are half as many.
const OF_A_YEAR_AS_JSON: usize = 1_000_000;
/// Fires beyond those shown are counted up to here.
const COUNTED: usize = 1_000_000;
const NEXT: usize = 10;

/// What of one pipeline is shown.
struct Listing<'a> {
    pipeline: &'a Pipeline,
    agenda: Agenda,
    cursor: Option<Cursor>,
    fires: Vec<(Fire, Vec<Interval>)>,
    /// Fires of the year that are not shown.
    more: usize,
}

pub async fn schedule(cli: &Cli, screen: &Screen, system: &System, args: &ScheduleArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let chosen: Vec<&Pipeline> = match &args.pipeline {
        Some(name) => vec![pipeline(&project, Some(name))?],
        None => project.pipelines.values().filter(|p| p.schedule.is_some()).collect(),
    };
    let usual = match (args.year, chosen.len()) {
        (Some(_), _) if screen.json => OF_A_YEAR_AS_JSON,
        (Some(_), _) => OF_A_YEAR,
        (None, 0 | 1) => NEXT,
        (None, _) => 1,
    };
    let limit = args.limit.unwrap_or(usual);
    let lake = open_lake(&project, system)?;
    let mut all = Vec::new();
    for pipeline in chosen {
        let Some(agenda) = Agenda::of(pipeline) else {
            let name = &pipeline.name;
            return Err(RunError::Usage(format!("pipeline `{name}` has no `schedule`: it runs only when asked to")));
        };
        all.push(listing(&lake, system, pipeline, agenda, args.year, limit).await?);
    }
    if screen.json {
        screen.print_json(&all.iter().map(as_json).collect());
    } else if all.is_empty() {
        screen.print("no pipeline has a `schedule`");
    } else if args.pipeline.is_none() && args.year.is_none() && limit == 1 {
        overview(screen, &all);
    } else {
        for one in &all {
            show(screen, one);
        }
    }
    Ok(())
}

async fn listing<'a>(
    lake: &Lake,
    system: &System,
    pipeline: &'a Pipeline,
    agenda: Agenda,
    year: Option<i32>,
    limit: usize,
) -> Result<Listing<'a>, RunError> {
    let first_of = |year: i32| {
        let date = chrono::NaiveDate::from_ymd_opt(year, 1, 1);
        let date = date.ok_or_else(|| RunError::Usage(format!("{year} is not a year: write it like 2027")));
        date.map(|date| crate::base::start_of_day(date, agenda.zone).to_utc())
    };
    let (from, mut found) = match year {
        Some(year) => {
            // The first fire may be at the year's first instant.
            let second = chrono::Duration::seconds(1);
            let (from, until) = (first_of(year)? - second, first_of(year + 1)? - second);
            (from, agenda.timetable.between(from, until, limit.saturating_add(COUNTED)))
        }
        None => {
            let now = system.clock.now();
            let first = agenda.timetable.next(now);
            let all = std::iter::successors(first, |fire| agenda.timetable.next(fire.at.to_utc()));
            (now, all.take(limit).collect())
        }
    };
    let more = found.len().saturating_sub(limit);
    found.truncate(limit);
    let mut before = agenda.timetable.last(from).map(|fire| fire.at);
    let mut fires = Vec::with_capacity(found.len());
    for fire in found {
        let intervals = match before {
            Some(before) => intervals_of(agenda.cadence, before, fire.at),
            None => vec![agenda.cadence.last_closed(fire.at)],
        };
        before = Some(fire.at);
        fires.push((fire, intervals));
    }
    let cursor = lake.latest(&pipeline.name).await?.and_then(|link| link.cursor);
    Ok(Listing { pipeline, agenda, cursor, fires, more })
}

/// `30 2 * * *, after erp, on business days of england`.
fn in_words(agenda: &Agenda) -> String {
    let schedule = &agenda.schedule;
    let mut words: Vec<String> = schedule.cron.clone();
    words.extend(schedule.after.iter().map(|(name, _)| format!("after {name}")));
    words.extend(schedule.exports.iter().map(|name| format!("when {name} is there")));
    let calendar = schedule.calendar.as_ref().map(|(name, _)| format!(", on business days of {name}"));
    let paused = if schedule.paused { ", paused" } else { "" };
    format!("{}{}{paused}", words.join(", "), calendar.unwrap_or_default())
}

fn shown(at: &DateTime<Tz>) -> String {
    at.format("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

fn interval_words(intervals: &[Interval]) -> String {
    match intervals {
        [] => "the last one again".to_owned(),
        [only] => only.label(),
        [first, .., last] => format!("{} … {} ({})", first.label(), last.label(), intervals.len()),
    }
}

fn notes(cadence: Cadence, fire: &Fire, intervals: &[Interval]) -> Vec<String> {
    let mut notes: Vec<String> = fire.notes.iter().map(ToString::to_string).collect();
    for interval in intervals.iter().filter(|_| cadence == Cadence::Day) {
        let hours = (interval.end - interval.start).num_minutes();
        if hours != 24 * 60 {
            let length =
                if hours % 60 == 0 { format!("{}", hours / 60) } else { format!("{}:{:02}", hours / 60, hours % 60) };
            notes.push(format!("{} has {length} hours", interval.label()));
        }
    }
    notes
}

fn show(screen: &Screen, one: &Listing<'_>) {
    let (pipeline, agenda) = (one.pipeline, &one.agenda);
    screen.print(&format!("{}: {} ({})", pipeline.name, in_words(agenda), agenda.zone.name()));
    if let Some(cursor) = &one.cursor {
        let until = AsOf(cursor.intervals_until.with_timezone(&agenda.zone));
        screen.print(&format!("  accounted for up to {until}"));
        if cursor.version != agenda.version {
            screen.print("  not yet taken over by a scheduler as it is now written");
        }
        for skip in &cursor.skipped {
            let bound = |at: &DateTime<chrono::FixedOffset>| AsOf(at.with_timezone(&agenda.zone)).to_string();
            let what = if skip.from == skip.until {
                format!("the fire at {}", bound(&skip.from))
            } else {
                format!("{} to {}", bound(&skip.from), bound(&skip.until))
            };
            screen.print(&format!("  skipped {what}: {}", skip.why));
        }
    }
    if let Some((name, calendar)) = &agenda.schedule.calendar
        && let Some((last, _)) = one.fires.last()
        && !calendar.holidays.iter().any(|day| *day >= last.at.date_naive())
    {
        screen.warning(&format!("calendar `{name}` lists no holiday as late as {}", last.at.date_naive()));
    }
    if one.fires.is_empty() {
        screen.print(if agenda.schedule.cron.is_empty() { "  no fire of the clock" } else { "  no fire" });
        return;
    }
    let header = ["fire", "UTC", "interval", "note"].map(str::to_owned);
    let body = one.fires.iter().map(|(fire, intervals)| {
        vec![
            shown(&fire.at),
            fire.at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            interval_words(intervals),
            notes(agenda.cadence, fire, intervals).join("; "),
        ]
    });
    screen.table(&header, &[false; 4], body.collect());
    if one.more > 0 {
        let over = if one.more >= COUNTED { "more than " } else { "" };
        let (more, all) = (human_count(one.more as u64), one.fires.len() + one.more);
        screen.say(&format!("and {over}{more} more: `--limit {all}` shows them, `--json` has all of a year"));
    }
}

fn overview(screen: &Screen, all: &[Listing<'_>]) {
    let header = ["pipeline", "schedule", "zone", "next fire", "interval", "accounted for"].map(str::to_owned);
    let body = all.iter().map(|one| {
        let next = one.fires.first();
        let until = one.cursor.as_ref().map(|c| AsOf(c.intervals_until.with_timezone(&one.agenda.zone)).to_string());
        vec![
            one.pipeline.name.to_string(),
            in_words(&one.agenda),
            one.agenda.zone.name().to_owned(),
            next.map(|(fire, _)| shown(&fire.at)).unwrap_or_default(),
            next.map(|(_, intervals)| interval_words(intervals)).unwrap_or_default(),
            until.unwrap_or_default(),
        ]
    });
    screen.table(&header, &[false; 6], body.collect());
}

/// The shape of docs/cli.md.
fn as_json(one: &Listing<'_>) -> Value {
    let schedule = &one.agenda.schedule;
    let fires: Vec<Value> = one
        .fires
        .iter()
        .map(|(fire, intervals)| {
            json!({
                "at": fire.at.to_rfc3339(),
                "utc": fire.at.to_utc(),
                "intervals": intervals.iter().map(|i| json!({ "start": i.start.to_rfc3339(), "end": i.end.to_rfc3339() })).collect::<Vec<_>>(),
                "notes": notes(one.agenda.cadence, fire, intervals),
            })
        })
        .collect();
    json!({
        "pipeline": one.pipeline.name,
        "time_zone": one.agenda.zone.name(),
        "cron": schedule.cron,
        "after": schedule.after.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "exports": schedule.exports,
        "paused": schedule.paused,
        "version": one.agenda.version,
        "cursor": one.cursor,
        "fires": fires,
        "more": one.more > 0,
    })
}
