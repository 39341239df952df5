//! Windows over many small partitions, such as "the month before of every customer": computed for a whole batch at a time.
//!
//! The engine's own window operators begin anew for every partition, which costs some microseconds each and is most of the time
//! where a partition is one customer. The common functions over frames that start with their partition are computed here,
//! column by column; every other window stays the engine's. The rows and their digits are the same.

mod column;
mod exec;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema};
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore, WindowFrame, WindowFrameUnits,
    WindowFunctionDefinition,
};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::PhysicalPlanner;

use column::{Column, End, Value};
use exec::{Spec, WindowColumnsExec};

/// The plan with every window that can be computed here.
pub(super) fn replace(plan: LogicalPlan) -> Result<LogicalPlan> {
    // To look costs less than to walk through a plan that others hold too.
    if !plan.exists(|plan| Ok(matches!(plan, LogicalPlan::Window(_))))? {
        return Ok(plan);
    }
    let replaced = plan.transform_up(|plan| {
        let LogicalPlan::Window(window) = &plan else { return Ok(Transformed::no(plan)) };
        let input = window.input.as_ref();
        if !window.window_expr.iter().all(|expr| value(expr, input).is_some()) {
            return Ok(Transformed::no(plan));
        }
        let node =
            Windows { input: input.clone(), functions: window.window_expr.clone(), schema: Arc::clone(&window.schema) };
        Ok(Transformed::yes(LogicalPlan::Extension(Extension { node: Arc::new(node) })))
    })?;
    Ok(replaced.data)
}

/// Window functions of the same partitions and order over one input.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Windows {
    input: LogicalPlan,
    functions: Vec<Expr>,
    schema: DFSchemaRef,
}

impl PartialOrd for Windows {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for Windows {
    fn name(&self) -> &'static str {
        "WindowColumns"
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
        write!(f, "WindowColumns: {}", functions.join(", "))
    }

    fn with_exprs_and_inputs(&self, functions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Some(input) = inputs.pop() else { return plan_err!("windows have an input") };
        Ok(Self { input, functions, schema: Arc::clone(&self.schema) })
    }
}

/// Plans the operator.
pub(super) fn plan(
    windows: &Windows,
    input: &Arc<dyn ExecutionPlan>,
    planner: &dyn PhysicalPlanner,
    session: &dyn Session,
    context: &PhysicalPlanningContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    let physical = |expr: &Expr| planner.create_physical_expr(expr, windows.input.schema(), session, context);
    let mut columns = Vec::with_capacity(windows.functions.len());
    let mut fields: Vec<_> = input.schema().fields().iter().cloned().collect();
    let (mut partition_by, mut order_by) = (Vec::new(), Vec::new());
    for (at, expr) in windows.functions.iter().enumerate() {
        let (Some((value, end)), Some(function)) = (value(expr, &windows.input), function(expr)) else {
            return plan_err!("{expr} is not a window that is computed by columns");
        };
        let params = &function.params;
        let argument = match value {
            Value::RowNumber | Value::CountRows => None,
            _ => params.args.first().map(physical).transpose()?,
        };
        let field = Arc::clone(&windows.schema.fields()[windows.input.schema().fields().len() + at]);
        columns.push(Column { value, end, argument, field: Arc::clone(&field), name: expr.schema_name().to_string() });
        fields.push(field);
        if at == 0 {
            partition_by = params.partition_by.iter().map(physical).collect::<Result<_>>()?;
            order_by = params
                .order_by
                .iter()
                .map(|sort| {
                    let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
                    Ok(PhysicalSortExpr::new(physical(&sort.expr)?, options))
                })
                .collect::<Result<_>>()?;
        }
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, input.schema().metadata().clone()));
    Ok(Arc::new(WindowColumnsExec::new(Arc::new(Spec { columns, partition_by, order_by, schema }), Arc::clone(input))))
}

/// The window function of an expression.
pub(super) fn function(expr: &Expr) -> Option<&WindowFunction> {
    match expr {
        Expr::Alias(alias) => function(&alias.expr),
        Expr::WindowFunction(function) => Some(function),
        _ => None,
    }
}

/// What a window function is here; none where it stays the engine's.
fn value(expr: &Expr, input: &LogicalPlan) -> Option<(Value, End)> {
    let function = function(expr)?;
    let params = &function.params;
    if params.partition_by.is_empty() || params.filter.is_some() || params.null_treatment.is_some() || params.distinct {
        return None;
    }
    let end = end(&params.window_frame, params.order_by.is_empty())?;
    let argument = params.args.first();
    let kind = || argument.and_then(|a| a.get_type(input.schema()).ok());
    let value = match (&function.fun, function.fun.name()) {
        (WindowFunctionDefinition::WindowUDF(_), "row_number") => Value::RowNumber,
        (WindowFunctionDefinition::WindowUDF(_), "lag") => Value::Shift(-shift(&params.args)?),
        (WindowFunctionDefinition::WindowUDF(_), "lead") => Value::Shift(shift(&params.args)?),
        (WindowFunctionDefinition::WindowUDF(_), "first_value") => Value::First,
        (WindowFunctionDefinition::AggregateUDF(_), "count") => match argument? {
            Expr::Literal(value, _) if !value.is_null() => Value::CountRows,
            _ => Value::Count,
        },
        (WindowFunctionDefinition::AggregateUDF(_), "sum")
            if matches!(kind()?, DataType::Int64 | DataType::Decimal128(..)) =>
        {
            Value::Sum
        }
        // Floats stay with the engine, which has its own order of NaN and zeros.
        (WindowFunctionDefinition::AggregateUDF(_), "min") if ordered(&kind()?) => Value::Least,
        (WindowFunctionDefinition::AggregateUDF(_), "max") if ordered(&kind()?) => Value::Greatest,
        _ => return None,
    };
    (params.args.len() <= 1 || matches!(value, Value::Shift(_))).then_some((value, end))
}

fn ordered(kind: &DataType) -> bool {
    kind.is_integer()
        || matches!(kind, DataType::Utf8 | DataType::Date32 | DataType::Timestamp(..) | DataType::Decimal128(..))
}

/// Where a frame that starts with its partition ends.
fn end(frame: &WindowFrame, unordered: bool) -> Option<End> {
    let from_start = frame.is_ever_expanding();
    let current_row = matches!(&frame.end_bound, datafusion::logical_expr::WindowFrameBound::CurrentRow);
    match frame.units {
        _ if !from_start => None,
        _ if frame.end_bound.is_unbounded() => Some(End::Partition),
        WindowFrameUnits::Rows if current_row => Some(End::Row),
        WindowFrameUnits::Range if current_row && unordered => Some(End::Partition),
        WindowFrameUnits::Range if current_row => Some(End::Peers),
        _ => None,
    }
}

/// How many rows `lag` and `lead` look away; none where there is a value for rows that are not there.
fn shift(args: &[Expr]) -> Option<i64> {
    match args {
        [_] => Some(1),
        [_, Expr::Literal(ScalarValue::Int64(Some(rows)), _)] => Some(*rows),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
