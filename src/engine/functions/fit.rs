//! Fits as aggregates: rows are counted by their numbers, sorted, and handed to a model; what comes back is one struct.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, StructArray, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, UInt64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, exec_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use hashbrown::HashMap;

use super::beta_geometric::{self, Lost};
use super::numeric::{doubles, signature};
use super::optimum::{FLAT, Optimum, WITHIN_REASON};
use super::{gamma_gamma, pareto, shifted_geometric};

/// Equal rows: their numbers, of which a model with fewer columns leaves the last at 0, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub values: [f64; 3],
    pub count: f64,
}

/// What a fit found: one value a field of the model, or why there is none.
#[derive(Debug)]
pub(super) struct Fitted {
    pub values: Vec<Option<f64>>,
    log_likelihood: Option<f64>,
    n: f64,
    iterations: u64,
    reason: Option<String>,
}

impl Fitted {
    pub(super) fn not(parameters: usize, n: f64, reason: String) -> Self {
        Self { values: vec![None; parameters], log_likelihood: None, n, iterations: 0, reason: Some(reason) }
    }

    /// From the least mean negative log-likelihood of n observations.
    pub(super) fn from(best: Option<Optimum>, n: f64, names: &[&str]) -> Self {
        let Some(best) = best else { return Self::not(names.len(), n, "the likelihood has no value".to_owned()) };
        let far = names.iter().zip(&best.at).find(|(_, p)| !WITHIN_REASON.contains(*p));
        let reason = match far {
            Some((name, p)) => {
                Some(format!("{name} goes to {p:.3e}: the likelihood has no greatest value within reason"))
            }
            None if best.slope > FLAT => Some(format!("stopped on a slope of {:.1e}", best.slope)),
            None => None,
        };
        let values = best.at.iter().map(|p| reason.is_none().then_some(*p)).collect();
        let log_likelihood = reason.is_none().then_some(-best.value * n);
        Self { values, log_likelihood, n, iterations: best.asked, reason }
    }
}

/// One model that is fitted.
#[derive(Debug)]
struct Fit {
    name: &'static str,
    columns: usize,
    /// Names and defaults of settings that may stand after the columns.
    settings: &'static [f64],
    /// The fields of the struct before those all fits have.
    fields: &'static [&'static str],
    call: fn(&[Row], &[f64]) -> std::result::Result<Fitted, String>,
}

/// Customers, and customers who came back: fewer do not carry four parameters.
const ENOUGH: &[f64] = &[500.0, 100.0];

const FITS: &[Fit] = &[
    Fit {
        name: "fit_bgnbd",
        columns: 3,
        settings: ENOUGH,
        fields: &["r", "alpha", "a", "b"],
        call: |rows, settings| beta_geometric::fit(Lost::AfterRepeats, rows, settings),
    },
    Fit {
        name: "fit_mbgnbd",
        columns: 3,
        settings: ENOUGH,
        fields: &["r", "alpha", "a", "b"],
        call: |rows, settings| beta_geometric::fit(Lost::AfterAny, rows, settings),
    },
    Fit {
        name: "fit_pareto_nbd",
        columns: 3,
        settings: ENOUGH,
        fields: &["r", "alpha", "s", "beta"],
        call: pareto::fit,
    },
    Fit {
        name: "fit_gamma_gamma",
        columns: 2,
        settings: &[100.0],
        fields: &["p", "q", "gamma", "correlation"],
        call: gamma_gamma::fit,
    },
    Fit {
        name: "fit_sbg",
        columns: 2,
        settings: &[],
        fields: &["alpha", "beta"],
        call: |rows, _| shifted_geometric::fit(rows),
    },
];

pub(super) fn functions() -> impl Iterator<Item = Arc<AggregateUDF>> {
    FITS.iter().map(|of| {
        Arc::new(AggregateUDF::from(FitUdaf { of, signature: Signature::user_defined(Volatility::Immutable) }))
    })
}

#[derive(Debug)]
struct FitUdaf {
    of: &'static Fit,
    signature: Signature,
}

impl PartialEq for FitUdaf {
    fn eq(&self, other: &Self) -> bool {
        self.of.name == other.of.name
    }
}

impl Eq for FitUdaf {}

impl Hash for FitUdaf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.name.hash(state);
    }
}

impl AggregateUDFImpl for FitUdaf {
    fn name(&self) -> &str {
        self.of.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields(self.of)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Fit { name, columns, settings, .. } = self.of;
        if !(*columns..=columns + settings.len()).contains(&types.len()) {
            return plan_err!("{} was given {} arguments", signature(name), types.len());
        }
        numbers(name, types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = self.of;
        if args.is_distinct {
            return not_impl_err!("{} counts equal customers, so it has no DISTINCT", of.name);
        }
        let mut settings = of.settings.to_vec();
        for (setting, given) in settings.iter_mut().zip(args.exprs.iter().skip(of.columns)) {
            *setting = literal_number(of.name, given)?;
        }
        Ok(Box::new(Counted { of, settings, rows: HashMap::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(list_fields(args.name, self.of.columns)
            .chain([Arc::new(Field::new_list(
                format_state_name(args.name, "count"),
                Field::new_list_field(DataType::UInt64, true),
                true,
            ))])
            .collect())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn fields(of: &Fit) -> Fields {
    of.fields
        .iter()
        .map(|name| Field::new(*name, DataType::Float64, true))
        .chain([
            Field::new("log_likelihood", DataType::Float64, true),
            Field::new("converged", DataType::Boolean, true),
            Field::new("n", DataType::Int64, true),
            Field::new("iterations", DataType::Int64, true),
            Field::new("reason", DataType::Utf8, true),
        ])
        .collect()
}

/// Numbers of any kind are read as doubles.
pub(super) fn numbers(name: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    match types.iter().find(|t| !t.is_numeric() && !t.is_null()) {
        Some(wrong) => plan_err!("{} takes numbers, and was given {wrong}", signature(name)),
        None => Ok(vec![DataType::Float64; types.len()]),
    }
}

/// A setting, which is the same for every row.
pub(super) fn literal(name: &str, given: &Arc<dyn PhysicalExpr>) -> Result<ScalarValue> {
    let nothing = RecordBatch::new_empty(Arc::new(datafusion::arrow::datatypes::Schema::empty()));
    match given.evaluate(&nothing) {
        Ok(ColumnarValue::Scalar(value)) => Ok(value),
        _ => plan_err!("{} takes its settings as literals or parameters, not from rows", signature(name)),
    }
}

pub(super) fn literal_number(name: &str, given: &Arc<dyn PhysicalExpr>) -> Result<f64> {
    match literal(name, given)?.cast_to(&DataType::Float64)? {
        ScalarValue::Float64(Some(value)) => Ok(value),
        _ => plan_err!("{} takes no NULL as a setting", signature(name)),
    }
}

/// State of `columns` lists of doubles.
pub(super) fn list_fields(name: &str, columns: usize) -> impl Iterator<Item = FieldRef> {
    (0..columns).map(move |at| {
        let element = Field::new_list_field(DataType::Float64, true);
        Arc::new(Field::new_list(format_state_name(name, &format!("values{at}")), element, true))
    })
}

pub(super) fn list(values: ArrayRef) -> ScalarValue {
    SingleRowListArrayBuilder::new(values).build_list_scalar()
}

/// The rows so far, by their numbers' bits.
#[derive(Debug)]
struct Counted {
    of: &'static Fit,
    settings: Vec<f64>,
    rows: HashMap<[u64; 3], u64>,
}

impl Counted {
    fn columns<'a>(&self, values: &'a [ArrayRef]) -> Result<Vec<Float64Array>>
    where
        Self: 'a,
    {
        values[..self.of.columns].iter().map(doubles).collect()
    }

    fn add(&mut self, columns: &[Float64Array], row: usize, count: u64) -> Result<()> {
        let mut key = [0_u64; 3];
        for (bits, column) in key.iter_mut().zip(columns) {
            if column.is_null(row) {
                return Ok(());
            }
            // Minus zero is zero.
            let value = column.value(row) + 0.0;
            if !value.is_finite() {
                return exec_err!("{} was given {value}", signature(self.of.name));
            }
            *bits = value.to_bits();
        }
        *self.rows.entry(key).or_insert(0) += count;
        Ok(())
    }

    fn sorted(&self) -> Vec<Row> {
        #[expect(clippy::cast_precision_loss, reason = "customers are fewer than 2^53")]
        let mut rows: Vec<Row> = self
            .rows
            .iter()
            .map(|(key, count)| Row { values: key.map(f64::from_bits), count: *count as f64 })
            .collect();
        rows.sort_unstable_by(|one, other| {
            let pairs = one.values.iter().zip(&other.values);
            pairs.map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        rows
    }
}

impl Accumulator for Counted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = self.columns(values)?;
        (0..values[0].len()).try_for_each(|row| self.add(&columns, row, 1))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let fitted = match (self.of.call)(&self.sorted(), &self.settings) {
            Ok(fitted) => fitted,
            Err(why) => return exec_err!("{}: {why}", signature(self.of.name)),
        };
        let mut columns: Vec<ArrayRef> =
            fitted.values.iter().map(|v| Arc::new(Float64Array::from(vec![*v])) as ArrayRef).collect();
        #[expect(clippy::cast_possible_truncation, reason = "a count of customers")]
        let n = fitted.n as i64;
        let rest: [ArrayRef; 5] = [
            Arc::new(Float64Array::from(vec![fitted.log_likelihood])),
            Arc::new(BooleanArray::from(vec![fitted.reason.is_none()])),
            Arc::new(Int64Array::from(vec![n])),
            Arc::new(Int64Array::from(vec![i64::try_from(fitted.iterations).unwrap_or(i64::MAX)])),
            Arc::new(StringArray::from(vec![fitted.reason])),
        ];
        columns.extend(rest);
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(self.of), columns, None)?)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.rows.allocation_size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (keys, counts): (Vec<&[u64; 3]>, Vec<u64>) = self.rows.iter().map(|(k, c)| (k, *c)).unzip();
        let column = |at: usize| -> ArrayRef {
            Arc::new(keys.iter().map(|key| Some(f64::from_bits(key[at]))).collect::<Float64Array>())
        };
        let mut state: Vec<ScalarValue> = (0..self.of.columns).map(|at| list(column(at))).collect();
        state.push(list(Arc::new(UInt64Array::from(counts))));
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists: Vec<_> = states.iter().map(AsArray::as_list::<i32>).collect();
        for row in 0..states[0].len() {
            if lists[0].is_null(row) {
                continue;
            }
            let columns: Vec<Float64Array> = lists[..self.of.columns]
                .iter()
                .map(|list| list.value(row).as_primitive::<Float64Type>().clone())
                .collect();
            let counts = lists[self.of.columns].value(row);
            for (at, count) in counts.as_primitive::<UInt64Type>().values().iter().enumerate() {
                self.add(&columns, at, *count)?;
            }
        }
        Ok(())
    }
}
