//! A table as the list of Parquet files it is, with the rows that a key's duplicates lost left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Statistics, ToDFSchema, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;

use crate::engine::session::store_url;
use crate::engine::{EngineError, order};

/// One file of a table.
#[derive(Debug, Clone)]
pub struct PartFile {
    /// Below the lake.
    pub path: String,
    pub size_bytes: u64,
    pub rows: u64,
    /// Positions of rows to leave out, ascending.
    pub dropped: Vec<u64>,
}

/// How the rows of a file are laid out.
#[derive(Debug, Clone)]
pub struct Layout {
    pub schema: SchemaRef,
    /// What its rows are sorted by.
    order: Vec<PhysicalSortExpr>,
}

impl From<SchemaRef> for Layout {
    fn from(schema: SchemaRef) -> Self {
        Self { schema, order: vec![] }
    }
}

/// A table made of files that are all of one schema.
#[derive(Debug)]
pub struct PartsTable {
    schema: SchemaRef,
    order: Option<LexOrdering>,
    files: Vec<PartFile>,
}

/// Reads a Parquet file's layout; the column `_key` is the landing's own and stays hidden.
pub async fn read_layout(lake: &Arc<dyn ObjectStore>, file: &PartFile) -> std::result::Result<Layout, EngineError> {
    let unreadable = |e: ParquetError| EngineError::Execution(format!("{} cannot be read as Parquet: {e}", file.path));
    let mut tail = file.size_bytes.min(64 * 1024);
    let mut reader = ParquetMetaDataReader::new();
    loop {
        let range = file.size_bytes - tail..file.size_bytes;
        let bytes = lake.get_range(&file.path.as_str().into(), range).await.map_err(EngineError::Store)?;
        match reader.try_parse_sized(&bytes, file.size_bytes) {
            Ok(()) => break,
            Err(ParquetError::NeedMoreData(more)) if (more as u64) > tail && (more as u64) <= file.size_bytes => {
                tail = more as u64;
            }
            Err(error) => return Err(unreadable(error)),
        }
    }
    let metadata = reader.finish().map_err(unreadable)?;
    let described = metadata.file_metadata();
    let schema =
        parquet_to_arrow_schema(described.schema_descr(), described.key_value_metadata()).map_err(unreadable)?;
    let fields: Vec<_> =
        schema.fields().iter().filter(|f| f.name() != "_key").map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let order = order::read(&metadata, &schema);
    Ok(Layout { schema, order })
}

impl PartsTable {
    /// The layout is that of the first file. Of several nobody says in which order they stand to each other.
    pub fn new(layout: impl Into<Layout>, files: Vec<PartFile>) -> Self {
        let Layout { schema, order } = layout.into();
        let order = if files.len() == 1 { LexOrdering::new(order) } else { None };
        Self { schema, order, files }
    }

    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows - f.dropped.len() as u64).sum()
    }

    fn statistics(&self) -> Statistics {
        let bytes: u64 = self.files.iter().map(|f| f.size_bytes).sum();
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(usize::try_from(self.rows()).unwrap_or(usize::MAX));
        statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        statistics
    }

    /// As many groups as there are cores, about equally large, in the order of the files.
    fn groups(&self, wanted: usize) -> Vec<FileGroup> {
        let total: u64 = self.files.iter().map(|f| f.size_bytes).sum();
        let share = total / wanted.max(1) as u64 + 1;
        let mut groups: BTreeMap<u64, Vec<PartitionedFile>> = BTreeMap::new();
        let mut before = 0;
        for file in &self.files {
            groups.entry(before / share).or_default().push(partitioned(file));
            before += file.size_bytes;
        }
        groups.into_values().map(FileGroup::new).collect()
    }
}

fn partitioned(file: &PartFile) -> PartitionedFile {
    let listed = PartitionedFile::new(file.path.clone(), file.size_bytes);
    if file.dropped.is_empty() { listed } else { listed.with_extension(ParquetRowSelection::new(selection(file))) }
}

fn selection(file: &PartFile) -> RowSelection {
    let mut selectors = Vec::with_capacity(2 * file.dropped.len() + 1);
    let mut at = 0;
    let mut push = |count: u64, skip: bool| {
        let row_count = usize::try_from(count).unwrap_or(usize::MAX);
        if row_count > 0 {
            selectors.push(RowSelector { row_count, skip });
        }
    };
    for row in &file.dropped {
        push(row - at, false);
        push(1, true);
        at = row + 1;
    }
    push(file.rows - at, false);
    RowSelection::from(selectors)
}

#[async_trait]
impl TableProvider for PartsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Statistics may rule out row groups; every row is still filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(PartsTable::statistics(self))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // A table without files has no partition, and the planner would find no way to group it.
        if self.files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let url = store_url();
        let store = state.runtime_env().object_store(&url)?;
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let options = state.default_table_options().parquet;
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(CachedParquetFileReaderFactory::new(store, cache)));
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = Arc::clone(&self.schema).to_dfschema()?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(self.groups(state.config().target_partitions()))
            .with_statistics(PartsTable::statistics(self))
            .with_output_ordering(self.order.iter().cloned().collect())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
