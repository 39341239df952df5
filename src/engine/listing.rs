//! Small tables of plain values, so that SQL can ask about runs, checks and quarantine as about anything else.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
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
}

/// A table in memory; a cell that is not of its column's kind is null.
pub fn listing(columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> Result<Arc<dyn TableProvider>, EngineError> {
    let arrays = columns.iter().enumerate().map(|(at, (_, kind))| array(*kind, rows.iter().map(|r| r.get(at))));
    let fields: Vec<Field> = columns.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let made = RecordBatch::try_new(Arc::clone(&schema), arrays.collect())
        .map_err(datafusion::error::DataFusionError::from)
        .and_then(|batch| MemTable::try_new(schema, vec![vec![batch]]));
    Ok(Arc::new(made.map_err(|e| EngineError::new(e, 0))?))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
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
    }
}
