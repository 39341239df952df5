//! Rows that could not land, kept with the place they stood and the reason: one Parquet file an export that has any.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::value::Fault;
use crate::config::Source;

/// One record that could not land.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BadRow {
    pub line: i64,
    /// Of the contract; none where the record as a whole is to blame.
    pub column: Option<usize>,
    pub fault: Fault,
    pub value: Option<String>,
    /// As it stood in the file, as far as it is text, and not endless.
    pub record: String,
}

const LONGEST: usize = 64 << 10;

impl BadRow {
    pub(super) fn new(line: i64, column: Option<usize>, fault: Fault, value: Option<&[u8]>, record: &[u8]) -> Self {
        Self { line, column, fault, value: value.map(shown), record: shown(record) }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned()
}

/// `export`, `line`, `column`, `rule`, `reason`, `value`, `record`.
pub(super) fn quarantine_schema() -> SchemaRef {
    let word = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("export", word, false),
        Field::new("line", DataType::Int64, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("rule", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
        Field::new("record", DataType::Utf8, false),
    ]))
}

pub(super) fn quarantine_batch(source: &Source, path: &str, rows: &[BadRow]) -> Result<RecordBatch, ArrowError> {
    let column = |row: &BadRow| row.column.and_then(|c| source.columns.get(c));
    let export = DictionaryArray::<Int32Type>::try_new(
        Int32Array::from(vec![0; rows.len()]),
        Arc::new(StringArray::from(vec![path])),
    )?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(export),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.line))),
        Arc::new(rows.iter().map(|r| column(r).map(|c| c.name.as_str())).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.fault.rule()))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.fault.reason(column(r))))),
        Arc::new(rows.iter().map(|r| r.value.as_deref()).collect::<StringArray>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.record.as_str()))),
    ];
    RecordBatch::try_new(quarantine_schema(), columns)
}
