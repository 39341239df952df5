//! Writes the rows of a plan as Parquet files: cheap to write, because they are read again the same night.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream};
use futures::future::OptionFuture;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use tokio::io::AsyncWriteExt;

use crate::engine::{EngineError, Seen, Watch, order};

/// Rows up to which the partitions of a result become one file.
const SMALL_ROWS: usize = 64 * 1024;
/// Rows of a row group, and bytes of rows after which it is full with fewer.
const GROUP_ROWS: usize = 128 * 1024;
const GROUP_BYTES: usize = 16 << 20;
/// Row groups that are encoded while the rows of the next are made.
const GROUPS_AT_ONCE: usize = 2;
/// Rows a column's encoding is decided from.
const SAMPLE_ROWS: usize = 4096;
/// Bytes of a part of an upload: the least that S3 takes, because parts that wait for the disk are in memory.
const PART: usize = 5 << 20;

/// Where files go.
#[derive(Clone)]
pub struct Destination {
    pub lake: Arc<dyn ObjectStore>,
    /// Files are named `<folder>/part-<n>.parquet`.
    pub folder: String,
}

/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub path: String,
    pub rows: u64,
    pub size_bytes: u64,
}

/// How many rows a file has: up to `SMALL_ROWS`, or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Large,
}

/// What a partition came to.
enum Written {
    Small(Vec<RecordBatch>),
    File(Output),
}

/// Runs a plan, each partition to a file of its own; a small result becomes one file. There is always at least one file.
/// Notices of the rows what `watch` asks for.
///
/// # Errors
/// What the plan's execution or the store answers.
pub async fn write(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    to: &Destination,
    watch: &Watch,
    failed: impl Fn(datafusion::error::DataFusionError) -> EngineError + Copy,
) -> Result<(Vec<Output>, Seen), EngineError> {
    let schema = nullable(&plan.schema());
    let partitions = plan.output_partitioning().partition_count();
    let order = order::of(&plan);
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..partitions {
        let stream = plan.execute(at, Arc::clone(&context)).map_err(failed)?;
        let (to, schema, order, mut seen) = (to.clone(), Arc::clone(&schema), order.clone(), watch.begin());
        tasks.spawn(async move {
            let written = partition(stream, schema, &order, &to, at, &mut seen).await;
            (at, written, seen)
        });
    }
    let mut seen = watch.begin();
    let mut small = Vec::new();
    let mut files = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (at, written, of_one) = done.map_err(|stopped| {
            if stopped.is_panic() {
                EngineError::Panicked(stopped.to_string())
            } else {
                EngineError::Execution(format!("a task of the engine stopped: {stopped}"))
            }
        })?;
        seen.join(of_one);
        match written.map_err(failed)? {
            Written::Small(batches) => small.push((at, batches)),
            Written::File(file) => files.push((at, file)),
        }
    }
    small.sort_by_key(|(at, _)| *at);
    let rest: Vec<RecordBatch> = small.into_iter().flat_map(|(_, batches)| batches).collect();
    if !rest.is_empty() || files.is_empty() {
        let mut sink =
            Sink::open(&schema, &order, rest.first(), to, partitions, Size::Small).map_err(|e| failed(e.into()))?;
        let whole = concat_batches(&schema, &rest).map_err(|e| failed(e.into()))?;
        sink.push(whole).await.map_err(failed)?;
        files.push((partitions, sink.close().await.map_err(failed)?));
    }
    files.sort_by_key(|(at, _)| *at);
    Ok((files.into_iter().map(|(_, file)| file).collect(), seen))
}

async fn partition(
    mut stream: SendableRecordBatchStream,
    schema: SchemaRef,
    order: &[SortingColumn],
    to: &Destination,
    at: usize,
    seen: &mut Seen,
) -> datafusion::error::Result<Written> {
    let mut held = Vec::new();
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?.with_schema(Arc::clone(&schema))?;
        rows += batch.num_rows();
        seen.add(&batch)?;
        held.push(batch);
        if rows > SMALL_ROWS {
            let mut sink = Sink::open(&schema, order, held.first(), to, at, Size::Large)?;
            for batch in held.drain(..) {
                sink.push(batch).await?;
            }
            while let Some(batch) = stream.try_next().await? {
                let batch = batch.with_schema(Arc::clone(&schema))?;
                seen.add(&batch)?;
                sink.push(batch).await?;
                // The task that this one woke last waits on this thread until it pauses, and no other thread may take it. Where
                // it is one that reads rows for a join, the other core would have nothing to do meanwhile.
                tokio::task::yield_now().await;
            }
            return Ok(Written::File(sink.close().await?));
        }
    }
    Ok(Written::Small(held.into_iter().filter(|b| b.num_rows() > 0).collect()))
}

/// Parts of one table come from several runs, and what one plan proves never null another may not.
pub(super) fn nullable(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>()))
}

/// One open Parquet file. Row groups are encoded by tasks of their own, two while the rows of the next are made, and go to the store
/// in order, as they were encoded.
struct Sink {
    schema: SchemaRef,
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Arc<ArrowRowGroupWriterFactory>,
    /// Of the next row group.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    encoding: VecDeque<SpawnedTask<Result<Vec<ArrowColumnChunk>, ParquetError>>>,
    out: BufWriter,
    sent_bytes: usize,
    path: String,
}

impl Sink {
    fn open(
        schema: &SchemaRef,
        order: &[SortingColumn],
        sample: Option<&RecordBatch>,
        to: &Destination,
        at: usize,
        size: Size,
    ) -> Result<Self, ParquetError> {
        let path = format!("{}/part-{at}.parquet", to.folder);
        // Where the disk is slower than the encoder, it is the encoder that waits, and not 64 MiB of a file in memory.
        let out = BufWriter::with_capacity(Arc::clone(&to.lake), path.as_str().into(), PART).with_max_concurrency(3);
        let properties = properties(schema, sample, size).into_builder();
        let properties = properties.set_sorting_columns((!order.is_empty()).then(|| order.to_vec())).build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties))?;
        let (writer, columns) = writer.into_serialized_writer()?;
        Ok(Self {
            schema: Arc::clone(schema),
            writer,
            columns: Arc::new(columns),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            encoding: VecDeque::new(),
            out,
            sent_bytes: 0,
            path,
        })
    }

    async fn push(&mut self, mut batch: RecordBatch) -> datafusion::error::Result<()> {
        while batch.num_rows() > 0 {
            let fits = batch.num_rows().min(GROUP_ROWS - self.waiting_rows);
            let (these, rest) = (batch.slice(0, fits), batch.slice(fits, batch.num_rows() - fits));
            // Of a slice of lists nobody says how much it shows.
            for column in these.columns().iter().filter(|column| !column.data_type().is_nested()) {
                self.waiting_bytes += column.to_data().get_slice_memory_size()?;
            }
            self.waiting_rows += fits;
            self.waiting.push(these);
            batch = rest;
            if self.waiting_rows >= GROUP_ROWS || self.waiting_bytes >= GROUP_BYTES {
                while self.encoding.len() >= GROUPS_AT_ONCE {
                    self.append_first().await?;
                }
                let group = self.group();
                self.encoding.push_back(SpawnedTask::spawn(group));
            }
        }
        Ok(())
    }

    /// The rows that wait, encoded.
    fn group(&mut self) -> impl Future<Output = Result<Vec<ArrowColumnChunk>, ParquetError>> + use<> {
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let rows = std::mem::take(&mut self.waiting);
        encoded(Arc::clone(&self.schema), Arc::clone(&self.columns), rows)
    }

    async fn append_first(&mut self) -> datafusion::error::Result<()> {
        match self.encoding.pop_front() {
            Some(group) => {
                let group = group.join_unwind().await.map_err(|e| DataFusionError::External(Box::new(e)))??;
                self.append(group).await
            }
            None => Ok(()),
        }
    }

    async fn append(&mut self, group: Vec<ArrowColumnChunk>) -> datafusion::error::Result<()> {
        // Room for all of it at once, because a vector that grows is copied and its pages are cleared twice.
        let bytes: u64 = group.iter().map(|chunk| chunk.close().bytes_written).sum();
        self.writer.inner_mut().reserve(usize::try_from(bytes).unwrap_or(0) + 4096);
        let mut row_group = self.writer.next_row_group()?;
        for chunk in group {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.send().await
    }

    /// What does not fill a part yet is copied: else it kept all of its row group in memory until the next one.
    async fn send(&mut self) -> datafusion::error::Result<()> {
        self.writer.flush()?;
        let mut bytes = Bytes::from(std::mem::take(self.writer.inner_mut()));
        self.sent_bytes += bytes.len();
        let rest = (self.sent_bytes % PART).min(bytes.len());
        let waiting = Bytes::copy_from_slice(&bytes[bytes.len() - rest..]);
        bytes.truncate(bytes.len() - rest);
        for bytes in [bytes, waiting].into_iter().filter(|bytes| !bytes.is_empty()) {
            self.out.put(bytes).await.map_err(|e| ParquetError::External(Box::new(e)))?;
        }
        Ok(())
    }

    async fn close(mut self) -> datafusion::error::Result<Output> {
        let last = (self.waiting_rows > 0).then(|| self.group());
        let last = OptionFuture::from(last).await.transpose()?;
        while !self.encoding.is_empty() {
            self.append_first().await?;
        }
        if let Some(last) = last {
            self.append(last).await?;
        }
        let metadata = self.writer.finish()?;
        self.send().await?;
        self.out.shutdown().await.map_err(|e| ParquetError::External(Box::new(e)))?;
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
        Ok(Output { path: self.path, rows, size_bytes: self.writer.bytes_written() as u64 })
    }
}

/// One row group.
async fn encoded(
    schema: SchemaRef,
    columns: Arc<ArrowRowGroupWriterFactory>,
    rows: Vec<RecordBatch>,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    let mut writers = columns.create_column_writers(0)?;
    for batch in rows {
        let mut leaves = writers.iter_mut();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, column)? {
                match leaves.next() {
                    Some(writer) => writer.write(&leaf)?,
                    None => return Err(ParquetError::General(format!("no writer for {}", field.name()))),
                }
            }
        }
        tokio::task::yield_now().await;
    }
    writers.into_iter().map(ArrowColumnWriter::close).collect()
}

/// lz4 instead of zstd, nothing at all for columns that lz4 makes hardly smaller, no dictionary for columns that are nearly
/// unique, no bounds for texts and money: together a third of the wall time of writing.
/// What lz4 makes hardly smaller is tried out for large files only: of a small one it takes as long as writing it.
fn properties(schema: &SchemaRef, sample: Option<&RecordBatch>, size: Size) -> WriterProperties {
    let sample = sample.filter(|rows| rows.num_rows() >= SAMPLE_ROWS).map(|rows| rows.slice(0, SAMPLE_ROWS));
    let all_compressed = encoding(schema, sample.as_ref(), &[]);
    let tried = sample.as_ref().filter(|_| size == Size::Large);
    match tried.and_then(|rows| dense_columns(rows, all_compressed.clone()).ok()) {
        Some(dense) => encoding(schema, sample.as_ref(), &dense),
        None => all_compressed,
    }
}

fn encoding(schema: &SchemaRef, sample: Option<&RecordBatch>, dense: &[usize]) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("matins".to_owned());
    for (at, field) in schema.fields().iter().enumerate() {
        let path = ColumnPath::from(field.name().as_str());
        let worth = sample.is_none_or(|rows| repeats(rows.column(at)));
        builder = builder.set_column_dictionary_enabled(path.clone(), worth);
        if dense.contains(&at) {
            builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
            if *field.data_type() == DataType::Utf8 {
                // Lengths apart from the bytes: of ids, which are of one length, they take no room.
                builder = builder.set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
            }
        }
        // Nobody looks for one in a range, and each would be compared: byte by byte where a decimal has more than 18 digits.
        if matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Decimal128(..)) {
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    builder.build()
}

/// Columns that compression makes less than a fifth smaller, such as hashes: trying again on every page is time for nothing.
fn dense_columns(sample: &RecordBatch, properties: WriterProperties) -> Result<Vec<usize>, ParquetError> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, sample.schema(), Some(properties))?;
    writer.write(sample)?;
    let metadata = writer.close()?;
    let Some(group) = metadata.row_groups().first() else { return Ok(vec![]) };
    // Nested columns have more leaves than the table has columns: those stay compressed.
    if group.num_columns() != sample.num_columns() {
        return Ok(vec![]);
    }
    let sizes = group.columns().iter().map(|c| (c.compressed_size(), c.uncompressed_size()));
    Ok(sizes.enumerate().filter(|(_, (small, large))| *small * 5 > *large * 4).map(|(at, _)| at).collect())
}

/// Whether values repeat often enough in a sample for a dictionary to pay.
fn repeats(column: &Arc<dyn Array>) -> bool {
    if !matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        // Numbers are small already: only a column of very few values gains, and that is found out cheaply by the writer.
        return column.len() < 1024;
    }
    let Some(texts) = column.as_any().downcast_ref::<arrow::array::StringArray>() else { return true };
    let seen: HashSet<&str> = texts.iter().flatten().collect();
    seen.len() * 2 < texts.len()
}

#[cfg(test)]
mod tests {
    use datafusion::error::Result;
    use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
    use object_store::memory::InMemory;

    use super::*;
    use crate::engine::{Effort, Engine, Settings, Tables};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_panic_is_a_bug_and_no_mistake_of_the_statement() {
        let lake: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let engine = Engine::new(Settings { memory_bytes: 1 << 28, cores: 2 }, Arc::clone(&lake)).expect("an engine");
        let poison = Arc::new(|_: &[ColumnarValue]| -> Result<ColumnarValue> { panic!("poison") });
        let function = create_udf("poison", vec![DataType::Int64], DataType::Int64, Volatility::Volatile, poison);
        for sql in [
            "SELECT poison(column1) AS x FROM (VALUES (1), (2))",
            // In a task of the engine's own.
            "SELECT column1, sum(x) AS x FROM (SELECT column1, poison(column1) AS x FROM (VALUES (1), (2))) GROUP BY column1",
        ] {
            let session = engine.session(&Tables::new(), Effort::Alone).expect("a session");
            session.register_udf(function.clone());
            let plan = session.sql(sql).await.expect("a plan").create_physical_plan().await.expect("a plan");
            let to = Destination { lake: Arc::clone(&lake), folder: "x".to_owned() };
            let error = write(plan, session.task_ctx(), &to, &Watch::default(), |e| engine.error(e))
                .await
                .expect_err("it panics");
            assert!(matches!(&error, EngineError::Panicked(why) if why.contains("poison")), "{error:?}");
        }
    }
}
