//! Calendar time: the spans of local time that runs are for. A day may last 23 or 25 hours.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Weekday,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// The calendar unit of a pipeline's intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cadence {
    /// An elapsed hour: in the hour that happens twice both are intervals.
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
    local(date.and_time(NaiveTime::MIN), zone)
}

/// A wall-clock time as an instant: the first of two, or the first instant after a gap.
fn local(wall: NaiveDateTime, zone: Tz) -> DateTime<Tz> {
    // No gap in the time-zone database is longer than a day, so the search ends.
    (0..=24 * 60)
        .find_map(|minute| zone.from_local_datetime(&(wall + Duration::minutes(minute))).earliest())
        .unwrap_or_else(|| zone.from_utc_datetime(&wall))
}

impl Cadence {
    /// The interval that holds this instant.
    pub fn containing(self, at: DateTime<Tz>) -> Interval {
        let zone = at.timezone();
        if self == Self::Hour {
            let into = Duration::minutes(i64::from(at.minute()))
                + Duration::seconds(i64::from(at.second()))
                + Duration::nanoseconds(i64::from(at.nanosecond() % 1_000_000_000));
            let start = at - into;
            return Interval { start, end: start + Duration::hours(1) };
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
                return Ok(Self(local(wall, zone)));
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
