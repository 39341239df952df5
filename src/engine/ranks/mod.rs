//! Places in an order, such as `ntile(5) OVER (ORDER BY net, customer_key)`: found without moving the rows.
//!
//! The engine's own windows need their input sorted, and sort whole rows again for every other order, column by column.
//! Here the keys of an order are written as bytes that compare like the rows, mostly within a single number; they are sorted
//! beside the numbers of their rows, and each place is put where its row already stands. The places are the same.

mod exec;
mod order;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, Projection, UserDefinedLogicalNodeCore, WindowFunctionDefinition,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::PhysicalPlanner;

use crate::engine::windows::function;
use exec::{By, Column, RanksExec, Spec};
use order::Place;

/// The plan with every window of places computed here. Windows of several orders over the same rows become one node.
pub(super) fn replace(plan: LogicalPlan) -> Result<LogicalPlan> {
    // To look costs less than to walk through a plan that others hold too.
    if !plan.exists(|plan| Ok(matches!(plan, LogicalPlan::Window(_))))? {
        return Ok(plan);
    }
    let replaced = plan.transform_up(|plan| {
        let LogicalPlan::Window(window) = &plan else { return Ok(Transformed::no(plan)) };
        if !window.window_expr.iter().all(|expr| place(expr).is_some()) {
            return Ok(Transformed::no(plan));
        }
        let added = &window.schema.iter().collect::<Vec<_>>()[window.input.schema().fields().len()..];
        let Some((ranks, kept)) = below(&window.input).filter(|(ranks, _)| ranks.reads_no_place(&window.window_expr))
        else {
            let input = window.input.as_ref().clone();
            let node = Ranks { input, functions: window.window_expr.clone(), schema: Arc::clone(&window.schema) };
            return Ok(Transformed::yes(node.into_plan()));
        };
        let fields = ranks.schema.iter().chain(added.iter().copied());
        let fields = fields.map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect();
        let schema = DFSchema::new_with_metadata(fields, ranks.schema.metadata().clone())?;
        let functions = ranks.functions.iter().chain(&window.window_expr).cloned().collect();
        let node = Ranks { input: ranks.input.clone(), functions, schema: Arc::new(schema) }.into_plan();
        let Some(kept) = kept else { return Ok(Transformed::yes(node)) };
        let columns = kept.iter().cloned().chain(added.iter().map(|column| Expr::Column((*column).into()))).collect();
        let narrowed = Projection::try_new_with_schema(columns, Arc::new(node), Arc::clone(&window.schema))?;
        Ok(Transformed::yes(LogicalPlan::Projection(narrowed)))
    })?;
    Ok(replaced.data)
}

/// The node that makes a plan's rows, and which of its columns are kept when not all are.
fn below(plan: &LogicalPlan) -> Option<(&Ranks, Option<&[Expr]>)> {
    match plan {
        LogicalPlan::Extension(extension) => Some((extension.node.as_any().downcast_ref()?, None)),
        LogicalPlan::Projection(projection) if projection.expr.iter().all(|e| matches!(e, Expr::Column(_))) => {
            below(&projection.input).map(|(ranks, _)| (ranks, Some(&projection.expr[..])))
        }
        _ => None,
    }
}

/// Places in any number of orders over one input.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Ranks {
    input: LogicalPlan,
    functions: Vec<Expr>,
    schema: DFSchemaRef,
}

impl Ranks {
    fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    fn reads_no_place(&self, functions: &[Expr]) -> bool {
        functions.iter().flat_map(Expr::column_refs).all(|column| self.input.schema().has_column(column))
    }
}

impl PartialOrd for Ranks {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for Ranks {
    fn name(&self) -> &'static str {
        "Ranks"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.functions.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let functions: Vec<String> = self.functions.iter().map(ToString::to_string).collect();
        write!(f, "Ranks: {}", functions.join(", "))
    }

    fn with_exprs_and_inputs(&self, functions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(input) = inputs.pop() else { return plan_err!("ranks have an input") };
        Ok(Self { input, functions, schema: Arc::clone(&self.schema) })
    }
}

/// Plans the operator.
pub(super) fn plan(
    ranks: &Ranks,
    input: &Arc<dyn ExecutionPlan>,
    planner: &dyn PhysicalPlanner,
    session: &dyn Session,
    context: &PhysicalPlanningContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    let physical = |expr: &Expr| planner.create_physical_expr(expr, ranks.input.schema(), session, context);
    let own = ranks.schema.fields().iter().skip(ranks.input.schema().fields().len());
    let mut orders: Vec<(By, Vec<Column>)> = vec![];
    for (at, (expr, field)) in ranks.functions.iter().zip(own.clone()).enumerate() {
        let (Some(place), Some(function)) = (place(expr), function(expr)) else {
            return plan_err!("{expr} is not a place in an order");
        };
        let partition_by = function.params.partition_by.iter().map(physical).collect::<Result<Vec<_>>>()?;
        let mut order_by = Vec::with_capacity(function.params.order_by.len());
        for sort in &function.params.order_by {
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            order_by.push((physical(&sort.expr)?, options));
        }
        let by = By { partition_by, order_by };
        let column = Column { at, place, name: field.name().clone() };
        match orders.iter_mut().find(|(known, _)| *known == by) {
            Some((_, columns)) => columns.push(column),
            None => orders.push((by, vec![column])),
        }
    }
    let fields: Vec<_> = input.schema().fields().iter().chain(own).cloned().collect();
    let schema = Arc::new(Schema::new_with_metadata(fields, input.schema().metadata().clone()));
    Ok(Arc::new(RanksExec::new(Arc::new(Spec { orders, schema }), Arc::clone(input))))
}

/// Which place a window function is; none where it is something else, or where its rows stand in no order.
fn place(expr: &Expr) -> Option<Place> {
    let function = function(expr)?;
    let params = &function.params;
    if params.order_by.is_empty() || params.filter.is_some() || params.null_treatment.is_some() || params.distinct {
        return None;
    }
    let WindowFunctionDefinition::WindowUDF(_) = &function.fun else { return None };
    match (function.fun.name(), params.args.as_slice()) {
        ("row_number", []) => Some(Place::RowNumber),
        ("rank", []) => Some(Place::Rank),
        ("dense_rank", []) => Some(Place::DenseRank),
        ("percent_rank", []) => Some(Place::PercentRank),
        ("cume_dist", []) => Some(Place::CumeDist),
        ("ntile", [Expr::Literal(ScalarValue::Int64(Some(tiles)), _)]) => {
            u64::try_from(*tiles).ok().filter(|tiles| *tiles > 0).map(Place::Tile)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
