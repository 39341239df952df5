//! Parquet into the lake: row groups are encoded on any thread and appended in order. Tuned for being read this night.
//!
//! LZ4 because it is cheap both ways; a dictionary only for columns whose first rows show few different values; ids without
//! their lengths; no page statistics, because nothing prunes by them; no Arrow schema, because the types of Parquet say the same.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use foldhash::fast::FixedState;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;

use super::{EXPORT_COLUMN, KEY_COLUMN, LINE_COLUMN};
use crate::lake::DataFile;

/// How many of the first rows are looked at.
const SAMPLE: usize = 8192;
/// How many of them are encoded to see what compression does.
const TRIAL: usize = 4096;

/// How the files of one export are encoded; the same on every thread.
pub(super) struct Shape {
    schema: SchemaRef,
    properties: Arc<WriterProperties>,
    factory: ArrowRowGroupWriterFactory,
}

/// The rows of a row group, encoded.
pub(super) struct Group {
    chunks: Vec<ArrowColumnChunk>,
    pub rows: u64,
}

impl Shape {
    /// Decides each column's encoding from the first rows.
    pub(super) fn new(schema: &SchemaRef, sample: Option<&RecordBatch>) -> Result<Self> {
        let mut shape = Self::compressed(schema, sample, &[])?;
        if let Some(sample) = sample.filter(|rows| rows.num_rows() >= TRIAL) {
            let dense = shape.dense_columns(sample)?;
            shape = Self::compressed(schema, Some(sample), &dense)?;
        }
        Ok(shape)
    }

    /// Columns that compression makes less than a fifth smaller, such as hashes: trying again on every page is time for nothing.
    fn dense_columns(&self, sample: &RecordBatch) -> Result<Vec<usize>> {
        let mut group = self.group()?;
        group.write(&sample.slice(0, TRIAL))?;
        let sizes = group.close()?.chunks.into_iter().map(|chunk| {
            let metadata = &chunk.close().metadata;
            (metadata.compressed_size(), metadata.uncompressed_size())
        });
        Ok(sizes.enumerate().filter(|(_, (small, large))| *small * 5 > *large * 4).map(|(at, _)| at).collect())
    }

    fn compressed(schema: &SchemaRef, sample: Option<&RecordBatch>, dense: &[usize]) -> Result<Self> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::LZ4_RAW)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_dictionary_enabled(false)
            .set_write_batch_size(8192)
            .set_created_by("matins".to_owned());
        for (at, field) in schema.fields().iter().enumerate() {
            let path = ColumnPath::new(vec![field.name().clone()]);
            let repeats = sample.is_some_and(|rows| few_values(rows.column(at)));
            if field.name() == EXPORT_COLUMN || repeats {
                properties = properties.set_column_dictionary_enabled(path.clone(), true);
            }
            if field.name() == LINE_COLUMN {
                properties = properties.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
            }
            if field.name() == KEY_COLUMN || dense.contains(&at) {
                properties = properties.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
                if *field.data_type() == DataType::Utf8 {
                    // Lengths apart from the bytes: of ids, which are of one length, they take no room.
                    properties = properties.set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
                }
            }
            if matches!(field.data_type(), DataType::Utf8 | DataType::Dictionary(..) | DataType::UInt64) {
                properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        }
        let properties = Arc::new(properties.build());
        let factory = ArrowRowGroupWriterFactory::new(&file(schema, &properties)?, Arc::clone(schema));
        Ok(Self { schema: Arc::clone(schema), properties, factory })
    }

    pub(super) fn group(&self) -> Result<GroupWriter<'_>> {
        Ok(GroupWriter { shape: self, columns: self.factory.create_column_writers(0)?, rows: 0 })
    }
}

fn file(schema: &SchemaRef, properties: &Arc<WriterProperties>) -> Result<SerializedFileWriter<Vec<u8>>> {
    let parquet = ArrowSchemaConverter::new().convert(schema)?;
    SerializedFileWriter::new(Vec::new(), parquet.root_schema_ptr(), Arc::clone(properties))
}

/// Whether at most one value in eight of the first rows is new, of texts one in two.
fn few_values(column: &ArrayRef) -> bool {
    fn few<T: std::hash::Hash + Eq>(values: impl ExactSizeIterator<Item = T>, in_which: usize) -> bool {
        let most = values.len().min(SAMPLE) / in_which;
        // Only counts, so the order of a set's iteration decides nothing.
        let mut seen = HashSet::with_hasher(FixedState::default());
        values.take(SAMPLE).all(|value| {
            seen.insert(value);
            seen.len() <= most
        })
    }
    if column.is_empty() {
        return false;
    }
    match column.data_type() {
        DataType::Utf8 => few(column.as_string::<i32>().iter(), 2),
        DataType::Int64 => few(column.as_primitive::<Int64Type>().iter(), 8),
        DataType::Date32 => few(column.as_primitive::<Date32Type>().iter(), 8),
        DataType::Timestamp(..) => few(column.as_primitive::<TimestampMicrosecondType>().iter(), 8),
        DataType::Decimal128(..) => few(column.as_primitive::<Decimal128Type>().iter(), 8),
        _ => false,
    }
}

/// Encodes one row group.
pub(super) struct GroupWriter<'s> {
    shape: &'s Shape,
    columns: Vec<ArrowColumnWriter>,
    pub rows: u64,
}

impl GroupWriter<'_> {
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for ((writer, array), field) in self.columns.iter_mut().zip(batch.columns()).zip(self.shape.schema.fields()) {
            for leaf in compute_leaves(field, array)? {
                writer.write(&leaf)?;
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    pub(super) fn close(self) -> Result<Group> {
        let chunks = self.columns.into_iter().map(ArrowColumnWriter::close).collect::<Result<_>>()?;
        Ok(Group { chunks, rows: self.rows })
    }
}

/// One Parquet file on its way into the lake. It is there only after `finish`.
pub(super) struct ParquetFile {
    path: String,
    writer: SerializedFileWriter<Vec<u8>>,
    out: BufWriter,
    rows: u64,
}

impl ParquetFile {
    pub(super) fn create(lake: &Arc<dyn ObjectStore>, path: String, shape: &Shape) -> Result<Self> {
        let out =
            BufWriter::with_capacity(Arc::clone(lake), Path::from(path.as_str()), 5 << 20).with_max_concurrency(3);
        Ok(Self { path, writer: file(&shape.schema, &shape.properties)?, out, rows: 0 })
    }

    pub(super) async fn append(&mut self, group: Group) -> Result<()> {
        // Room for all of it at once, because a vector that grows is copied and its pages are cleared twice.
        let bytes: u64 = group.chunks.iter().map(|chunk| chunk.close().bytes_written).sum();
        self.writer.inner_mut().reserve(usize::try_from(bytes).unwrap_or(0) + 4096);
        let mut row_group = self.writer.next_row_group()?;
        for chunk in group.chunks {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.rows += group.rows;
        self.send().await
    }

    async fn send(&mut self) -> Result<()> {
        self.writer.flush()?;
        let bytes = std::mem::take(self.writer.inner_mut());
        self.out.put(bytes.into()).await.map_err(|e| ParquetError::External(Box::new(e)))
    }

    pub(super) async fn finish(mut self) -> Result<DataFile> {
        self.writer.finish()?;
        self.send().await?;
        self.out.shutdown().await.map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(DataFile { path: self.path, rows: self.rows, size_bytes: self.writer.bytes_written() as u64 })
    }

    /// Leaves nothing behind, as far as the store lets it.
    pub(super) async fn abort(mut self) {
        // What cannot be taken back is under an attempt that nobody names, and `gc` deletes it.
        let _ = self.out.abort().await;
    }
}

/// Writes a few rows as one file.
pub(super) async fn write_small(lake: &Arc<dyn ObjectStore>, path: String, batch: &RecordBatch) -> Result<DataFile> {
    let shape = Shape::new(&batch.schema(), Some(batch))?;
    let mut file = ParquetFile::create(lake, path, &shape)?;
    let mut group = shape.group()?;
    group.write(batch)?;
    file.append(group.close()?).await?;
    file.finish().await
}
