//! Small results as plain values, for reports, listings and checks.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;

use datafusion::dataframe::DataFrame;

use crate::engine::{Engine, EngineError};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A decimal number with its digits as they are: money never passes through a float.
    Decimal(String),
    Float(f64),
    Date(NaiveDate),
    /// Everything else, as text; timestamps as `2024-01-31T16:30:00`.
    Text(String),
}

/// A result in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Names and Arrow types.
    pub columns: Vec<(String, DataType)>,
    pub rows: Vec<Vec<Cell>>,
}

/// Runs a query and takes all its rows into memory.
pub async fn collect(engine: &Engine, frame: DataFrame) -> Result<Rows, EngineError> {
    let columns = frame.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect();
    let batches = frame.collect().await.map_err(|e| engine.error(e))?;
    let mut rows = Vec::new();
    for batch in &batches {
        push(batch, &mut rows).map_err(|e| engine.error(e.into()))?;
    }
    Ok(Rows { columns, rows })
}

pub(super) fn push(batch: &RecordBatch, rows: &mut Vec<Vec<Cell>>) -> Result<(), arrow::error::ArrowError> {
    let options = FormatOptions::default().with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
    let formatters =
        batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        rows.push(batch.columns().iter().zip(&formatters).map(|(c, f)| cell(c, row, f)).collect());
    }
    Ok(())
}

fn cell(column: &ArrayRef, row: usize, formatter: &ArrayFormatter<'_>) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    let text = || formatter.value(row).to_string();
    match column.data_type() {
        DataType::Boolean => {
            column.as_any().downcast_ref::<BooleanArray>().map_or(Cell::Null, |a| Cell::Boolean(a.value(row)))
        }
        DataType::Int8 => Cell::Integer(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Cell::Integer(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Cell::Integer(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Cell::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Cell::Integer(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Cell::Integer(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Cell::Integer(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let value = column.as_primitive::<UInt64Type>().value(row);
            i64::try_from(value).map_or_else(|_| Cell::Decimal(value.to_string()), Cell::Integer)
        }
        DataType::Float32 => Cell::Float(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Cell::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => Cell::Decimal(column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Date32 => {
            column.as_primitive::<Date32Type>().value_as_date(row).map_or_else(|| Cell::Text(text()), Cell::Date)
        }
        _ => Cell::Text(text()),
    }
}

impl Rows {
    /// The single value of a result of one row and one column.
    pub fn single(&self) -> Option<&Cell> {
        self.rows.first().and_then(|row| row.first())
    }
}

impl Cell {
    pub fn integer(&self) -> Option<i64> {
        if let Self::Integer(n) = self { Some(*n) } else { None }
    }

    /// As JSON: decimals as numbers with their digits where JSON can hold them, else as text.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Boolean(yes) => (*yes).into(),
            Self::Integer(n) => (*n).into(),
            Self::Float(x) => serde_json::Number::from_f64(*x).map_or(serde_json::Value::Null, Into::into),
            // A float would lose digits of money.
            Self::Decimal(text) | Self::Text(text) => text.clone().into(),
            Self::Date(date) => date.to_string().into(),
        }
    }

    /// For a person's table.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(yes) => yes.to_string(),
            Self::Integer(n) => n.to_string(),
            Self::Float(x) => x.to_string(),
            Self::Decimal(text) | Self::Text(text) => text.clone(),
            Self::Date(date) => date.to_string(),
        }
    }

    /// As a float, for drawing.
    pub fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "for drawing")]
            Self::Integer(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            Self::Decimal(text) => text.parse().ok(),
            _ => None,
        }
    }
}
