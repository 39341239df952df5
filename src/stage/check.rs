//! Evaluates the checks of a table: what was seen while it was written answers most, one pass over its rows the others.
//! A key is proven by hashes; only where two are equal are its values compared.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use arrow::datatypes::Schema;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use crate::base::TableName;
use crate::config::{Check, Rule, Severity};
use crate::engine::{Cell, Condition, Effort, Engine, EngineError, Rows, Seen, Tables, Watch, collect};
use crate::lake::{CheckOutcome, CheckStatus};
use crate::sql::{Bindings, bind, quote, quote_text};
use crate::stage::StageError;

/// The share of rows a quarantine may hold before it blocks publishing, unless it is told.
const QUARANTINE_SHARE: f64 = 0.01;

/// Evaluates every check but those that compare with another snapshot or count what was quarantined. What was seen of the
/// table's rows while they were written is not read again.
pub async fn check(
    engine: &Engine,
    table: &TableName,
    checks: &[Check],
    bindings: &Bindings,
    tables: &Tables,
    seen: Option<Seen>,
) -> Result<Vec<CheckOutcome>, StageError> {
    let fail = |check: &Check, cause| StageError::Check { table: table.clone(), check: check.name.clone(), cause };
    let Some(first) = checks.first() else { return Ok(vec![]) };
    let asking = Asking { engine, table, tables, session: OnceLock::new() };
    let watch = watch(checks);
    let mut seen = match seen.filter(|seen| seen.covers(&watch)) {
        Some(seen) => seen,
        None => asking.see(watch, checks).await.map_err(|e| fail(first, e))?,
    };
    let counted = asking.count(checks, &seen).await.map_err(|e| fail(first, e))?;
    let total = seen.rows;
    let mut outcomes = Vec::with_capacity(checks.len());
    for (at, check) in checks.iter().enumerate() {
        let (bad, note) = match &check.rule {
            _ if check.severity == Severity::Quarantine => continue,
            Rule::RowChange { .. } => continue,
            Rule::NotNull { column } => (seen.missing(column).unwrap_or(0), None),
            Rule::Accepted { .. } | Rule::Range { .. } | Rule::Expression { .. } => (counted.bad[at], None),
            Rule::Freshness { days, .. } => fresh(&counted.greatest[at], *days, bindings),
            Rule::RowCount { min, max } => row_count(total, *min, *max),
            Rule::Unique { columns } if seen.proves_key(columns) => (0, None),
            Rule::Unique { columns } => (asking.repeated(columns).await.map_err(|e| fail(check, e))?, None),
            Rule::References { column, table: other, to } => {
                let (here, there) = (quote(column), quote(to));
                let text = format!(
                    "SELECT count(*) FROM {table} t WHERE t.{here} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {other} o WHERE o.{there} = t.{here})"
                );
                (asking.single(&text).await.map_err(|e| fail(check, e))?, None)
            }
            Rule::Query { sql } => (asking.bad_rows(sql, bindings).await.map_err(|e| fail(check, e))?, None),
        };
        outcomes.push(judge(table, check, bad, total, note));
    }
    Ok(outcomes)
}

/// What of a table's rows answers these checks.
pub(super) fn watch(checks: &[Check]) -> Watch {
    let mut watch = Watch::default();
    for check in checks.iter().filter(|c| c.severity != Severity::Quarantine) {
        match &check.rule {
            Rule::NotNull { column } => watch.columns.push(column.clone()),
            Rule::Unique { columns } => watch.keys.push(columns.clone()),
            _ => {}
        }
    }
    watch
}

/// What every row of a table should be by these checks.
pub(super) fn conditions(checks: &[Check]) -> impl Iterator<Item = String> {
    let read = |c: &&Check| c.severity != Severity::Quarantine && !matches!(c.rule, Rule::NotNull { .. });
    checks.iter().filter(read).filter_map(|c| predicate(&c.rule))
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

/// Asks a table; the session is made for the first question, because many tables need none.
struct Asking<'a> {
    engine: &'a Engine,
    table: &'a TableName,
    tables: &'a Tables,
    session: OnceLock<SessionContext>,
}

/// By position of the check.
struct Counted {
    bad: Vec<u64>,
    greatest: Vec<Cell>,
}

impl Asking<'_> {
    fn session(&self) -> Result<&SessionContext, EngineError> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let session = self.engine.session(self.tables, Effort::Beside)?;
        Ok(self.session.get_or_init(|| session))
    }

    /// Reads what is to be seen, once for all of it.
    async fn see(&self, watch: Watch, checks: &[Check]) -> Result<Seen, EngineError> {
        let session = self.session()?;
        // Once for the columns to read, and once for the places these have among what is read.
        let told = |schema: &Schema| -> Vec<Condition> {
            conditions(checks).filter_map(|text| Condition::new(session, self.table, schema, &text)).collect()
        };
        let conditions = self.tables.get(self.table).map_or_else(Vec::new, |table| told(&table.schema()));
        let looked_at: BTreeSet<String> =
            conditions.iter().flat_map(Condition::columns).chain(watch.columns()).map(|c| quote(&c)).collect();
        if looked_at.is_empty() {
            let mut seen = watch.begin();
            seen.rows = self.single(&format!("SELECT count(*) FROM {}", self.table)).await?;
            return Ok(seen);
        }
        let columns: Vec<String> = looked_at.into_iter().collect();
        let text = format!("SELECT {} FROM {}", columns.join(", "), self.table);
        let failed = |e| self.engine.error(e);
        let frame = session.sql(&text).await.map_err(failed)?;
        let mut seen = Watch { conditions: told(frame.schema().as_arrow()), ..watch }.begin();
        let mut rows = frame.execute_stream().await.map_err(failed)?;
        while let Some(batch) = rows.try_next().await.map_err(failed)? {
            seen.add(&batch).map_err(failed)?;
        }
        Ok(seen)
    }

    /// What was seen of all rules that an expression tells of a row, and one pass for those of which nothing was.
    async fn count(&self, checks: &[Check], seen: &Seen) -> Result<Counted, EngineError> {
        let mut counted = Counted { bad: vec![0; checks.len()], greatest: vec![Cell::Null; checks.len()] };
        let mut wanted = Vec::with_capacity(checks.len());
        for (at, check) in checks.iter().enumerate() {
            let asked = match &check.rule {
                Rule::Freshness { column, .. } => format!("max(CAST({} AS DATE))", quote(column)),
                Rule::NotNull { .. } => continue,
                _ if check.severity == Severity::Quarantine => continue,
                rule => match predicate(rule) {
                    Some(p) => match seen.breaking(&p) {
                        Some(rows) => {
                            counted.bad[at] = rows;
                            continue;
                        }
                        None => format!("count(CASE WHEN NOT {p} THEN 1 END)"),
                    },
                    None => continue,
                },
            };
            wanted.push((at, format!("{asked} AS check_{at}")));
        }
        if wanted.is_empty() {
            return Ok(counted);
        }
        let list: Vec<&str> = wanted.iter().map(|(_, text)| text.as_str()).collect();
        let found = self.run(&format!("SELECT {} FROM {}", list.join(", "), self.table)).await?;
        for ((at, _), cell) in wanted.iter().zip(found.rows.into_iter().flatten()) {
            counted.bad[*at] = cell.integer().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            counted.greatest[*at] = cell;
        }
        Ok(counted)
    }

    /// Rows beyond the first of each key.
    async fn repeated(&self, columns: &[String]) -> Result<u64, EngineError> {
        let names: Vec<String> = columns.iter().map(|c| quote(c)).collect();
        let keys = names.join(", ");
        let present = names.iter().map(|n| format!("{n} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
        let text = format!(
            "SELECT CAST(coalesce(sum(n - 1), 0) AS BIGINT) FROM (SELECT count(*) AS n FROM {} WHERE {present} GROUP BY {keys} HAVING count(*) > 1)",
            self.table
        );
        self.single(&text).await
    }

    async fn bad_rows(&self, text: &str, bindings: &Bindings) -> Result<u64, EngineError> {
        let query = crate::sql::parse(&crate::base::SourceText::new("check", text))
            .map_err(|d| EngineError::Execution(d.0.first().map(|d| d.message.clone()).unwrap_or_default()))?;
        let statement = bind(&query, bindings).map_err(|e| EngineError::Execution(e.to_string()))?;
        let frame = self.engine.plan(self.session()?, statement).await?;
        frame.count().await.map(|n| n as u64).map_err(|e| self.engine.error(e))
    }

    async fn single(&self, text: &str) -> Result<u64, EngineError> {
        let rows = self.run(text).await?;
        Ok(rows.single().and_then(Cell::integer).and_then(|n| u64::try_from(n).ok()).unwrap_or(0))
    }

    async fn run(&self, text: &str) -> Result<Rows, EngineError> {
        let frame = self.session()?.sql(text).await.map_err(|e| self.engine.error(e))?;
        collect(self.engine, frame).await
    }
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
