//! What a report is made of: rows and figures of one snapshot, as plain values.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::base::{AsOf, Fingerprint, PipelineName, SourceName};
use crate::config::Kpi;
use crate::lake::{Alert, Balance, CheckOutcome};

/// Everything a template may show. Nothing in it tells one run of the same snapshot from another.
#[derive(Debug, Clone)]
pub struct ReportInput {
    pub pipeline: PipelineName,
    /// The end of the interval, exclusive: figures hold what happened before it.
    pub as_of: AsOf,
    /// The interval as people call it, as in `2011-12-09`.
    pub interval: String,
    /// Of the snapshot's tables: two reports with the same one show the same rows.
    pub content: Fingerprint,
    /// False when a source's exports carry no date.
    pub reproducible: bool,
    pub sources: Vec<SourceLine>,
    pub checks: Vec<CheckOutcome>,
    /// In the order the pipeline names them; the first six that are shown are the headline.
    pub kpis: Vec<KpiSeries>,
    pub alerts: Vec<Alert>,
    /// What this snapshot says otherwise than the one before it.
    pub restatements: Vec<Restatement>,
    /// By the names the report's `data` gives them.
    pub tables: BTreeMap<String, Table>,
    /// Where its page is read, when the project names a site. Messages lead there; the page does not say it of itself.
    pub page: Option<String>,
    /// Whether people can leave the list. A mail says how, and has `UNSUBSCRIBE` where the recipient's own way is put.
    pub unsubscribe: bool,
}

/// Stands in a rendered mail and its text for what only the message to one recipient can say.
pub const UNSUBSCRIBE: &str = "{unsubscribe}";

/// What came in from one source.
#[derive(Debug, Clone)]
pub struct SourceLine {
    pub name: SourceName,
    /// None when its exports carry no date.
    pub latest_export: Option<NaiveDate>,
    pub exports: usize,
    pub balance: Balance,
}

/// One KPI over time.
#[derive(Debug, Clone)]
pub struct KpiSeries {
    pub kpi: Kpi,
    /// In a sentence, for the report's definitions: the description of the stage that makes its table.
    pub definition: Option<String>,
    pub points: Vec<KpiPoint>,
}

/// A value of a closed period that was published as another.
#[derive(Debug, Clone)]
pub struct Restatement {
    pub kpi: Kpi,
    pub period: NaiveDate,
    pub was: Option<f64>,
    pub value: Option<f64>,
    pub n: Option<i64>,
}

/// One row of a KPI's table.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiPoint {
    /// The first day of the period.
    pub period: NaiveDate,
    /// None where the denominator is nought.
    pub value: Option<f64>,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
    /// How many people or things it rests on.
    pub n: Option<i64>,
    /// The 95 % interval, where one means something.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// The period is not over, or late exports may still change it.
    pub provisional: bool,
}

/// The rows of a table of the snapshot.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub columns: Vec<TableColumn>,
    /// As many cells in a row as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    pub kind: ColumnType,
}

/// Which cells a column holds, besides nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Integer,
    /// Decimals and floats.
    Number,
    Text,
    Date,
    Boolean,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Integer(i64),
    /// A decimal as digits with a point. Rounding happens only where it is shown.
    Decimal(String),
    Number(f64),
    Text(String),
    Date(NaiveDate),
    Boolean(bool),
}
