//! One tuned session over the lake. What each setting is worth was measured: docs/bench.md.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider, SchemaProvider,
    TableProvider,
};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::Statement;
use object_store::ObjectStore;

use crate::base::TableName;
use crate::engine::planner::Planner;
use crate::engine::pool::Pool;
use crate::engine::{EngineError, counts, exact, functions, keys, rules};

/// What the engine may use.
#[derive(Debug, Clone)]
pub struct Settings {
    pub memory_bytes: u64,
    pub cores: usize,
}

/// The tables a statement may name.
pub type Tables = BTreeMap<TableName, Table>;
pub type Table = Arc<dyn TableProvider>;

/// How a statement shares the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// All cores and hash joins: nothing else runs, or what does ends first.
    Alone,
    /// One core and hash joins: other statements run on the others, and rows need not be spread over cores and gathered
    /// again, which costs a quarter of the work.
    Beside,
    /// One of the last, begun together with another: all cores, which will be free when the other ends; but one where rows come in the
    /// order they are grouped by, since to spread them over cores costs more than one core takes.
    Last,
    /// After memory ran out: sort-merge joins, which spill where hash joins cannot.
    Frugal,
}

/// The engine: one memory pool, one set of functions, one store.
pub struct Engine {
    /// What sessions begin as: the names of all functions are entered once, not for every statement.
    alone: SessionState,
    beside: SessionState,
    frugal: SessionState,
    settings: Settings,
}

impl Engine {
    /// `lake` is the store whose paths the parts of tables are given in.
    pub fn new(settings: Settings, lake: Arc<dyn ObjectStore>) -> Result<Self, EngineError> {
        let limit = usize::try_from(settings.memory_bytes).unwrap_or(usize::MAX);
        let top = NonZeroUsize::new(3).unwrap_or(NonZeroUsize::MIN);
        let pool = Arc::new(TrackConsumersPool::new(Pool::new(limit), top));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(pool)
            .build_arc()
            .map_err(|e| EngineError::new(e, settings.memory_bytes))?;
        runtime.register_object_store(store_url().as_ref(), lake);
        let state = |effort| state(&settings, &runtime, effort);
        let (alone, beside, frugal) = (state(Effort::Alone)?, state(Effort::Beside)?, state(Effort::Frugal)?);
        Ok(Self { alone, beside, frugal, settings })
    }

    /// A session that knows these tables and no others.
    pub fn session(&self, tables: &Tables, effort: Effort) -> Result<SessionContext, EngineError> {
        let catalog = MemoryCatalogProvider::new();
        for (name, provider) in tables {
            let schema = match catalog.schema(name.schema()) {
                Some(schema) => schema,
                None => {
                    let schema: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
                    catalog.register_schema(name.schema(), Arc::clone(&schema)).map_err(|e| self.error(e))?;
                    schema
                }
            };
            schema.register_table(name.table().to_owned(), Arc::clone(provider)).map_err(|e| self.error(e))?;
        }
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog("lake".to_owned(), Arc::new(catalog));
        let mut state = match effort {
            Effort::Alone | Effort::Last => &self.alone,
            Effort::Beside => &self.beside,
            Effort::Frugal => &self.frugal,
        }
        .clone();
        state.register_catalog_list(Arc::new(catalogs));
        Ok(SessionContext::new_with_state(state))
    }

    /// Plans a parsed statement.
    pub async fn plan(&self, session: &SessionContext, statement: Statement) -> Result<DataFrame, EngineError> {
        let state = session.state();
        let statement = DfStatement::Statement(Box::new(statement));
        let plan = state.statement_to_plan(statement).await.map_err(|e| self.error(e))?;
        Ok(DataFrame::new(state, plan))
    }

    /// Plans a person's question: it may read and nothing else.
    pub async fn ask(&self, session: &SessionContext, text: &str) -> Result<DataFrame, EngineError> {
        let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        session.sql_with_options(text, only_reads).await.map_err(|e| self.error(e))
    }

    pub fn error(&self, error: datafusion::error::DataFusionError) -> EngineError {
        EngineError::new(error, self.settings.memory_bytes)
    }

    pub fn cores(&self) -> usize {
        self.settings.cores
    }

    /// Every function a statement may call, lower-case.
    pub fn function_names(&self) -> Vec<String> {
        let state = &self.beside;
        let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
        names.extend(state.aggregate_functions().keys().cloned());
        names.extend(state.window_functions().keys().cloned());
        names.sort();
        names.dedup();
        names
    }
}

/// What knows no tables yet.
fn state(settings: &Settings, runtime: &Arc<RuntimeEnv>, effort: Effort) -> Result<SessionState, EngineError> {
    let mut state = SessionStateBuilder::new()
        .with_config(config(settings, effort))
        .with_runtime_env(Arc::clone(runtime))
        .with_default_features()
        .with_optimizer_rules(rules::logical())
        .with_physical_optimizer_rules(rules::physical())
        .with_relation_planners(vec![Arc::new(keys::Relations)])
        .with_query_planner(Arc::new(Planner { holds: effort != Effort::Frugal }))
        .build();
    for function in exact::functions().into_iter().chain([counts::function()]) {
        register(&mut state, function)?;
    }
    functions::register(&mut state).map_err(|e| EngineError::new(e, 0))?;
    Ok(state)
}

fn register(
    state: &mut SessionState,
    function: Arc<datafusion::logical_expr::AggregateUDF>,
) -> Result<(), EngineError> {
    use datafusion::execution::FunctionRegistry;
    state.register_udaf(function).map(|_| ()).map_err(|e| EngineError::new(e, 0))
}

/// The name under which the lake's store is known to the engine.
pub(super) fn store_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("lake://lake").unwrap_or_else(|_| ObjectStoreUrl::local_filesystem())
}

fn config(settings: &Settings, effort: Effort) -> SessionConfig {
    let cores = match effort {
        Effort::Alone | Effort::Last => settings.cores,
        Effort::Beside => 1,
        // With a single partition the planner has no other join than the hash join.
        Effort::Frugal => 2,
    };
    let mut config = SessionConfig::new()
        .with_target_partitions(cores)
        .with_default_catalog_and_schema("lake", "main")
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true);
    let options = config.options_mut();
    // With string views a join or a window over nearly unique ids keeps every decoded page alive: 23 GB against 1 GB.
    options.execution.parquet.schema_force_view_types = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    // Mistakes carry the line and column they stand at.
    options.sql_parser.collect_spans = true;
    options.optimizer.prefer_hash_join = effort != Effort::Frugal;
    options.execution.collect_statistics = false;
    // Every sort keeps so much for merging what it will have spilled, and a statement with four joins has twenty sorts.
    let merging = usize::try_from(settings.memory_bytes / 128).unwrap_or(usize::MAX);
    options.execution.sort_spill_reservation_bytes = merging.min(options.execution.sort_spill_reservation_bytes);
    // What a join, a sort or an aggregate learns of its keys while it runs rules no file out: few keys have bounds in files, and
    // files are read before. Nor have files bounds of pages, or Bloom filters, or columns inside columns.
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_leaf_expression_pushdown = false;
    // A second pass over a statement takes as long as the first, and no pack was faster for it.
    options.optimizer.max_passes = 1;
    options.execution.parquet.enable_page_index = false;
    options.execution.parquet.bloom_filter_on_read = false;
    config
}
