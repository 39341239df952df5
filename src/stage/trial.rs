//! Makes one table of a test in memory: by a stage, or by a given statement. The same statement, functions and checks as in a run;
//! nothing is written.

use std::collections::BTreeSet;

use crate::base::TableName;
use crate::config::{Check, Rule, Severity};
use crate::engine::{Effort, Engine, EngineError, Held, Tables, hold};
use crate::lake::{CheckOutcome, CheckStatus};
use crate::plan::Node;
use crate::sql::{Bindings, Query, bind};
use crate::stage::StageError;
use crate::stage::check::check;
use crate::stage::make::{failed, split};

/// All rows a stage makes of these tables, and the checks of severity `quarantine` that took some of them out.
pub async fn make_held(
    engine: &Engine,
    node: &Node,
    bindings: &Bindings,
    tables: &Tables,
) -> Result<(Held, BTreeSet<String>), StageError> {
    let fail = |cause| failed(engine, node, tables, cause);
    let statement = bind(&node.query, bindings).map_err(|cause| StageError::Bind {
        table: node.table().clone(),
        file: node.stage.file.path.display().to_string(),
        cause,
    })?;
    let session = engine.session(tables, Effort::Beside).map_err(fail)?;
    let frame = engine.plan(&session, statement).await.map_err(fail)?;
    let moving: Vec<&Check> = node.stage.head.checks.iter().filter(|c| c.severity == Severity::Quarantine).collect();
    if moving.is_empty() {
        return Ok((hold(engine, frame).await.map_err(fail)?, BTreeSet::new()));
    }
    let (good, bad) = split(engine, &session, frame, &moving).await.map_err(fail)?;
    let broken = bad.rows.iter().filter_map(|row| row.last()).map(crate::engine::Cell::text).collect();
    Ok((hold(engine, good).await.map_err(fail)?, broken))
}

/// All rows of a statement that a test gives.
pub async fn make_statement(
    engine: &Engine,
    query: &Query,
    bindings: &Bindings,
    tables: &Tables,
) -> Result<Held, EngineError> {
    let statement = bind(query, bindings).map_err(|e| EngineError::Plan { message: e.to_string(), at: None })?;
    let session = engine.session(tables, Effort::Beside)?;
    hold(engine, engine.plan(&session, statement).await?).await
}

/// The checks of a stage that its rows break: those that block publishing, and of the others the `asked`. What looks at a whole
/// night's table (`row_count`, `freshness`) is evaluated only when asked for, and what reads a table that the test does not have is
/// not. `tables` has the stage's own.
pub async fn broken_checks(
    engine: &Engine,
    node: &Node,
    asked: &[String],
    bindings: &Bindings,
    tables: &Tables,
) -> Result<Vec<CheckOutcome>, StageError> {
    let checks: Vec<Check> = node.stage.head.checks.iter().filter(|c| counts(c, asked, tables)).cloned().collect();
    let outcomes = check(engine, node.table(), &checks, bindings, tables, None).await?;
    let breaks = |o: &CheckOutcome| match o.status {
        CheckStatus::Passed => false,
        CheckStatus::Noted => asked.contains(&o.check),
        CheckStatus::Failed => true,
    };
    Ok(outcomes.into_iter().filter(breaks).collect())
}

fn counts(check: &Check, asked: &[String], tables: &Tables) -> bool {
    let is_asked = asked.contains(&check.name);
    let there = |table: &TableName| tables.contains_key(table);
    let can_be_told = match &check.rule {
        Rule::RowChange { .. } => false,
        Rule::RowCount { .. } | Rule::Freshness { .. } => is_asked,
        Rule::References { table, .. } => there(table),
        Rule::Query { sql } => crate::sql::parse(&crate::base::SourceText::new("check", sql.as_str()))
            .is_ok_and(|query| query.reads.keys().all(there)),
        _ => true,
    };
    can_be_told && (is_asked || check.severity == Severity::Error)
}
