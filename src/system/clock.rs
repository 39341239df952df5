//! Wall-clock time: the real one, and three that tests and rehearsals use.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

#[derive(Debug, Clone)]
pub enum Clock {
    Real,
    /// Milliseconds since the epoch, moved by a test.
    Manual(Arc<AtomicI64>),
    /// Stands still while there is work, and is moved by `serve` from one fire to the next until the end. Milliseconds.
    Leaping {
        now: Arc<AtomicI64>,
        end: i64,
    },
    /// Runs so many times faster than the real one, and was the same at `same`: every process with these figures agrees.
    Fast {
        start: DateTime<Utc>,
        times: i32,
        same: DateTime<Utc>,
    },
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system for the time")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Real => Utc::now(),
            Self::Manual(now) | Self::Leaping { now, .. } => {
                DateTime::from_timestamp_millis(now.load(Ordering::SeqCst)).unwrap_or_default()
            }
            Self::Fast { start, times, same } => *start + (Utc::now() - *same) * *times,
        }
    }

    /// Moves a leaping clock on; `false` when it would be past its end. Others go by themselves.
    pub fn leap(&self, to: DateTime<Utc>) -> bool {
        let Self::Leaping { now, end } = self else { return true };
        now.fetch_max(to.timestamp_millis().min(*end), Ordering::SeqCst);
        to.timestamp_millis() <= *end
    }
}

/// `2010-12-01T00:00:00Z..2011-12-10T12:00:00Z` leaps; `2027-01-01T00:00:00Z x3600 since 2026-11-25T09:00:00Z` is fast.
impl FromStr for Clock {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "MATINS_CLOCK is `{text}`: write `2027-01-01T00:00:00Z..2027-12-31T00:00:00Z`, or `2027-01-01T00:00:00Z \
                 x3600 since 2026-11-25T09:00:00Z`"
            )
        };
        let instant = |text: &str| DateTime::parse_from_rfc3339(text.trim()).map(|at| at.to_utc()).map_err(|_| bad());
        if let Some((start, end)) = text.split_once("..") {
            let now = Arc::new(AtomicI64::new(instant(start)?.timestamp_millis()));
            return Ok(Self::Leaping { now, end: instant(end)?.timestamp_millis() });
        }
        let (start, rest) = text.split_once(" x").ok_or_else(bad)?;
        let (times, same) = rest.split_once(" since ").ok_or_else(bad)?;
        let times = times.trim().parse().map_err(|_| bad())?;
        Ok(Self::Fast { start: instant(start)?, times, same: instant(same)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaping_clock_stands_still_and_ends() {
        let clock: Clock = "2027-01-01T00:00:00Z..2027-01-02T00:00:00Z".parse().expect("a clock");
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        assert_eq!(clock.now(), at("2027-01-01T00:00:00Z"));
        assert!(clock.leap(at("2027-01-01T12:00:00Z")));
        assert!(clock.leap(at("2027-01-01T06:00:00Z")), "it never goes back");
        assert_eq!(clock.now(), at("2027-01-01T12:00:00Z"));
        assert!(!clock.leap(at("2027-01-02T00:00:01Z")));
    }

    #[test]
    fn a_fast_clock_is_the_same_for_all_who_have_its_figures() {
        let clock: Clock = "2027-01-01T00:00:00Z x3600 since 2026-11-25T09:00:00Z".parse().expect("a clock");
        let Clock::Fast { start, times, same } = &clock else { panic!("{clock:?}") };
        assert_eq!((start.to_rfc3339().as_str(), *times), ("2027-01-01T00:00:00+00:00", 3600));
        assert_eq!(same.to_rfc3339(), "2026-11-25T09:00:00+00:00");
        assert!("tomorrow".parse::<Clock>().is_err() && "2027-01-01T00:00:00Z x".parse::<Clock>().is_err());
    }
}
