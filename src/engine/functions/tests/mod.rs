//! The functions through SQL, as a stage calls them, against published values (kpi-catalogue, part C).

#![expect(clippy::unwrap_used, reason = "tests")]

mod cdnow;
mod clusters;
mod forecast;
mod intervals;
mod models;
mod pairs;
mod people;
mod service;
mod texts;
mod working_time;

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::datasource::MemTable;
use object_store::memory::InMemory;

use crate::base::TableName;
use crate::engine::{Effort, Engine, Settings, Tables};

/// One table, cut into many pieces so that cores share it.
pub(super) fn table(name: &str, columns: Vec<(&str, ArrayRef)>) -> (TableName, Tables) {
    let name: TableName = name.parse().unwrap();
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let pieces: Vec<Vec<RecordBatch>> = (0..4)
        .map(|part| {
            (part * 97..batch.num_rows())
                .step_by(4 * 97)
                .map(|at| batch.slice(at, 97.min(batch.num_rows() - at)))
                .collect()
        })
        .collect();
    let provider = MemTable::try_new(batch.schema(), pieces).unwrap();
    (name.clone(), Tables::from([(name, Arc::new(provider) as _)]))
}

pub(super) async fn try_rows(cores: usize, tables: &Tables, sql: &str) -> Result<RecordBatch, String> {
    let settings = Settings { memory_bytes: 4 << 30, cores };
    let engine = Engine::new(settings, Arc::new(InMemory::new())).unwrap();
    let session = engine.session(tables, Effort::Alone).unwrap();
    let frame = engine.ask(&session, sql).await.map_err(|e| e.to_string())?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.map_err(|e| engine.error(e).to_string())?;
    Ok(datafusion::arrow::compute::concat_batches(&schema, &batches).unwrap())
}

pub(super) async fn rows(tables: &Tables, sql: &str) -> RecordBatch {
    try_rows(2, tables, sql).await.unwrap()
}

/// All values, row by row; NULL is NaN.
pub(super) fn numbers(batch: &RecordBatch) -> Vec<f64> {
    let columns: Vec<ArrayRef> = batch.columns().iter().map(|c| cast(c, &DataType::Float64).unwrap()).collect();
    (0..batch.num_rows())
        .flat_map(|row| {
            columns.iter().map(move |c| {
                let c = c.as_primitive::<Float64Type>();
                if c.is_null(row) { f64::NAN } else { c.value(row) }
            })
        })
        .collect()
}

/// The values of expressions that read no table.
pub(super) async fn values(expressions: &str) -> Vec<f64> {
    numbers(&rows(&Tables::new(), &format!("SELECT {expressions}")).await)
}

pub(super) async fn text(expression: &str) -> String {
    let batch = rows(&Tables::new(), &format!("SELECT {expression}")).await;
    let column = cast(batch.column(0), &DataType::Utf8).unwrap();
    column.as_string::<i32>().value(0).to_owned()
}

pub(super) async fn error(sql: &str) -> String {
    try_rows(2, &Tables::new(), sql).await.unwrap_err()
}

#[track_caller]
pub(super) fn near(found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() <= tolerance || (f.is_nan() && w.is_nan()), "{found:?} is not {wanted:?} ± {tolerance}");
    }
}

#[tokio::test]
async fn the_list_and_the_session_have_the_same_functions() {
    let settings = Settings { memory_bytes: 1 << 30, cores: 1 };
    let engine = Engine::new(settings, Arc::new(InMemory::new())).unwrap();
    let plain = datafusion::prelude::SessionContext::new().state();
    let known = |name: &String| {
        plain.scalar_functions().contains_key(name)
            || plain.aggregate_functions().contains_key(name)
            || plain.window_functions().contains_key(name)
    };
    let ours: Vec<String> = engine.function_names().into_iter().filter(|name| !known(name)).collect();
    let mut listed: Vec<&str> = crate::sql::functions::TABLE.iter().map(|f| f.name).collect();
    listed.sort_unstable();
    assert_eq!(ours, listed);
}
