//! Rows that are made while those before them are used: a statement that has one core to itself takes part of another's
//! while nobody else does. Rows stay in their order, on one partition.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::Statistics;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, SendableRecordBatchStream,
};
use futures::StreamExt;

/// Batches that wait for their reader.
const BATCHES: usize = 2;
/// Tables of fewer rows are read before another task has begun.
const MANY_ROWS: usize = 64 * 1024;

/// The same rows, made by a task of their own, which goes on while the last ones are used.
pub(super) fn ahead(mut rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let mut between = RecordBatchReceiverStream::builder(rows.schema(), BATCHES);
    let to = between.tx();
    between.spawn(async move {
        while let Some(batch) = rows.next().await {
            if to.send(batch).await.is_err() {
                break;
            }
            // The reader that this woke waits on this thread until it pauses, and no other thread may take it.
            tokio::task::yield_now().await;
        }
        Ok(())
    });
    between.build()
}

/// Reads large files, and joins what is then grouped, ahead.
#[derive(Debug)]
pub(super) struct WorkAhead;

impl PhysicalOptimizerRule for WorkAhead {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let placed = plan.transform_up(|node| {
            let groups = node.is::<AggregateExec>();
            let children: Vec<Arc<dyn ExecutionPlan>> = node.children().into_iter().cloned().collect();
            let mut changed = false;
            let children = children.into_iter().map(|child| {
                let one = child.output_partitioning().partition_count() == 1;
                let worth = one && (is_large(&child) || groups && joins(&child));
                changed |= worth;
                if worth { Arc::new(AheadExec { input: child }) as Arc<dyn ExecutionPlan> } else { child }
            });
            let children: Vec<_> = children.collect();
            if !changed {
                return Ok(Transformed::no(node));
            }
            node.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep)).map(Transformed::yes)
        });
        placed.data()
    }

    fn name(&self) -> &'static str {
        "work_ahead"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_large(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let rows = || StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok().map(|s| s.num_rows);
    plan.is::<DataSourceExec>()
        && matches!(rows(), Some(Precision::Exact(rows) | Precision::Inexact(rows)) if rows >= MANY_ROWS)
}

/// Whether rows come from a join of large tables, whatever else is done to each.
fn joins(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if plan.is::<HashJoinExec>() {
        return plan.exists(|below| Ok(below.is::<AheadExec>())).unwrap_or(false);
    }
    match plan.children().as_slice() {
        [input] if !plan.is::<AggregateExec>() && !plan.is::<AheadExec>() => joins(input),
        _ => false,
    }
}

#[derive(Debug)]
struct AheadExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for AheadExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AheadExec")
    }
}

impl ExecutionPlan for AheadExec {
    fn name(&self) -> &'static str {
        "AheadExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { input: children.swap_remove(0) }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        Ok(ahead(self.input.execute(partition, context)?))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(Arc::clone(&inputs[0]))
    }
}
