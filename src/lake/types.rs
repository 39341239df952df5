//! The values that are kept, as the rest of the program knows them. What is on disk mirrors them (`disk`), versioned.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::base::{Fingerprint, KpiName, PipelineName, RunEnd, RunId, SourceName, TableName};
use crate::config::Severity;
use crate::plan::{Cursor, Export};
use crate::system::Process;

/// One Parquet file, by its path below the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    pub path: String,
    pub rows: u64,
    pub size_bytes: u64,
}

/// Rows in and out of a source. `read = landed + quarantined + deduplicated`, always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    pub read: u64,
    pub landed: u64,
    pub quarantined: u64,
    pub deduplicated: u64,
}

impl Balance {
    pub fn holds(&self) -> bool {
        self.read == self.landed + self.quarantined + self.deduplicated
    }
}

impl std::ops::Add for Balance {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            landed: self.landed + other.landed,
            quarantined: self.quarantined + other.quarantined,
            deduplicated: self.deduplicated + other.deduplicated,
        }
    }
}

/// What is landed from one export: `landed/<source>/<fingerprint>/_landed.json`, create-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    pub fingerprint: Fingerprint,
    pub source: SourceName,
    pub export: Export,
    /// Never empty: an export without rows has a file without rows.
    pub files: Vec<DataFile>,
    pub rows_read: u64,
    pub rows_landed: u64,
    pub rows_quarantined: u64,
    /// Present when rows were quarantined.
    pub quarantine: Option<DataFile>,
    /// For the reader of the run: unknown columns, an export that seems cut off.
    pub warnings: Vec<String>,
}

/// The rows of a source at one instant: `tables/raw.<source>/<fingerprint>/_table.json`, create-only.
///
/// The rows stay where they landed; what a key's duplicates lose is a list of rows to skip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawTable {
    pub fingerprint: Fingerprint,
    pub source: SourceName,
    /// In the order of date, then path.
    pub exports: Vec<RawExport>,
    pub balance: Balance,
    /// A Parquet file of (`file`, `row`): rows of `file` (a path) that another row with the same key replaces.
    pub dropped: Option<DataFile>,
}

/// One landed export in a raw table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawExport {
    pub fingerprint: Fingerprint,
    pub path: String,
    pub date: Option<NaiveDate>,
    pub files: Vec<DataFile>,
    pub rows_read: u64,
    pub rows_quarantined: u64,
    pub quarantine: Option<DataFile>,
}

/// One part of a table: `tables/<table>/<fingerprint>/_table.json`, create-only; names the winning attempt's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePart {
    pub fingerprint: Fingerprint,
    pub table: TableName,
    /// `2011-12` for a part of an incremental stage.
    pub period: Option<String>,
    /// Never empty.
    pub files: Vec<DataFile>,
    pub rows: u64,
    pub rows_quarantined: u64,
    pub quarantine: Option<DataFile>,
    /// Of a part by a time of its rows: what the exports dated in it brought that no part holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
}

/// Rows of exports, and those of them that are in no part because they came too late, or too early.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// All rows of the exports.
    pub rows: u64,
    /// Exports that brought some.
    pub exports: Vec<LateExport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateExport {
    pub path: String,
    pub date: NaiveDate,
    /// Its rows that are in no part.
    pub rows: u64,
    /// Those of them without a time.
    pub timeless: u64,
    /// The least time that came too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<NaiveDate>,
    /// The greatest time that came too early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<NaiveDate>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutcome {
    pub table: TableName,
    pub check: String,
    pub severity: Severity,
    pub status: CheckStatus,
    pub bad_rows: u64,
    pub rows: u64,
    /// What was seen, for a person: `least 3, allowed 5`, `no snapshot before this one`.
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Passed,
    /// Found bad rows, within the limit or with a severity that lets it pass.
    Noted,
    /// Blocks publishing.
    Failed,
}

/// A table that has been written and checked. Only `seal` makes one, and publishing takes nothing else.
#[derive(Debug, Clone)]
pub struct Sealed(PublishedTable);

/// A table of a snapshot: where its rows are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedTable {
    pub name: TableName,
    /// Of all its parts.
    pub fingerprint: Fingerprint,
    pub rows: u64,
    /// For `raw.*`: the fingerprint of the `RawTable`, and of the one that a closed month was seen in, if it has other exports. For a stage's table: its parts in order of period.
    pub parts: Vec<Fingerprint>,
    /// Of the set of checks that was evaluated on it.
    pub checks: Fingerprint,
    /// What it is made from, in words and short fingerprints: a later plan says from it what changed.
    pub made_from: BTreeMap<String, String>,
}

/// Why a table may not be published: the outcomes that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocked(pub Vec<CheckOutcome>);

/// The only way to a table that can be published.
pub fn seal(table: PublishedTable, outcomes: &[CheckOutcome]) -> Result<Sealed, Blocked> {
    let failed: Vec<_> = outcomes.iter().filter(|o| o.status == CheckStatus::Failed).cloned().collect();
    if failed.is_empty() { Ok(Sealed(table)) } else { Err(Blocked(failed)) }
}

impl Sealed {
    pub fn table(&self) -> &PublishedTable {
        &self.0
    }
}

/// One link of a pipeline's chain: `snapshots/<pipeline>/<number>.json`, create-only. A publication, a lease change, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub number: u64,
    /// Tells our own create apart from somebody else's when the store says "exists".
    pub nonce: String,
    pub written_at: DateTime<Utc>,
    /// Who may create the next link; nobody when the lease is free.
    pub lease: Option<Lease>,
    /// Never goes down; every taking of the lease raises it.
    pub epoch: u64,
    /// The number of the manifest readers follow; none before the first publication.
    pub head: Option<u64>,
    /// Set by `rollback`: publications no longer move `head` until it is released.
    pub head_held: bool,
    /// The last publication at or before this link, to walk the chain without reading lease changes.
    pub last_publication: Option<u64>,
    /// The last publication before this link: the next step of that walk.
    pub previous_publication: Option<u64>,
    pub publication: Option<Publication>,
    /// How far the schedule is accounted for; carried from link to link. None as long as no scheduler has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub epoch: u64,
    pub holder: Process,
    pub run: RunId,
}

/// What a run published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    pub run: RunId,
    /// Interval bounds as RFC 3339 with offset; `as_of` is as people write it.
    pub start: DateTime<chrono::FixedOffset>,
    pub end: DateTime<chrono::FixedOffset>,
    pub as_of: String,
    pub time_zone: String,
    /// Of the tables' names and fingerprints: two snapshots with the same one hold the same rows.
    pub content: Fingerprint,
    /// False when a source's exports carry no date.
    pub reproducible: bool,
    pub tables: BTreeMap<TableName, PublishedTable>,
    pub balances: BTreeMap<SourceName, Balance>,
    pub checks: Vec<CheckOutcome>,
    /// The values of its KPIs, kept for ever; none where the pipeline has no KPI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kpis: Option<DataFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
}

/// A KPI that broke a rule of its own when its values were published: people must be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    pub kpi: KpiName,
    /// The first day of the closed period it is about.
    pub period: NaiveDate,
    pub what: AlertKind,
    pub value: f64,
    /// The bound that was crossed, or the value it is compared with.
    pub against: f64,
    /// For people, in English.
    pub message: String,
    /// The `as_of` it was first raised at: it stands as long as the period is the last closed one.
    pub since: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    Below,
    Above,
    Fell,
    Rose,
}

/// A run's append-only record: written when it starts and when it ends. One that never ended was interrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    pub run: RunId,
    pub pipeline: PipelineName,
    pub as_of: String,
    pub started_at: DateTime<Utc>,
    pub process: Process,
    pub version: String,
    /// What started it, when it was no person: `cron`, `after`, `exports` or `backfill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Since when it was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFinished {
    pub run: RunId,
    pub finished_at: DateTime<Utc>,
    pub status: RunStatus,
    /// The exit code of a process that was at this run alone; none where it was recorded before codes were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// For a person, when it did not go well.
    pub message: Option<String>,
    pub snapshot: Option<u64>,
    pub steps: Vec<StepRecord>,
    pub checks: Vec<CheckOutcome>,
    pub balances: BTreeMap<SourceName, Balance>,
    /// Rows taken out of the flow by a run that was blocked: no snapshot leads to them, and people must see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<DataFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    pub warnings: Vec<String>,
    /// Milliseconds by phase: `find`, `plan`, `land`, `stage`, `check`, `publish`, `report`.
    pub phases_ms: BTreeMap<String, u64>,
}

impl RunFinished {
    /// The end of a run of which nothing more is to tell.
    pub fn new(run: RunId, finished_at: DateTime<Utc>, status: RunStatus, code: u8) -> Self {
        Self {
            run,
            finished_at,
            status,
            code: Some(code),
            message: None,
            snapshot: None,
            steps: Vec::new(),
            checks: Vec::new(),
            balances: BTreeMap::new(),
            quarantine: Vec::new(),
            alerts: Vec::new(),
            warnings: Vec::new(),
            phases_ms: BTreeMap::new(),
        }
    }
}

/// A person's wish that a run end now: `runs/<pipeline>/<run>/cancel.json`, create-only; its holder looks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// Who asked, for people.
    pub by: String,
    pub why: Option<String>,
    pub at: DateTime<Utc>,
}

/// How far a run is. A hint for whoever watches: nothing is decided by it, and a short run leaves none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    pub steps: usize,
    pub running: Vec<String>,
    /// Those that ran, failed or were skipped, as they ended.
    pub ended: Vec<StepEnd>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEnd {
    pub step: String,
    /// `ran`, `reused`, `failed`, `skipped`.
    pub outcome: String,
    pub rows: u64,
    pub took_ms: u64,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    Published,
    /// A check blocked publishing.
    Blocked,
    Failed,
    /// Somebody else took the pipeline.
    Fenced,
    Cancelled,
}

impl From<RunStatus> for RunEnd {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Published => Self::Published,
            RunStatus::Blocked => Self::Blocked,
            RunStatus::Failed => Self::Failed,
            RunStatus::Fenced => Self::Fenced,
            RunStatus::Cancelled => Self::Cancelled,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// As in a plan: `land orders erp/orders/2024-01-01.csv`, `table core.orders`, `table core.order_lines 2011-12`.
    pub step: String,
    /// `ran`, `reused`, `failed`, `skipped`.
    pub outcome: String,
    pub why: String,
    pub rows: u64,
    pub took_ms: u64,
    pub message: Option<String>,
}
