//! The periods that the table of an incremental stage is cut into: which there are, and which exports and rows make each.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::config::{ByTime, Period};

/// From a date to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from: NaiveDate,
    pub until: NaiveDate,
}

/// What decides the part a row is in. A table and the one it is made from have the same parts when they are cut alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The date of the export that brought it.
    Exports(Period),
    /// A time of its own.
    Times(Period),
}

impl Cut {
    pub fn every(self) -> Period {
        match self {
            Self::Exports(every) | Self::Times(every) => every,
        }
    }
}

impl Span {
    /// The period that holds a date.
    pub fn of(every: Period, date: NaiveDate) -> Self {
        match every {
            Period::Day => Self { from: date, until: date + Days::new(1) },
            Period::Month => {
                let from = date - Days::new(date.day0().into());
                Self { from, until: from + Months::new(1) }
            }
        }
    }

    pub fn holds(self, date: NaiveDate) -> bool {
        self.from <= date && date < self.until
    }

    /// `2011-12-09`, or `2011-12`.
    pub fn name(self, every: Period) -> String {
        match every {
            Period::Day => self.from.to_string(),
            Period::Month => format!("{:04}-{:02}", self.from.year(), self.from.month()),
        }
    }
}

/// The dates of the exports that a part reads.
pub fn exports_of(by: &ByTime, part: Span) -> Span {
    Span { from: part.from - days(by.lookahead_days), until: part.until + days(by.lookback_days) }
}

/// The times of an export's rows whose parts read it: from the start of the first such part to the end of the last.
pub fn times_of(every: Period, by: &ByTime, date: NaiveDate) -> Span {
    Span {
        from: Span::of(every, date - days(by.lookback_days)).from,
        until: Span::of(every, date + days(by.lookahead_days)).until,
    }
}

/// The first days of the parts that read an export.
pub fn parts_of(every: Period, by: &ByTime, date: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    let times = times_of(every, by, date);
    std::iter::successors(Some(times.from), move |from| Some(Span::of(every, *from).until))
        .take_while(move |from| *from < times.until)
}

/// The `lookback` that would let a part read a row of this date out of an export of that one.
pub fn lookback_for(every: Period, date: NaiveDate, export: NaiveDate) -> i64 {
    (export - Span::of(every, date).until).num_days() + 1
}

/// The `lookahead` that would.
pub fn lookahead_for(every: Period, date: NaiveDate, export: NaiveDate) -> i64 {
    (Span::of(every, date).from - export).num_days()
}

fn days(count: u32) -> Days {
    Days::new(count.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Place, SourceText};
    use crate::config::Severity;

    fn by(lookback_days: u32, lookahead_days: u32) -> ByTime {
        let place = Place::file(&SourceText::new("x.sql", ""));
        ByTime { column: "at".to_owned(), lookback_days, lookahead_days, late: Severity::Error, place }
    }

    proptest! {
        /// A row is in the times of its export exactly where the part of its time reads that export, and a row that is in
        /// none is read with the lookback or lookahead that is named for it, and with no less.
        #[test]
        fn a_row_is_told_or_read(
            month in any::<bool>(), lookback in 0u32..70, lookahead in 0u32..70, export in 0u64..400, row in 0u64..400,
        ) {
            let every = if month { Period::Month } else { Period::Day };
            let first = NaiveDate::from_ymd_opt(2023, 11, 15).expect("a date");
            let (export, row) = (first + Days::new(export), first + Days::new(row));
            let by_these = by(lookback, lookahead);
            let part = Span::of(every, row);
            prop_assert!(part.holds(row));
            let is_read = |by: &ByTime| exports_of(by, part).holds(export);
            prop_assert_eq!(times_of(every, &by_these, export).holds(row), is_read(&by_these));
            prop_assert_eq!(parts_of(every, &by_these, export).any(|from| from == part.from), is_read(&by_these));
            if let Ok(needed) = u32::try_from(lookback_for(every, row, export)) {
                prop_assert!(is_read(&by(needed, lookahead)));
                prop_assert!(needed == 0 || row >= export || !is_read(&by(needed - 1, lookahead)));
            }
            if let Ok(needed) = u32::try_from(lookahead_for(every, row, export)) {
                prop_assert!(is_read(&by(lookback, needed)));
                prop_assert!(needed == 0 || !is_read(&by(lookback, needed - 1)));
            }
        }
    }
}
