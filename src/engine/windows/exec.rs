//! The operator: sorted rows come in, whole partitions are gathered, and the columns of all windows go out beside them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{concat_batches, partition};
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexRequirement, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
    PhysicalSortRequirement,
};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt};

use super::column::{Bounds, Column, Value};

/// Rows that are gathered before columns are computed; a longer partition is gathered whole.
const ROWS: usize = 32 * 1024;

/// What is computed.
#[derive(Debug)]
pub(super) struct Spec {
    pub columns: Vec<Column>,
    pub partition_by: Vec<Arc<dyn PhysicalExpr>>,
    pub order_by: Vec<PhysicalSortExpr>,
    pub schema: SchemaRef,
}

#[derive(Debug)]
pub(super) struct WindowColumnsExec {
    spec: Arc<Spec>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WindowColumnsExec {
    pub(super) fn new(spec: Arc<Spec>, input: Arc<dyn ExecutionPlan>) -> Self {
        let orderings = input.equivalence_properties().oeq_class().clone();
        let equal = EquivalenceProperties::new_with_orderings(Arc::clone(&spec.schema), orderings);
        let partitioning = input.output_partitioning().clone();
        let properties = PlanProperties::new(equal, partitioning, EmissionType::Incremental, input.boundedness());
        Self { spec, input, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for WindowColumnsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<&str> = self.spec.columns.iter().map(|c| c.name.as_str()).collect();
        write!(f, "WindowColumnsExec: {}", names.join(", "))
    }
}

impl ExecutionPlan for WindowColumnsExec {
    fn name(&self) -> &'static str {
        "WindowColumnsExec"
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
        let arguments = self.spec.columns.iter().filter_map(|c| c.argument.as_ref());
        let all = arguments.chain(&self.spec.partition_by).chain(self.spec.order_by.iter().map(|sort| &sort.expr));
        for expr in all {
            if f(expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let partitions = self.spec.partition_by.iter().map(|expr| PhysicalSortRequirement::new(Arc::clone(expr), None));
        let order = self.spec.order_by.iter().filter(|sort| !self.spec.partition_by.iter().any(|p| p.eq(&sort.expr)));
        let all = partitions.chain(order.cloned().map(PhysicalSortRequirement::from));
        vec![LexRequirement::new(all).map(OrderingRequirements::new)]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.input_distribution_requirements().into_per_child()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::KeyPartitioned(self.spec.partition_by.clone())])
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(Arc::clone(&self.spec), input))),
            _ => internal_err!("windows have one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let state = Gathering {
            spec: Arc::clone(&self.spec),
            input: self.input.execute(partition, context)?,
            held: vec![],
            rows: 0,
            enough: ROWS,
            ended: false,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = futures::stream::try_unfold(state, |mut state| async move {
            Ok(state.next().await?.map(|batch| (batch, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.spec.schema), batches.boxed())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

/// Rows of partitions that may go on.
struct Gathering {
    spec: Arc<Spec>,
    input: SendableRecordBatchStream,
    held: Vec<RecordBatch>,
    rows: usize,
    enough: usize,
    ended: bool,
    metrics: BaselineMetrics,
}

impl Gathering {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            while !self.ended && self.rows < self.enough {
                match self.input.try_next().await? {
                    Some(batch) => {
                        self.rows += batch.num_rows();
                        self.held.push(batch);
                    }
                    None => self.ended = true,
                }
            }
            if self.rows == 0 {
                return Ok(None);
            }
            let timer = self.metrics.elapsed_compute().clone();
            let timer = timer.timer();
            let whole = concat_batches(&self.input.schema(), &self.held)?;
            let keys = values(&self.spec.partition_by, &whole)?;
            let mut partitions = partition(&keys)?.ranges();
            let cut = match partitions.last() {
                Some(last) if !self.ended => last.start,
                _ => whole.num_rows(),
            };
            self.held = vec![whole.slice(cut, whole.num_rows() - cut)];
            self.rows -= cut;
            if cut == 0 {
                // One partition alone: looked at again only when there is twice as much of it.
                self.enough = 2 * self.rows;
                continue;
            }
            self.enough = ROWS.max(self.rows + 1);
            partitions.retain(|range| range.start < cut);
            let batch = self.spec.columns(&whole.slice(0, cut), keys, partitions)?;
            timer.done();
            return Ok(Some(batch));
        }
    }
}

impl Spec {
    /// The rows with their windows' columns.
    fn columns(
        &self,
        rows: &RecordBatch,
        mut keys: Vec<ArrayRef>,
        partitions: Vec<std::ops::Range<usize>>,
    ) -> Result<RecordBatch> {
        for key in &mut keys {
            *key = key.slice(0, rows.num_rows());
        }
        for sort in &self.order_by {
            keys.push(sort.expr.evaluate(rows)?.into_array(rows.num_rows())?);
        }
        let bounds = Bounds { partitions, peers: partition(&keys)?.ranges(), rows: rows.num_rows() };
        let mut all = rows.columns().to_vec();
        for column in &self.columns {
            let argument = match (&column.argument, column.value) {
                (Some(expr), _) => Some(expr.evaluate(rows)?.into_array(rows.num_rows())?),
                (None, Value::RowNumber | Value::CountRows) => None,
                (None, _) => return internal_err!("{} has no argument", column.name),
            };
            all.push(column.values(argument.as_ref(), &bounds)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), all)?)
    }
}

fn values(exprs: &[Arc<dyn PhysicalExpr>], rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
    exprs.iter().map(|expr| expr.evaluate(rows)?.into_array(rows.num_rows())).collect()
}
