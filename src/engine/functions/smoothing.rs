//! `holt_winters` and `holt_winters_totals` as aggregates: each collects a series, sorts it, and gives one struct.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::exponential_smoothing::{Season, Smoothed, backtest, backtest_totals, fit, naive};
use super::fit::{list, list_fields, literal, literal_number, numbers};
use super::numeric::{doubles, signature};

/// Half-widths of the two intervals, in standard deviations.
const Z80: f64 = 1.281_551_565_544_600_4;
const Z95: f64 = 1.959_963_984_540_054;

pub(super) fn functions() -> [Arc<AggregateUDF>; 2] {
    [Of::Periods, Of::Seasons].map(|of| {
        Arc::new(AggregateUDF::from(HoltWinters { of, signature: Signature::user_defined(Volatility::Immutable) }))
    })
}

/// What is forecast: each period, or the totals of whole seasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Periods,
    Seasons,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Self::Periods => "holt_winters",
            Self::Seasons => "holt_winters_totals",
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct HoltWinters {
    of: Of,
    signature: Signature,
}

impl AggregateUDFImpl for HoltWinters {
    fn name(&self) -> &'static str {
        self.of.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.of.name();
        let [rest @ .., kind] = types else { return plan_err!("{} was given no arguments", signature(name)) };
        if rest.len() != 4 {
            return plan_err!("{} was given {} arguments", signature(name), types.len());
        }
        if !kind.is_string() {
            return plan_err!("{} takes 'additive' or 'multiplicative', and was given {kind}", signature(name));
        }
        let mut all = numbers(name, rest)?;
        all.push(DataType::Utf8);
        Ok(all)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let name = self.of.name();
        if args.is_distinct {
            return not_impl_err!("{name} has no DISTINCT");
        }
        let whole = |at: usize, what: &str, least: f64, most: f64| -> Result<usize> {
            let value = literal_number(name, &args.exprs[at])?;
            if value.fract() != 0.0 || !(least..=most).contains(&value) {
                return plan_err!(
                    "{}: the {what} is a whole number from {least} to {most}, not {value}",
                    signature(name)
                );
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the bounds above")]
            Ok(value as usize)
        };
        let kind = literal(name, &args.exprs[4])?;
        let kind = match kind.try_as_str().flatten() {
            Some("additive") => Season::Additive,
            Some("multiplicative") => Season::Multiplicative,
            _ => return plan_err!("{}: the kind is 'additive' or 'multiplicative', not {kind}", signature(name)),
        };
        let (length, horizon) = (whole(2, "season", 2.0, 1000.0)?, whole(3, "horizon", 1.0, 1000.0)?);
        Ok(Box::new(Series { of: self.of, length, horizon, kind, points: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(list_fields(args.name, 2).collect())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

fn step_fields() -> Fields {
    let step = Field::new("step", DataType::Int64, true);
    let values = ["value", "low80", "high80", "low95", "high95", "naive"];
    std::iter::once(step).chain(values.map(number)).collect()
}

fn fields() -> Fields {
    let weights = ["alpha", "beta", "gamma", "sse", "level", "trend"];
    weights
        .map(number)
        .into_iter()
        .chain([
            Field::new_list("seasonals", Field::new_list_field(DataType::Float64, true), true),
            Field::new_list("forecast", Field::new_list_field(DataType::Struct(step_fields()), true), true),
            number("mase"),
            Field::new("ship", DataType::Boolean, true),
            Field::new("converged", DataType::Boolean, true),
            Field::new("n", DataType::Int64, true),
            Field::new("reason", DataType::Utf8, true),
        ])
        .collect()
}

/// The points so far, in no order.
#[derive(Debug)]
struct Series {
    of: Of,
    length: usize,
    horizon: usize,
    kind: Season,
    points: Vec<(f64, f64)>,
}

impl Series {
    fn add(&mut self, at: &Float64Array, value: &Float64Array) {
        let pairs = at.iter().zip(value);
        self.points.extend(pairs.filter_map(|(at, value)| Some((at?, value?))));
    }

    /// The values in order, or why they are no series.
    fn values(&self) -> std::result::Result<Vec<f64>, String> {
        let mut points = self.points.clone();
        points.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
        if points.len() < 2 * self.length {
            return Err(format!("{} periods, and a fit wants two seasons of {}", points.len(), self.length));
        }
        for pair in points.windows(2) {
            let [(before, _), (at, _)] = pair else { continue };
            if (at - before - 1.0).abs() > 0.0 {
                return Err(format!("after period {before} comes {at}: periods are whole numbers without gaps"));
            }
        }
        if self.kind == Season::Multiplicative && points.iter().any(|(_, value)| *value <= 0.0) {
            return Err("a multiplicative season needs values above 0".to_owned());
        }
        Ok(points.into_iter().map(|(_, value)| value).collect())
    }

    fn steps(&self, smoothed: Option<&Smoothed>, series: &[f64]) -> Result<StructArray> {
        let (ahead, naive) = match (smoothed, self.of) {
            (None, _) => (Vec::new(), Vec::new()),
            (Some(s), Of::Periods) => (s.ahead(self.horizon), naive(series, self.length, self.horizon)),
            (Some(s), Of::Seasons) => {
                let last: f64 = series[series.len() - self.length..].iter().sum();
                (s.totals_ahead(self.horizon), vec![last; self.horizon])
            }
        };
        let bound = |z: f64| -> ArrayRef {
            Arc::new(ahead.iter().map(|a| Some(a.value + z * a.deviation)).collect::<Float64Array>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new((1_i64..).take(ahead.len()).map(Some).collect::<Int64Array>()),
            bound(0.0),
            bound(-Z80),
            bound(Z80),
            bound(-Z95),
            bound(Z95),
            Arc::new(Float64Array::from(naive)),
        ];
        Ok(StructArray::try_new(step_fields(), columns, None)?)
    }
}

impl Accumulator for Series {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&doubles(&values[0])?, &doubles(&values[1])?);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let series = self.values();
        let fitted = series.as_ref().map_err(Clone::clone).and_then(|series| {
            fit(series, self.length, self.kind).ok_or_else(|| "no weights give finite errors".to_owned())
        });
        let (smoothed, reason): (Option<Smoothed>, Option<String>) = match fitted {
            Ok(smoothed) => (Some(smoothed), None),
            Err(why) => (None, Some(why)),
        };
        let series = series.unwrap_or_default();
        let tried = match self.of {
            Of::Periods => backtest,
            Of::Seasons => backtest_totals,
        };
        let mase = smoothed.as_ref().and_then(|_| tried(&series, self.length, self.horizon, self.kind));
        let found =
            |of: fn(&Smoothed) -> f64| -> ArrayRef { Arc::new(Float64Array::from(vec![smoothed.as_ref().map(of)])) };
        let weights = [
            found(|s| s.alpha),
            found(|s| s.beta),
            found(|s| s.gamma),
            found(|s| s.sse),
            found(|s| s.level),
            found(|s| s.trend),
        ];
        let seasonals = smoothed.as_ref().map(|s| s.seasonals.clone()).unwrap_or_default();
        let steps: ArrayRef = Arc::new(self.steps(smoothed.as_ref(), &series)?);
        let one_list =
            |values: ArrayRef| -> ArrayRef { Arc::new(SingleRowListArrayBuilder::new(values).build_list_array()) };
        let rest: [ArrayRef; 7] = [
            one_list(Arc::new(Float64Array::from(seasonals))),
            one_list(steps),
            Arc::new(Float64Array::from(vec![mase])),
            Arc::new(BooleanArray::from(vec![mase.is_some_and(|m| m < 1.0)])),
            Arc::new(BooleanArray::from(vec![smoothed.is_some()])),
            Arc::new(Int64Array::from(vec![i64::try_from(self.points.len()).unwrap_or(i64::MAX)])),
            Arc::new(StringArray::from(vec![reason])),
        ];
        let columns: Vec<ArrayRef> = weights.into_iter().chain(rest).collect();
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(), columns, None)?)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.points.capacity() * size_of::<(f64, f64)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (at, value): (Vec<f64>, Vec<f64>) = self.points.iter().copied().unzip();
        Ok(vec![list(Arc::new(Float64Array::from(at))), list(Arc::new(Float64Array::from(value)))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (at, value) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (at, value) in at.iter().zip(value.iter()) {
            if let (Some(at), Some(value)) = (at, value) {
                self.add(at.as_primitive::<Float64Type>(), value.as_primitive::<Float64Type>());
            }
        }
        Ok(())
    }
}
