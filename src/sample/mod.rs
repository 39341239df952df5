//! The fictional company "Hartwell & Finch": its business, and the exports its systems drop, faults included. The same
//! specification gives the same bytes for ever. Does no I/O and draws nothing from outside.

mod company;
mod drops;
mod faults;
mod random;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod truth;

use chrono::{Datelike, Days, Months, NaiveDate};

pub use drops::exports;
pub use truth::Truth;

/// Which company to make: how large, from when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub customers: u32,
    pub seed: u64,
    /// The first day of business the exports know.
    pub start: NaiveDate,
    /// The day after the last one; the last drop is dated the day before it.
    pub as_of: NaiveDate,
}

/// One export, or `truth.json` at the end of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleFile {
    /// Below the store's folder, with `/` between folders.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl Spec {
    /// Eighteen months of a company of this size.
    pub fn of(customers: u32, as_of: NaiveDate) -> Self {
        Self { customers, seed: 1851, start: as_of - Months::new(18), as_of }
    }

    /// The last day of business.
    fn last_day(&self) -> NaiveDate {
        self.as_of - Days::new(1)
    }

    /// The first day of the month that lies so many months before the one of the last day.
    fn month_before_last(&self, months: u32) -> NaiveDate {
        let last = self.last_day();
        last.with_day(1).unwrap_or(last) - Months::new(months)
    }

    /// From this month on fewer customers give up after an order.
    fn retention_shift(&self) -> NaiveDate {
        self.month_before_last(9)
    }

    /// In this month a third of the customers leave at once.
    fn churn_wave(&self) -> NaiveDate {
        self.month_before_last(4)
    }

    /// In this month a campaign brings some of those who left back.
    fn win_back(&self) -> NaiveDate {
        self.month_before_last(2)
    }

    /// In this month service is slow and customers say so.
    fn nps_drop(&self) -> NaiveDate {
        self.month_before_last(3)
    }

    /// The dates of the weekly drops, oldest first. Each holds the days since the one before; the first may hold fewer.
    fn drop_dates(&self) -> Vec<NaiveDate> {
        let mut dates: Vec<NaiveDate> =
            self.last_day().iter_days().rev().step_by(7).take_while(|date| *date >= self.start).collect();
        dates.reverse();
        dates
    }
}
