//! Runs one step: SQL → table, table → checked table. Publishes nothing.

mod check;
mod contract;
mod error;
mod expect;
mod given;
mod late;
mod make;
mod mistake;
mod offline;
mod trial;

pub use check::{check, judge, quarantine_outcome, row_change};
pub use contract::core_schema;
pub use error::StageError;
pub use expect::{Difference, Unlike, differences};
pub use given::{conform, given_rows};
pub use late::{Window, late, late_outcome};
pub use make::{Making, make};
pub use mistake::{Refused, columns, mistake};
pub use offline::{Planned, Schemas, plan_offline, schema_of};
pub use trial::{broken_checks, make_held, make_statement};
