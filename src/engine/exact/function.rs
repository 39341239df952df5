//! The aggregates as the engine sees them: its own functions with other accumulators inside.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::{average, stddev, sum, variance};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator, ReversedUDAF,
    SetMonotonicity, Signature, StatisticsArgs,
};

use super::checked::{self, CheckedGroups, CheckedSingle};
use super::distinct::ExactDistinct;
use super::float::{ExactGroups, ExactSingle};
use super::moments::Measure;

/// `sum`, `avg`, `var`, `var_pop`, `stddev`, `stddev_pop` with all their aliases, to be registered over the engine's.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    [
        (sum::sum_udaf(), Measure::Sum),
        (average::avg_udaf(), Measure::Mean),
        (variance::var_samp_udaf(), Measure::Variance { sample: true }),
        (variance::var_pop_udaf(), Measure::Variance { sample: false }),
        (stddev::stddev_udaf(), Measure::Deviation { sample: true }),
        (stddev::stddev_pop_udaf(), Measure::Deviation { sample: false }),
    ]
    .into_iter()
    .map(|(engines, measure)| Arc::new(AggregateUDF::from(Exact { engines, measure })))
    .collect()
}

/// What a function under the engine's own name leaves to it: its `inner()`.
macro_rules! the_rest_is_the_engines {
    () => {
        fn name(&self) -> &str {
            self.inner().name()
        }

        fn aliases(&self) -> &[String] {
            self.inner().aliases()
        }

        fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
            self.inner().schema_name(params)
        }

        fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
            self.inner().human_display(params)
        }

        fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
            self.inner().window_function_schema_name(params)
        }

        fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
            self.inner().display_name(params)
        }

        fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
            self.inner().window_function_display_name(params)
        }

        fn signature(&self) -> &Signature {
            self.inner().signature()
        }

        fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
            self.inner().return_type(arg_types)
        }

        fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
            self.inner().return_field(arg_fields)
        }

        fn is_nullable(&self) -> bool {
            self.inner().is_nullable()
        }

        fn simplify(&self) -> Option<AggregateFunctionSimplification> {
            self.inner().simplify()
        }

        fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
            self.inner().coerce_types(arg_types)
        }

        fn is_descending(&self) -> Option<bool> {
            self.inner().is_descending()
        }

        fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
            self.inner().default_value(data_type)
        }

        fn supports_null_handling_clause(&self) -> bool {
            self.inner().supports_null_handling_clause()
        }

        fn supports_within_group_clause(&self) -> bool {
            self.inner().supports_within_group_clause()
        }

        fn documentation(&self) -> Option<&Documentation> {
            self.inner().documentation()
        }

        fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
            self.inner().set_monotonicity(data_type)
        }
    };
}
pub(in crate::engine) use the_rest_is_the_engines;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    /// The engine's function of this name, which answers everything but how to add.
    engines: Arc<AggregateUDF>,
    measure: Measure,
}

/// Who does the adding.
enum Adder {
    /// Doubles, exactly.
    Exact,
    /// Integers and decimals, in 128 bits, checked.
    Checked,
    /// Where addition is exact already: decimal averages, durations, sets of integers.
    Engine,
}

impl Exact {
    fn adder(&self, return_type: &DataType, is_distinct: bool) -> Adder {
        match return_type {
            DataType::Float64 => Adder::Exact,
            _ if self.measure == Measure::Sum && !is_distinct && checked::state_type(return_type).is_some() => {
                Adder::Checked
            }
            _ => Adder::Engine,
        }
    }

    fn inner(&self) -> &Arc<dyn AggregateUDFImpl> {
        self.engines.inner()
    }
}

impl AggregateUDFImpl for Exact {
    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.adder(args.return_type(), args.is_distinct) {
            Adder::Exact if args.is_distinct => {
                Ok(Box::new(ExactDistinct::new(self.inner().accumulator(args)?, self.measure)))
            }
            Adder::Exact => Ok(Box::new(ExactSingle::new(self.measure))),
            Adder::Checked => Ok(Box::new(CheckedSingle::new(args.name, args.return_type()))),
            Adder::Engine => self.inner().accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.adder(args.return_type(), args.is_distinct) {
            Adder::Exact if !args.is_distinct => Ok(Box::new(ExactSingle::new(self.measure))),
            Adder::Checked => Ok(Box::new(CheckedSingle::new(args.name, args.return_type()))),
            Adder::Exact | Adder::Engine => self.inner().create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        match self.adder(args.return_type(), args.is_distinct) {
            Adder::Exact => !args.is_distinct,
            Adder::Checked => true,
            Adder::Engine => self.inner().groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match self.adder(args.return_type(), args.is_distinct) {
            Adder::Exact => Ok(Box::new(ExactGroups::new(self.measure))),
            Adder::Checked => Ok(Box::new(CheckedGroups::new(args.name, args.return_type()))),
            Adder::Engine => self.inner().create_groups_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name: &str, data_type| Arc::new(Field::new(format_state_name(args.name, name), data_type, true));
        match (self.adder(args.return_type(), args.is_distinct), checked::state_type(args.return_type())) {
            (Adder::Exact, _) if !args.is_distinct => {
                Ok(self.measure.state_fields().into_iter().map(|(name, data_type)| field(name, data_type)).collect())
            }
            (Adder::Checked, Some(data_type)) => Ok(vec![field("sum", data_type)]),
            _ => self.inner().state_fields(args),
        }
    }

    /// All of these add commuting integers, so the order of rows is never asked for.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    /// `sum(x + 1)` is not `sum(x) + count(x)` where every addition of `x + 1` rounds.
    fn simplify_expr_op_literal(
        &self,
        agg_function: &AggregateFunction,
        arg: &Expr,
        op: Operator,
        lit: &Expr,
        arg_is_left: bool,
    ) -> Result<Option<Expr>> {
        match lit {
            Expr::Literal(value, _) if value.data_type().is_floating() => Ok(None),
            _ => self.inner().simplify_expr_op_literal(agg_function, arg, op, lit, arg_is_left),
        }
    }

    /// A statistic's sum of doubles was added in some order.
    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        if args.return_type.is_floating() { None } else { self.inner().value_from_stats(args) }
    }

    the_rest_is_the_engines!();
}
