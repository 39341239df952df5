//! Small tables of plain values, so that SQL can ask about runs, checks and quarantine as about anything else.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use crate::engine::{Cell, EngineError};

/// The type of a listing's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Float,
    Boolean,
    Date,
}

/// A table in memory; a cell that is not of its column's kind is null.
pub fn listing(columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> Result<Arc<dyn TableProvider>, EngineError> {
    let made = batch(columns, rows).and_then(|batch| MemTable::try_new(batch.schema(), vec![vec![batch]]));
    Ok(Arc::new(made.map_err(|e| EngineError::new(e, 0))?))
}

/// The rows as one batch.
pub(super) fn batch(columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> datafusion::error::Result<RecordBatch> {
    let arrays = columns.iter().enumerate().map(|(at, (_, kind))| array(*kind, rows.iter().map(|r| r.get(at))));
    let fields: Vec<Field> = columns.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect())?)
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Date => DataType::Date32,
    }
}

fn array<'a>(kind: Kind, cells: impl Iterator<Item = Option<&'a Cell>>) -> ArrayRef {
    match kind {
        Kind::Text => Arc::new(StringArray::from_iter(cells.map(|c| match c {
            Some(Cell::Null) | None => None,
            Some(cell) => Some(cell.text()),
        }))),
        Kind::Integer => Arc::new(Int64Array::from_iter(cells.map(|c| c.and_then(Cell::integer)))),
        Kind::Float => Arc::new(Float64Array::from_iter(cells.map(|c| c.and_then(Cell::number)))),
        Kind::Boolean => Arc::new(BooleanArray::from_iter(cells.map(|c| match c {
            Some(Cell::Boolean(yes)) => Some(*yes),
            _ => None,
        }))),
        Kind::Date => Arc::new(Date32Array::from_iter(cells.map(|c| match c {
            Some(Cell::Date(date)) => Some(Date32Type::from_naive_date(*date)),
            _ => None,
        }))),
    }
}
