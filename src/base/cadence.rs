//! Calendar time: the spans of local time that runs are for. A day may last 23 or 25 hours.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, Duration, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
    Weekday,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The calendar unit of a pipeline's intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cadence {
    /// From one full hour of the local clock to the next: an elapsed hour, also where the clock changes, and in the hour
    /// that happens twice both are intervals. Only a change by part of an hour (Lord Howe) makes one of them longer.
    Hour,
    Day,
    /// Begins on Monday, or on Sunday when the pipeline says so.
    Week {
        starts: Weekday,
    },
    Month,
    Quarter,
}

/// The half-open span `[start, end)` a run is for, in the pipeline's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    pub start: DateTime<Tz>,
    pub end: DateTime<Tz>,
}

/// The instant a run looks back from: the end of its interval. Written as a date when it is a midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsOf(pub DateTime<Tz>);

/// The first instant of a date in a zone; where midnight does not exist, the first instant after the gap.
pub fn start_of_day(date: NaiveDate, zone: Tz) -> DateTime<Tz> {
    WallTime::of(date.and_time(NaiveTime::MIN), zone).first()
}

/// A time of the wall clock, and when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallTime {
    Once(DateTime<Tz>),
    /// It is left out when clocks go forward; the first instant after the gap.
    Never(DateTime<Tz>),
    /// Clocks go back over it.
    Twice(DateTime<Tz>, DateTime<Tz>),
}

impl WallTime {
    pub fn of(wall: NaiveDateTime, zone: Tz) -> Self {
        match zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => Self::Once(at),
            LocalResult::Ambiguous(first, second) => Self::Twice(first, second),
            LocalResult::None => Self::Never(after_gap(wall, zone)),
        }
    }

    /// The first of two, or the first instant after the gap.
    pub fn first(self) -> DateTime<Tz> {
        match self {
            Self::Once(at) | Self::Never(at) | Self::Twice(at, _) => at,
        }
    }
}

/// The first instant whose wall clock is past a time that does not exist.
fn after_gap(wall: NaiveDateTime, zone: Tz) -> DateTime<Tz> {
    let shows = |utc: NaiveDateTime| zone.from_utc_datetime(&utc).naive_local();
    // Offsets lie between -12 and +14 hours, and the longest gap, at the date line, is a day.
    let (mut before, mut after) = (wall - Duration::hours(15), wall + Duration::hours(37));
    while after - before > Duration::seconds(1) {
        let middle = before + Duration::seconds((after - before).num_seconds() / 2);
        if shows(middle) > wall {
            after = middle;
        } else {
            before = middle;
        }
    }
    zone.from_utc_datetime(&after)
}

/// The hour that holds an instant: between two instants at which the wall clock shows a full hour.
fn hour_of(at: DateTime<Tz>) -> Interval {
    let zone = at.timezone();
    let instant = |seconds: i64| DateTime::from_timestamp(seconds, 0).unwrap_or_default().with_timezone(&zone);
    let offset = |seconds: i64| i64::from(instant(seconds).offset().fix().local_minus_utc());
    let is_full = |seconds: &i64| (seconds + offset(*seconds)).rem_euclid(3600) == 0;
    let now = at.timestamp();
    // A full hour by an offset that is or was in force near by; the change itself may have moved it away.
    let full_hours = move |around: i64| {
        let floor = now + offset(around) - (now + offset(around)).rem_euclid(3600) - offset(around);
        (-3..=3).map(move |hours| floor + hours * 3600)
    };
    let near = [now - 7200, now - 3600, now, now + 3600, now + 7200];
    let all: Vec<i64> = near.into_iter().flat_map(full_hours).filter(is_full).collect();
    let start = all.iter().copied().filter(|s| *s <= now).max().unwrap_or(now);
    let end = all.iter().copied().filter(|s| *s > now).min().unwrap_or(now + 3600);
    Interval { start: instant(start), end: instant(end) }
}

impl Cadence {
    /// The interval that holds this instant.
    pub fn containing(self, at: DateTime<Tz>) -> Interval {
        let zone = at.timezone();
        if self == Self::Hour {
            return hour_of(at);
        }
        let first = self.first_date(at.date_naive());
        let next = self.next_date(first);
        Interval { start: start_of_day(first, zone), end: start_of_day(next, zone) }
    }

    /// The last interval that ended at or before this instant.
    pub fn last_closed(self, now: DateTime<Tz>) -> Interval {
        self.previous(&self.containing(now))
    }

    /// The interval that ends here, if one does.
    pub fn ending_at(self, end: DateTime<Tz>) -> Option<Interval> {
        let interval = self.containing(end - Duration::nanoseconds(1));
        (interval.end == end).then_some(interval)
    }

    pub fn previous(self, interval: &Interval) -> Interval {
        self.containing(interval.start - Duration::nanoseconds(1))
    }

    pub fn next(self, interval: &Interval) -> Interval {
        self.containing(interval.end)
    }

    /// Every interval from the one that holds `from` to the one that holds `to`, both included.
    pub fn between(self, from: DateTime<Tz>, to: DateTime<Tz>) -> Vec<Interval> {
        let mut all = Vec::new();
        let mut interval = self.containing(from);
        while interval.start <= to {
            all.push(interval);
            interval = self.next(&interval);
        }
        all
    }

    fn first_date(self, date: NaiveDate) -> NaiveDate {
        match self {
            Self::Hour | Self::Day => date,
            Self::Week { starts } => date - Days::new(u64::from(date.weekday().days_since(starts))),
            Self::Month => date.with_day(1).unwrap_or(date),
            Self::Quarter => NaiveDate::from_ymd_opt(date.year(), (date.month0() / 3) * 3 + 1, 1).unwrap_or(date),
        }
    }

    fn next_date(self, first: NaiveDate) -> NaiveDate {
        match self {
            Self::Hour | Self::Day => first + Days::new(1),
            Self::Week { .. } => first + Days::new(7),
            Self::Month => first + Months::new(1),
            Self::Quarter => first + Months::new(3),
        }
    }
}

impl Interval {
    pub fn as_of(&self) -> AsOf {
        AsOf(self.end)
    }

    /// How it is called on screen: the start, as a date where it is one.
    pub fn label(&self) -> String {
        AsOf(self.start).to_string()
    }
}

impl AsOf {
    /// Reads `2011-12-10` or `2011-12-10T14:00` in a zone.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, String> {
        if let Ok(date) = NaiveDate::from_str(text) {
            return Ok(Self(start_of_day(date, zone)));
        }
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(instant.with_timezone(&zone)));
        }
        for format in ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"] {
            if let Ok(wall) = NaiveDateTime::parse_from_str(text, format) {
                return Ok(Self(WallTime::of(wall, zone).first()));
            }
        }
        Err(format!("`{text}` is not a date: write it like `2011-12-10` or `2011-12-10T14:00`"))
    }

    /// The local date that begins or contains this instant.
    pub fn date(&self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Whether it is the first instant of a local day.
    pub fn is_midnight(&self) -> bool {
        start_of_day(self.date(), self.0.timezone()) == self.0
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_midnight() {
            write!(f, "{}", self.date())
        } else {
            write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M%:z"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::Sao_Paulo, Asia::Shanghai, Europe::Berlin};

    fn day(text: &str, zone: Tz) -> DateTime<Tz> {
        AsOf::parse(text, zone).expect("a date").0
    }

    #[test]
    fn days_around_a_clock_change_are_23_and_25_hours() {
        let spring = Cadence::Day.containing(day("2024-03-31", Berlin));
        let autumn = Cadence::Day.containing(day("2024-10-27", Berlin));
        assert_eq!((spring.end - spring.start).num_hours(), 23);
        assert_eq!((autumn.end - autumn.start).num_hours(), 25);
    }

    #[test]
    fn a_midnight_that_does_not_exist_is_the_first_instant_after_it() {
        let start = start_of_day(NaiveDate::from_ymd_opt(2018, 11, 4).expect("a date"), Sao_Paulo);
        assert_eq!(start.to_string(), "2018-11-04 01:00:00 -02");
        assert_eq!(AsOf(start).to_string(), "2018-11-04");
    }

    #[test]
    fn hours_are_elapsed_hours() {
        let day = Cadence::Day.containing(day("2024-10-27", Berlin));
        let hours = Cadence::Hour.between(day.start, day.end - Duration::seconds(1));
        assert_eq!(hours.len(), 25);
    }

    #[test]
    fn a_change_by_half_an_hour_makes_an_hour_and_a_half() {
        let zone = chrono_tz::Australia::Lord_Howe;
        for date in ["2024-04-07", "2024-10-06"] {
            let of_day = Cadence::Day.containing(day(date, zone));
            let hours = Cadence::Hour.between(of_day.start, of_day.end - Duration::seconds(1));
            assert!(hours.windows(2).all(|pair| pair[0].end == pair[1].start), "{hours:?}");
            let lengths: Vec<i64> = hours.iter().map(|h| (h.end - h.start).num_minutes()).collect();
            assert_eq!(lengths.iter().filter(|m| **m != 60).collect::<Vec<_>>(), [&90], "{date}");
        }
    }

    #[test]
    fn a_time_in_a_gap_is_the_first_instant_after_it_to_the_second() {
        let wall = "2024-03-31T02:30:15".parse().expect("a time");
        assert_eq!(WallTime::of(wall, Berlin), WallTime::Never(day("2024-03-31T03:00", Berlin)));
    }

    #[test]
    fn the_last_closed_interval_ends_at_or_before_now() {
        let now = day("2024-03-01T02:30", Shanghai);
        assert_eq!(Cadence::Day.last_closed(now).label(), "2024-02-29");
        assert_eq!(Cadence::Month.last_closed(now).label(), "2024-02-01");
        assert_eq!(Cadence::Week { starts: Weekday::Mon }.last_closed(now).label(), "2024-02-19");
        assert_eq!(Cadence::Quarter.last_closed(now).label(), "2023-10-01");
        assert!(Cadence::Day.ending_at(now).is_none());
    }

    proptest::proptest! {
        /// In every zone the intervals tile the line: each begins where the one before ended.
        #[test]
        fn intervals_tile_the_line(zone in 0..chrono_tz::TZ_VARIANTS.len(), hour in 0i64..100_000, unit in 0usize..5) {
            let zone = chrono_tz::TZ_VARIANTS[zone];
            let cadence = [Cadence::Hour, Cadence::Day, Cadence::Week { starts: Weekday::Sun }, Cadence::Month, Cadence::Quarter][unit];
            let at = zone.timestamp_opt(1_577_836_800 + hour * 3600 + 1234, 0).unwrap();
            let interval = cadence.containing(at);
            proptest::prop_assert!(interval.start <= at && at < interval.end);
            proptest::prop_assert_eq!(cadence.next(&interval).start, interval.end);
            proptest::prop_assert_eq!(cadence.previous(&interval).end, interval.start);
        }
    }
}
