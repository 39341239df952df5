//! Rows that no part of a stage in parts by time holds: counted where their export was dated, and told. Never lost in silence.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::base::TableName;
use crate::config::{ByTime, Incremental, Period, Severity};
use crate::engine::{Cell, Effort, Engine, EngineError, PartsTable, Rows, Table, Tables, collect};
use crate::lake::{CheckOutcome, CheckStatus, Late, LateExport};
use crate::plan::{Span, lookahead_for, lookback_for};
use crate::sql::{quote, quote_text};

/// Exports of one source whose rows are in some part when their time lies in a span.
pub struct Window {
    pub source: TableName,
    pub table: PartsTable,
    pub column: String,
    pub times: Span,
    /// By path.
    pub dates: BTreeMap<String, NaiveDate>,
}

/// Counts the rows whose time lies outside, or that have none.
pub async fn late(engine: &Engine, windows: Vec<Window>) -> Result<Late, EngineError> {
    let mut late = Late::default();
    for window in windows {
        late.rows += window.table.rows();
        let (column, source, times) = (quote(&window.column), &window.source, window.times);
        let date = |date: NaiveDate| format!("CAST({} AS DATE)", quote_text(&date.to_string()));
        let (too_late, too_early) =
            (format!("{column} < {}", date(times.from)), format!("{column} >= {}", date(times.until)));
        let sql = format!(
            "SELECT _export, count(*) AS n, count(*) FILTER (WHERE {column} IS NULL) AS timeless, \
             CAST(min({column}) FILTER (WHERE {too_late}) AS DATE) AS oldest, \
             CAST(max({column}) FILTER (WHERE {too_early}) AS DATE) AS newest \
             FROM {source} WHERE {column} IS NULL OR {too_late} OR {too_early} GROUP BY _export ORDER BY _export"
        );
        let table: Table = std::sync::Arc::new(window.table);
        let session = engine.session(&Tables::from([(source.clone(), table)]), Effort::Beside)?;
        let frame = session.sql(&sql).await.map_err(|e| engine.error(e))?;
        late.exports.extend(exports(&collect(engine, frame).await?, &window.dates)?);
    }
    Ok(late)
}

fn exports(found: &Rows, dates: &BTreeMap<String, NaiveDate>) -> Result<Vec<LateExport>, EngineError> {
    let count = |cell: &Cell| cell.integer().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let day = |cell: &Cell| if let Cell::Date(date) = cell { Some(*date) } else { None };
    let one = |row: &Vec<Cell>| {
        let path = row[0].text();
        let unknown = || EngineError::Execution(format!("a row says it is of `{path}`, which it was not landed from"));
        let date = *dates.get(&path).ok_or_else(unknown)?;
        let (rows, timeless) = (count(&row[1]), count(&row[2]));
        Ok(LateExport { path, date, rows, timeless, oldest: day(&row[3]), newest: day(&row[4]) })
    };
    found.rows.iter().map(one).collect()
}

/// What the rows that no part holds mean for the table, and what would let them in.
pub fn late_outcome<'a>(
    table: &TableName,
    incremental: &Incremental,
    by: &ByTime,
    parts: impl Iterator<Item = &'a Late>,
) -> CheckOutcome {
    let (mut rows, mut exports) = (0, Vec::new());
    for part in parts {
        rows += part.rows;
        exports.extend(&part.exports);
    }
    let bad_rows = exports.iter().map(|e| e.rows).sum();
    let status = match by.late {
        _ if bad_rows == 0 => CheckStatus::Passed,
        Severity::Error => CheckStatus::Failed,
        _ => CheckStatus::Noted,
    };
    let said =
        [too_late(incremental.every, by, &exports), too_early(incremental.every, &exports), timeless(by, &exports)];
    let note: Vec<String> = said.into_iter().flatten().collect();
    CheckOutcome {
        table: table.clone(),
        check: format!("late({})", by.column),
        severity: by.late,
        status,
        bad_rows,
        rows,
        note: (!note.is_empty()).then(|| note.join("; ")),
    }
}

fn too_late(every: Period, by: &ByTime, exports: &[&LateExport]) -> Option<String> {
    let late = exports.iter().filter_map(|e| Some((e, e.oldest?)));
    let (export, oldest) = late.max_by_key(|(e, oldest)| (e.date - *oldest, std::cmp::Reverse(&e.path)))?;
    let needed = exports.iter().filter_map(|e| Some(lookback_for(every, e.oldest?, e.date))).max()?;
    Some(format!(
        "`{}` brought rows of {oldest}, {} days before its date, and `lookback` is {}d; `lookback: {needed}d` lets them in",
        export.path,
        (export.date - oldest).num_days(),
        by.lookback_days
    ))
}

fn too_early(every: Period, exports: &[&LateExport]) -> Option<String> {
    let early = exports.iter().filter_map(|e| Some((e, e.newest?)));
    let (export, newest) = early.max_by_key(|(e, newest)| (*newest - e.date, std::cmp::Reverse(&e.path)))?;
    let needed = exports.iter().filter_map(|e| Some(lookahead_for(every, e.newest?, e.date))).max()?;
    Some(format!("`{}` brought rows of {newest}, after its date; `lookahead: {needed}d` lets them in", export.path))
}

fn timeless(by: &ByTime, exports: &[&LateExport]) -> Option<String> {
    let first = exports.iter().find(|e| e.timeless > 0)?;
    let all: u64 = exports.iter().map(|e| e.timeless).sum();
    Some(format!(
        "{all} rows have no `{}`, the first in `{}`; make it `required` in the contract, and they are quarantined",
        by.column, first.path
    ))
}
