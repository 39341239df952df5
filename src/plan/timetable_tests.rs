//! Fires and intervals in every zone, against instants worked out by another program (`tests/cases/fires/make.py`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::{Note, Timetable};
use crate::base::{AsOf, Cadence, start_of_day};
use crate::config::Calendar;

const CASES: &str = include_str!("../../tests/cases/fires/fires.txt");

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn digest(instants: impl IntoIterator<Item = DateTime<Utc>>) -> String {
    let (mut count, mut hash) = (0u64, 0u64);
    for at in instants {
        let seconds = u64::try_from(at.timestamp()).expect("after 1970");
        hash = hash.wrapping_add(seconds.wrapping_mul(2 * count + 1));
        count += 1;
    }
    format!("{count}:{hash:016x}")
}

/// The days around each change of a zone's clock in eleven years, as spans of instants that do not overlap.
fn near_changes(zone: Tz) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    use chrono::{Offset, TimeDelta, TimeZone};
    let (from, until) = (instant("2020-01-01T00:00:00Z"), instant("2031-01-01T00:00:00Z"));
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let mut spans: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    let mut at = from;
    while at < until {
        let (mut before, mut after) = (at, at + TimeDelta::hours(6));
        at = after;
        if offset(before) == offset(after) {
            continue;
        }
        while after - before > TimeDelta::seconds(1) {
            let middle = before + (after - before) / 2;
            let middle = middle - TimeDelta::nanoseconds(i64::from(middle.timestamp_subsec_nanos()));
            if offset(middle) == offset(before) { before = middle } else { after = middle }
        }
        let (begin, end) = ((after - TimeDelta::hours(36)).max(from), (after + TimeDelta::hours(36)).min(until));
        match spans.last_mut() {
            Some(last) if last.1 >= begin => last.1 = end,
            _ => spans.push((begin, end)),
        }
    }
    spans
}

/// What a column of the cases holds for a zone. Patterns of every hour cover two years, and the days around changes of the clock
/// in eleven; the others all of eleven.
fn found(column: &str, zone: Tz) -> String {
    if let Some(pattern) = column.strip_prefix("near ") {
        let table = (pattern != "hour").then(|| Timetable::new(&[pattern.to_owned()], zone, None));
        let within = |(from, until): (DateTime<Utc>, DateTime<Utc>)| -> Vec<DateTime<Utc>> {
            // `between` takes what is after its first instant, up to and with its second.
            let (after, last) = (from - chrono::TimeDelta::seconds(1), until - chrono::TimeDelta::seconds(1));
            let Some(table) = &table else {
                let first = Cadence::Hour.containing(after.with_timezone(&zone));
                let all = std::iter::successors(Some(first), |hour| Some(Cadence::Hour.next(hour)));
                let starts = all.map(|hour| hour.start.to_utc());
                return starts.skip_while(|at| *at < from).take_while(|at| *at < until).collect();
            };
            table.between(after, last, usize::MAX).iter().map(|fire| fire.at.to_utc()).collect()
        };
        return digest(near_changes(zone).into_iter().flat_map(within));
    }
    let long = (instant("2019-12-31T23:59:59Z"), instant("2030-12-31T23:59:59Z"));
    let short = (instant("2023-12-31T23:59:59Z"), instant("2025-12-31T23:59:59Z"));
    let cadence = match column {
        "hour" => Cadence::Hour,
        "day" => Cadence::Day,
        "week monday" => Cadence::Week { starts: Weekday::Mon },
        "week sunday" => Cadence::Week { starts: Weekday::Sun },
        "month" => Cadence::Month,
        "quarter" => Cadence::Quarter,
        pattern => {
            let every_hour = pattern.starts_with("0 * ") || pattern.starts_with("*/20");
            let (after, until) = if every_hour { short } else { long };
            let fires = Timetable::new(&[pattern.to_owned()], zone, None).between(after, until, usize::MAX);
            return digest(fires.iter().map(|fire| fire.at.to_utc()));
        }
    };
    let (after, until) = if cadence == Cadence::Hour { short } else { long };
    let mut interval = cadence.containing(after.with_timezone(&zone));
    let mut starts = Vec::new();
    while interval.end.to_utc() <= until {
        let next = cadence.next(&interval);
        assert_eq!(next.start, interval.end, "{column} in {zone}: intervals tile the line");
        starts.push(next.start.to_utc());
        interval = next;
    }
    digest(starts)
}

#[test]
fn every_zone_fires_and_tiles_as_another_program_says() {
    let mut lines = CASES.lines();
    let columns: Vec<&str> = lines.next().expect("a head").split('\t').collect();
    let mut expected: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        for zone in fields[columns.len()].split(',') {
            expected.insert(zone, fields[..columns.len()].to_vec());
        }
    }
    let check = |zones: &[Tz]| {
        let mut wrong = Vec::new();
        for zone in zones {
            let Some(row) = expected.get(zone.name()) else {
                wrong.push(format!("{zone} is not in the cases"));
                continue;
            };
            for (column, expected) in columns.iter().zip(row) {
                let found = found(column, *zone);
                if found != *expected {
                    wrong.push(format!("{zone} `{column}`: {found}, expected {expected}"));
                }
            }
        }
        wrong
    };
    let (one, other) = TZ_VARIANTS.split_at(TZ_VARIANTS.len() / 2);
    let wrong = std::thread::scope(|scope| {
        let beside = scope.spawn(|| check(one));
        let mut wrong = check(other);
        wrong.extend(beside.join().expect("no panic"));
        wrong
    });
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(expected.len() >= 590, "all zones were compared: {}", expected.len());
}

fn fires(cron: &[&str], zone: Tz, calendar: Option<Calendar>, from: &str, until: &str) -> Vec<(String, Vec<Note>)> {
    let cron: Vec<String> = cron.iter().map(|text| (*text).to_owned()).collect();
    let table = Timetable::new(&cron, zone, calendar);
    let at = |text: &str| AsOf::parse(text, zone).expect("a time").0.to_utc();
    let fires = table.between(at(from), at(until), usize::MAX);
    fires.into_iter().map(|f| (f.at.format("%m-%d %H:%M%:z").to_string(), f.notes)).collect()
}

#[test]
fn a_clock_change_is_noted_and_fires_once() {
    let berlin = chrono_tz::Europe::Berlin;
    let spring = fires(&["30 2 * * *"], berlin, None, "2027-03-27T12:00", "2027-03-29T12:00");
    let gap = Note::NoSuchTime("2027-03-28T02:30:00".parse().expect("a time"));
    assert_eq!(spring, [("03-28 03:00+02:00".to_owned(), vec![gap]), ("03-29 02:30+02:00".to_owned(), vec![])]);
    let autumn = fires(&["30 2 * * *"], berlin, None, "2027-10-30T12:00", "2027-11-01T12:00");
    let first = ("10-31 02:30+02:00".to_owned(), vec![Note::TwiceFirst]);
    assert_eq!(autumn, [first, ("11-01 02:30+01:00".to_owned(), vec![])]);
    // Every hour is elapsed hours: 25 that day, and the same two patterns that meet fire once.
    let hours = fires(&["0 * * * *", "0 0-23 * * *"], berlin, None, "2027-10-30T23:59", "2027-10-31T23:59");
    assert_eq!((hours.len(), hours[3].1.as_slice()), (25, &[Note::TwiceAgain][..]));
}

#[test]
fn days_without_business_move_their_fires_and_those_that_meet_are_one() {
    let england = Calendar {
        business_days: vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri],
        holidays: ["2026-12-25", "2026-12-28"].iter().map(|d| d.parse().expect("a date")).collect(),
    };
    let zone = chrono_tz::Europe::London;
    let all = fires(&["0 6 * * *"], zone, Some(england.clone()), "2026-12-24", "2026-12-30");
    let at: Vec<&str> = all.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(at, ["12-24 06:00+00:00", "12-29 06:00+00:00"]);
    assert_eq!(all[1].1.len(), 4, "Friday to Monday moved: {:?}", all[1].1);
    // Asked from the middle of the closed days, it is the same.
    assert_eq!(fires(&["0 6 * * *"], zone, Some(england.clone()), "2026-12-27", "2026-12-30")[..], all[1..]);
    let month = fires(&["0 6 25 * *"], zone, Some(england), "2026-12-26", "2027-01-26");
    assert_eq!(month.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["12-29 06:00+00:00", "01-25 06:00+00:00"]);
}

#[test]
fn next_and_last_agree_with_the_whole_and_see_far() {
    let zone = chrono_tz::America::New_York;
    let table = Timetable::new(&["30 1 29 2 *".to_owned()], zone, None);
    let day = |text: &str| start_of_day(text.parse().expect("a date"), zone).to_utc();
    assert_eq!(table.next(day("2024-03-01")).expect("a fire").at.to_string(), "2028-02-29 01:30:00 EST");
    assert_eq!(table.last(day("2028-02-01")).expect("a fire").at.to_string(), "2024-02-29 01:30:00 EST");
    let at = table.next(day("2024-03-01")).expect("a fire").at.to_utc();
    assert_eq!(table.last(at).expect("a fire").at.to_utc(), at, "up to and including");
    assert!(table.next(at).expect("a fire").at.to_utc() > at, "later than");
    assert!(Timetable::new(&[], zone, None).next(at).is_none());
}
