//! Small tables as whole Parquet files in memory: values that are kept for ever, and tables small enough to be read at once.

use arrow::array::RecordBatchReader;
use arrow::error::ArrowError;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::engine::listing::batch;
use crate::engine::rows::push;
use crate::engine::{Cell, EngineError, Kind, Rows};

/// Rows as the bytes of a Parquet file; the same rows give the same bytes.
pub fn to_parquet(columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> Result<Vec<u8>, EngineError> {
    let write = || -> Result<Vec<u8>, DataFusionError> {
        let batch = batch(columns, rows)?;
        // Read seldom and kept for ever: small counts more than quick.
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("matins".to_owned())
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes)
    };
    write().map_err(|e| EngineError::new(e, 0))
}

/// All rows of a Parquet file.
pub fn from_parquet(bytes: Bytes) -> Result<Rows, EngineError> {
    let failed = |e: ParquetError| EngineError::new(e.into(), 0);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(failed)?.build().map_err(failed)?;
    let schema = reader.schema();
    let mut rows = Rows {
        columns: schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect(),
        rows: Vec::new(),
    };
    let unreadable = |e: ArrowError| EngineError::new(e.into(), 0);
    for batch in reader {
        push(&batch.map_err(unreadable)?, &mut rows.rows).map_err(unreadable)?;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let columns =
            [("t", Kind::Text), ("d", Kind::Date), ("x", Kind::Float), ("n", Kind::Integer), ("b", Kind::Boolean)];
        let day = chrono::NaiveDate::from_ymd_opt(2011, 12, 1).expect("a date");
        let rows = [
            vec![
                Cell::Text("净".into()),
                Cell::Date(day),
                Cell::Float(0.1 + 0.2),
                Cell::Integer(-3),
                Cell::Boolean(true),
            ],
            vec![Cell::Null; 5],
        ];
        let bytes = to_parquet(&columns, &rows).expect("written");
        assert_eq!(bytes, to_parquet(&columns, &rows).expect("written again"));
        let read = from_parquet(bytes.into()).expect("read");
        assert_eq!(read.rows, rows);
        assert_eq!(read.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["t", "d", "x", "n", "b"]);
    }
}
