//! Evaluates the checks of a table: one pass over its rows for all row rules, a hash first for unique keys.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use crate::base::TableName;
use crate::config::{Check, Rule, Severity};
use crate::engine::{Cell, Effort, Engine, EngineError, Rows, Tables, collect};
use crate::lake::{CheckOutcome, CheckStatus};
use crate::sql::{Bindings, bind, quote, quote_text};
use crate::stage::StageError;

/// The share of rows a quarantine may hold before it blocks publishing, unless it is told.
const QUARANTINE_SHARE: f64 = 0.01;

/// Evaluates every check but those that compare with another snapshot or count what was quarantined.
pub async fn check(
    engine: &Engine,
    table: &TableName,
    checks: &[Check],
    bindings: &Bindings,
    tables: &Tables,
) -> Result<Vec<CheckOutcome>, StageError> {
    let fail = |check: &Check, cause| StageError::Check { table: table.clone(), check: check.name.clone(), cause };
    let Some(first) = checks.first() else { return Ok(vec![]) };
    let session = engine.session(tables, Effort::Beside).map_err(|e| fail(first, e))?;
    let rows = rows_and_counts(engine, &session, table, checks).await.map_err(|e| fail(first, e))?;
    let mut outcomes = Vec::with_capacity(checks.len());
    for (at, check) in checks.iter().enumerate() {
        let total = rows.total;
        let (bad, note) = match &check.rule {
            _ if check.severity == Severity::Quarantine => continue,
            Rule::RowChange { .. } => continue,
            Rule::NotNull { .. } | Rule::Accepted { .. } | Rule::Range { .. } | Rule::Expression { .. } => {
                (rows.bad[at], None)
            }
            Rule::Freshness { days, .. } => fresh(&rows.greatest[at], *days, bindings),
            Rule::RowCount { min, max } => row_count(total, *min, *max),
            Rule::Unique { columns } => {
                (repeated(engine, &session, table, columns).await.map_err(|e| fail(check, e))?, None)
            }
            Rule::References { column, table: other, to } => {
                let (here, there) = (quote(column), quote(to));
                let text = format!(
                    "SELECT count(*) FROM {table} t WHERE t.{here} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {other} o WHERE o.{there} = t.{here})"
                );
                (single(engine, &session, &text).await.map_err(|e| fail(check, e))?, None)
            }
            Rule::Query { sql } => (bad_rows(engine, &session, sql, bindings).await.map_err(|e| fail(check, e))?, None),
        };
        outcomes.push(judge(table, check, bad, total, note));
    }
    Ok(outcomes)
}

/// What an outcome means: a limit lets rows pass, and only `error` blocks.
pub fn judge(table: &TableName, check: &Check, bad_rows: u64, rows: u64, note: Option<String>) -> CheckOutcome {
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    let share = bad_rows as f64 / rows.max(1) as f64;
    let within =
        check.limit.count.is_some_and(|most| bad_rows <= most) || check.limit.share.is_some_and(|most| share <= most);
    let status = match check.severity {
        _ if bad_rows == 0 => CheckStatus::Passed,
        _ if within => CheckStatus::Noted,
        Severity::Error => CheckStatus::Failed,
        Severity::Quarantine
            if check.limit.share.is_none() && check.limit.count.is_none() && share <= QUARANTINE_SHARE =>
        {
            CheckStatus::Noted
        }
        Severity::Quarantine => CheckStatus::Failed,
        Severity::Info | Severity::Warn => CheckStatus::Noted,
    };
    CheckOutcome {
        table: table.clone(),
        check: check.name.clone(),
        severity: check.severity,
        status,
        bad_rows,
        rows,
        note,
    }
}

/// Whether more was quarantined than may be: blocks publishing above the share.
pub fn quarantine_outcome(table: &TableName, limit: Option<f64>, quarantined: u64, kept: u64) -> CheckOutcome {
    let limit = limit.unwrap_or(QUARANTINE_SHARE);
    let rows = quarantined + kept;
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    let share = quarantined as f64 / rows.max(1) as f64;
    let status = match quarantined {
        0 => CheckStatus::Passed,
        _ if share <= limit => CheckStatus::Noted,
        _ => CheckStatus::Failed,
    };
    let note = (quarantined > 0).then(|| format!("{:.2} % of rows, allowed {:.2} %", share * 100.0, limit * 100.0));
    CheckOutcome {
        table: table.clone(),
        check: "quarantine".to_owned(),
        severity: Severity::Quarantine,
        status,
        bad_rows: quarantined,
        rows,
        note,
    }
}

/// The number of rows against the snapshot before; passes with a note where there is none.
pub fn row_change(table: &TableName, check: &Check, rows: u64, before: Option<u64>) -> Option<CheckOutcome> {
    let Rule::RowChange { down, up } = &check.rule else { return None };
    let Some(before) = before else {
        return Some(judge(table, check, 0, rows, Some("no snapshot before this one".to_owned())));
    };
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    let change = if before == 0 { 0.0 } else { (rows as f64 - before as f64) / before as f64 };
    let broken = down.is_some_and(|most| change < -most) || up.is_some_and(|most| change > most);
    let note = format!("{before} rows before, {rows} now ({:+.1} %)", change * 100.0);
    Some(judge(table, check, u64::from(broken), rows, Some(note)))
}

/// A row rule as a SQL expression that is false for bad rows.
pub(super) fn predicate(rule: &Rule) -> Option<String> {
    match rule {
        Rule::NotNull { column } => Some(format!("({} IS NOT NULL)", quote(column))),
        Rule::Accepted { column, values } => {
            let list: Vec<String> = values.iter().map(|v| quote_text(v)).collect();
            Some(format!("(CAST({} AS VARCHAR) IN ({}))", quote(column), list.join(", ")))
        }
        Rule::Range { column, min, max } => {
            let bound = |op: &str, text: &String| format!("{} {op} {text}", quote(column));
            let both: Vec<String> =
                min.iter().map(|m| bound(">=", m)).chain(max.iter().map(|m| bound("<=", m))).collect();
            Some(format!("({})", if both.is_empty() { "true".to_owned() } else { both.join(" AND ") }))
        }
        Rule::Expression { sql } => Some(format!("({sql})")),
        _ => None,
    }
}

struct Counted {
    total: u64,
    /// By position of the check.
    bad: Vec<u64>,
    greatest: Vec<Cell>,
}

async fn rows_and_counts(
    engine: &Engine,
    session: &SessionContext,
    table: &TableName,
    checks: &[Check],
) -> Result<Counted, EngineError> {
    let mut wanted = vec!["count(*) AS total".to_owned()];
    for (at, check) in checks.iter().enumerate() {
        let counted = match &check.rule {
            Rule::Freshness { column, .. } => format!("max(CAST({} AS DATE))", quote(column)),
            rule => match predicate(rule) {
                Some(p) if check.severity != Severity::Quarantine => format!("count(CASE WHEN NOT {p} THEN 1 END)"),
                _ => "0".to_owned(),
            },
        };
        wanted.push(format!("{counted} AS check_{at}"));
    }
    let found = run(engine, session, &format!("SELECT {} FROM {table}", wanted.join(", "))).await?;
    let row = found.rows.into_iter().next().unwrap_or_default();
    let count = |cell: &Cell| cell.integer().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    Ok(Counted {
        total: row.first().map_or(0, count),
        bad: row.iter().skip(1).map(count).collect(),
        greatest: row.into_iter().skip(1).collect(),
    })
}

fn fresh(greatest: &Cell, days: u32, bindings: &Bindings) -> (u64, Option<String>) {
    let as_of = bindings.0.iter().find(|(name, _)| name.as_str() == "as_of").and_then(|(_, value)| match value {
        crate::config::ParamValue::Date(date) => Some(*date),
        crate::config::ParamValue::Timestamp(at) => Some(at.date()),
        _ => None,
    });
    match (greatest, as_of) {
        (Cell::Date(last), Some(as_of)) => {
            let age = (as_of - *last).num_days();
            (u64::from(age > i64::from(days)), Some(format!("the last is of {last}, {age} days before {as_of}")))
        }
        _ => (1, Some("there is no date to go by".to_owned())),
    }
}

fn row_count(rows: u64, min: Option<u64>, max: Option<u64>) -> (u64, Option<String>) {
    if min.is_some_and(|least| rows < least) {
        return (1, Some(format!("{rows} rows, at least {} wanted", min.unwrap_or(0))));
    }
    if max.is_some_and(|most| rows > most) {
        return (1, Some(format!("{rows} rows, at most {} wanted", max.unwrap_or(0))));
    }
    (0, None)
}

/// Rows beyond the first of each key. Hashes are compared first: a key that never repeats is proven so without a sort of texts.
async fn repeated(
    engine: &Engine,
    session: &SessionContext,
    table: &TableName,
    columns: &[String],
) -> Result<u64, EngineError> {
    let names: Vec<String> = columns.iter().map(|c| quote(c)).collect();
    let keys = names.join(", ");
    let present = names.iter().map(|n| format!("{n} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    let frame =
        session.sql(&format!("SELECT {keys} FROM {table} WHERE {present}")).await.map_err(|e| engine.error(e))?;
    let mut stream = frame.execute_stream().await.map_err(|e| engine.error(e))?;
    let state = RandomState::with_seed(0);
    let (mut hashes, mut buffer) = (Vec::<u64>::new(), Vec::new());
    while let Some(batch) = stream.try_next().await.map_err(|e| engine.error(e))? {
        buffer.clear();
        buffer.resize(batch.num_rows(), 0);
        let arrays: Vec<ArrayRef> = batch.columns().iter().map(Arc::clone).collect();
        create_hashes(&arrays, &state, &mut buffer).map_err(|e| engine.error(e))?;
        hashes.extend_from_slice(&buffer);
    }
    hashes.sort_unstable();
    if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
        return Ok(0);
    }
    let text = format!(
        "SELECT CAST(coalesce(sum(n - 1), 0) AS BIGINT) FROM (SELECT count(*) AS n FROM {table} WHERE {present} GROUP BY {keys} HAVING count(*) > 1)"
    );
    single(engine, session, &text).await
}

async fn bad_rows(
    engine: &Engine,
    session: &SessionContext,
    text: &str,
    bindings: &Bindings,
) -> Result<u64, EngineError> {
    let query = crate::sql::parse(&crate::base::SourceText::new("check", text))
        .map_err(|d| EngineError::Execution(d.0.first().map(|d| d.message.clone()).unwrap_or_default()))?;
    let statement = bind(&query, bindings).map_err(|e| EngineError::Execution(e.to_string()))?;
    let frame = engine.plan(session, statement).await?;
    frame.count().await.map(|n| n as u64).map_err(|e| engine.error(e))
}

async fn single(engine: &Engine, session: &SessionContext, text: &str) -> Result<u64, EngineError> {
    let rows = run(engine, session, text).await?;
    Ok(rows.single().and_then(Cell::integer).and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
}

async fn run(engine: &Engine, session: &SessionContext, text: &str) -> Result<Rows, EngineError> {
    let frame = session.sql(text).await.map_err(|e| engine.error(e))?;
    collect(engine, frame).await
}
