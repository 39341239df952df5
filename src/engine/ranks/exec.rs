//! The operator: all rows are gathered as they come, ordered by their keys alone, and go out with their places beside them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};

use super::order::{ENTRY, Order, Place};

/// An order, within partitions if there are any.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct By {
    pub partition_by: Vec<Arc<dyn PhysicalExpr>>,
    pub order_by: Vec<(Arc<dyn PhysicalExpr>, SortOptions)>,
}

/// A column of places; `at` is its number among the columns that are added.
#[derive(Debug)]
pub(super) struct Column {
    pub at: usize,
    pub place: Place,
    /// For messages.
    pub name: String,
}

/// What is computed.
#[derive(Debug)]
pub(super) struct Spec {
    pub orders: Vec<(By, Vec<Column>)>,
    pub schema: SchemaRef,
}

#[derive(Debug)]
pub(super) struct RanksExec {
    spec: Arc<Spec>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RanksExec {
    pub(super) fn new(spec: Arc<Spec>, input: Arc<dyn ExecutionPlan>) -> Self {
        let orderings = input.equivalence_properties().oeq_class().clone();
        let equal = EquivalenceProperties::new_with_orderings(Arc::clone(&spec.schema), orderings);
        let partitioning = input.output_partitioning().clone();
        let properties = PlanProperties::new(equal, partitioning, EmissionType::Final, input.boundedness());
        Self { spec, input, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for RanksExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let names = self.spec.orders.iter().flat_map(|(_, columns)| columns).map(|c| c.name.as_str());
        write!(f, "RanksExec: {}", names.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for RanksExec {
    fn name(&self) -> &'static str {
        "RanksExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for (by, _) in &self.spec.orders {
            for expr in by.partition_by.iter().chain(by.order_by.iter().map(|(expr, _)| expr)) {
                if f(expr)? == TreeNodeRecursion::Stop {
                    return Ok(TreeNodeRecursion::Stop);
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.input_distribution_requirements().into_per_child()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let mut partitions = self.spec.orders.iter().map(|(by, _)| &by.partition_by);
        let distribution = match partitions.next() {
            Some(first) if !first.is_empty() && partitions.all(|other| other == first) => {
                Distribution::KeyPartitioned(first.clone())
            }
            _ => Distribution::SinglePartition,
        };
        InputDistributionRequirements::new(vec![distribution])
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(Arc::clone(&self.spec), input))),
            _ => internal_err!("ranks have one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new(format!("RanksExec[{partition}]")).register(context.memory_pool());
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, context)?;
        let ranked = ranked(Arc::clone(&self.spec), input, memory, metrics);
        let batches = futures::stream::once(ranked).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.spec.schema), batches.boxed())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

/// All rows with their places, in the batches in which they came.
async fn ranked(
    spec: Arc<Spec>,
    mut input: SendableRecordBatchStream,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
) -> Result<impl futures::Stream<Item = Result<RecordBatch>>> {
    // Batches may be slices of the same memory, which counts once.
    let (mut batches, mut rows, mut counter) = (vec![], 0, RecordBatchMemoryCounter::new());
    while let Some(batch) = input.try_next().await? {
        memory.try_grow(counter.count_batch(&batch))?;
        rows += batch.num_rows();
        batches.push(batch);
    }
    if u32::try_from(rows).is_err() {
        return exec_err!("a window over {rows} rows without partitions is more than can be put in order at once");
    }
    let timer = metrics.elapsed_compute().timer();
    let mut added: Vec<Option<ArrayRef>> = vec![None; spec.schema.fields().len() - input.schema().fields().len()];
    for (by, columns) in &spec.orders {
        let order = by.order(&batches, rows, &memory)?;
        for column in columns {
            memory.try_grow(rows * size_of::<u64>())?;
            added[column.at] = Some(order.places(column.place));
        }
    }
    let Some(added) = added.into_iter().collect::<Option<Vec<ArrayRef>>>() else {
        return internal_err!("a place of {spec:?} was not found");
    };
    timer.done();
    let mut start = 0;
    Ok(futures::stream::iter(batches).map(move |batch| {
        // Held until the last batch has gone out.
        let _held = &memory;
        let mut all = batch.columns().to_vec();
        all.extend(added.iter().map(|places| places.slice(start, batch.num_rows())));
        start += batch.num_rows();
        Ok(RecordBatch::try_new(Arc::clone(&spec.schema), all)?)
    }))
}

impl By {
    fn order(&self, batches: &[RecordBatch], rows: usize, memory: &MemoryReservation) -> Result<Order> {
        let keys = memory.new_empty();
        let partitions = self.partition_by.iter().map(|expr| (Arc::clone(expr), SortOptions::default()));
        let sorts: Vec<_> = partitions.clone().chain(self.order_by.iter().cloned()).collect();
        let whole = bytes(&sorts, batches, &keys)?;
        let partition = if self.partition_by.is_empty() {
            None
        } else {
            Some(bytes(&partitions.collect::<Vec<_>>(), batches, &keys)?)
        };
        keys.try_grow(rows * ENTRY)?;
        Ok(Order::new(&whole, partition.as_ref()))
    }
}

/// The rows' keys as bytes that compare like them.
fn bytes(
    sorts: &[(Arc<dyn PhysicalExpr>, SortOptions)],
    batches: &[RecordBatch],
    memory: &MemoryReservation,
) -> Result<Rows> {
    let Some(first) = batches.first() else { return Ok(RowConverter::new(vec![])?.empty_rows(0, 0)) };
    let mut fields = Vec::with_capacity(sorts.len());
    for (expr, options) in sorts {
        fields.push(SortField::new_with_options(expr.data_type(first.schema_ref())?, *options));
    }
    let converter = RowConverter::new(fields)?;
    let mut rows = converter.empty_rows(0, 0);
    for batch in batches {
        let before = rows.size();
        let columns: Vec<ArrayRef> =
            sorts.iter().map(|(expr, _)| expr.evaluate(batch)?.into_array(batch.num_rows())).collect::<Result<_>>()?;
        converter.append(&mut rows, &columns)?;
        memory.try_grow(rows.size() - before)?;
    }
    Ok(rows)
}
