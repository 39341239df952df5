//! Runs one step: SQL → table, table → checked table. Publishes nothing.

mod check;
mod contract;
mod error;
mod late;
mod make;
mod mistake;
mod offline;

pub use check::{check, judge, quarantine_outcome, row_change};
pub use error::StageError;
pub use late::{Window, late, late_outcome};
pub use make::{Making, make};
pub use mistake::{Refused, columns, mistake};
pub use offline::{Planned, Schemas, plan_offline};
