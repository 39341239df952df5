//! Snapshot → view → HTML, plain text and subject. Pure: no clock, no store, no async; the same input gives the same bytes.
//!
//! `ReportInput` is what the conductor read from a snapshot. `context` turns it into what a template sees, `filters`
//! are what a template may do with it, and `check` finds a template's mistakes before the night does.

mod ahead;
mod alerts;
mod archive;
mod changes;
mod chart;
mod check;
mod context;
mod filters;
mod headline;
mod input;
mod late;
mod mail;
mod matrix;
mod number;
mod plain;
mod tables;
mod template;
mod theme;
mod words;
mod workbook;

pub use alerts::alerts;
pub use archive::{
    Archived, Link, WhyCheck, WhyPage, WhyPart, WhySource, WhyTable, explained, index_page, why_page, with_sources,
};
pub use check::{LARGEST_MAIL, check, check_without_rows, made_up};
pub use input::{
    Cell, ColumnType, KpiPoint, KpiSeries, ReportInput, Restatement, SourceLine, Table, TableColumn, UNSUBSCRIBE,
};
pub use late::late;
pub use number::of_unit;
pub use template::{Image, Rendered, ReportError, Templates, compile, render};
pub use workbook::{WORKBOOK_TYPE, workbook, workbook_name};

#[cfg(test)]
mod tests;
