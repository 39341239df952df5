//! Functions of numbers: DOUBLE in, DOUBLE or BIGINT out. A model's parameters come one by one or as the struct of a fit.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::{models, scores, shares, special};
use crate::sql::functions::find;

/// A value, none where there is no answer, or what is wrong with the arguments.
pub(super) type Answer = std::result::Result<Option<f64>, String>;

/// One function of numbers.
#[derive(Debug)]
pub(super) struct Numeric {
    pub name: &'static str,
    /// The fields a struct in the first place stands for; none where the function takes no model.
    pub model: &'static [&'static str],
    /// Arguments after the model: how few, how many.
    pub few: usize,
    pub many: usize,
    pub gives: Gives,
    /// NULL arguments after the model reach the function as NaN instead of giving NULL.
    pub takes_null: bool,
    pub call: fn(&[f64]) -> Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Double,
    Integer,
}

/// A function of exactly `count` numbers.
pub(super) const fn of(name: &'static str, count: usize, call: fn(&[f64]) -> Answer) -> Numeric {
    Numeric { name, model: &[], few: count, many: count, gives: Gives::Double, takes_null: false, call }
}

pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let all = shares::FUNCTIONS.iter().chain(special::FUNCTIONS).chain(models::FUNCTIONS).chain(scores::FUNCTIONS);
    all.map(|of| {
        Arc::new(ScalarUDF::from(NumericUdf { of, signature: Signature::user_defined(Volatility::Immutable) }))
    })
}

#[derive(Debug)]
struct NumericUdf {
    of: &'static Numeric,
    signature: Signature,
}

impl PartialEq for NumericUdf {
    fn eq(&self, other: &Self) -> bool {
        self.of.name == other.of.name
    }
}

impl Eq for NumericUdf {}

impl Hash for NumericUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.name.hash(state);
    }
}

impl ScalarUDFImpl for NumericUdf {
    fn name(&self) -> &str {
        self.of.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.of.gives {
            Gives::Double => DataType::Float64,
            Gives::Integer => DataType::Int64,
        })
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Numeric { name, model, few, many, .. } = self.of;
        let (first, rest) = match types.split_first() {
            Some((DataType::Struct(fields), rest)) if !model.is_empty() => {
                if let Some(missing) = model.iter().find(|m| fields.find(m).is_none()) {
                    return plan_err!(
                        "the model given to {name} has no field {missing}; it needs {}",
                        model.join(", ")
                    );
                }
                (Some(types[0].clone()), rest)
            }
            _ => (None, types),
        };
        let alone = if first.is_some() { 0 } else { model.len() };
        if !(few + alone..=many + alone).contains(&rest.len()) {
            return plan_err!("{} was given {} arguments", signature(name), types.len());
        }
        if let Some(wrong) = rest.iter().find(|t| !t.is_numeric() && !t.is_null()) {
            return plan_err!("{} takes numbers, and was given {wrong}", signature(name));
        }
        Ok(first.into_iter().chain(rest.iter().map(|_| DataType::Float64)).collect())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Numeric { name, model, .. } = self.of;
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let mut columns: Vec<Float64Array> = Vec::with_capacity(model.len() + args.args.len());
        for arg in args.args {
            let array = arg.into_array(rows)?;
            if let Some(fit) = array.as_struct_opt() {
                for field in *model {
                    let Some(parameter) = fit.column_by_name(field) else {
                        return internal_err!("{name} was planned with a field {field}");
                    };
                    let nulls = datafusion::arrow::buffer::NullBuffer::union(fit.nulls(), parameter.nulls());
                    let parameter = doubles(parameter)?;
                    columns.push(Float64Array::new(parameter.values().clone(), nulls));
                }
            } else {
                columns.push(doubles(&array)?);
            }
        }
        let strict = if self.of.takes_null { model.len() } else { columns.len() };
        let mut given = vec![0.0; columns.len()];
        let mut answers = Vec::with_capacity(rows);
        for row in 0..rows {
            if columns[..strict].iter().any(|c| c.is_null(row)) {
                answers.push(None);
                continue;
            }
            for (value, column) in given.iter_mut().zip(&columns) {
                *value = if column.is_null(row) { f64::NAN } else { column.value(row) };
            }
            match (self.of.call)(&given) {
                Ok(answer) => answers.push(answer.filter(|a| !a.is_nan())),
                Err(why) => return exec_err!("{} was given {given:?}: {why}", signature(name)),
            }
        }
        let array: ArrayRef = match self.of.gives {
            Gives::Double => Arc::new(Float64Array::from(answers)),
            #[expect(clippy::cast_possible_truncation, reason = "scores from 1 to 5")]
            Gives::Integer => Arc::new(answers.into_iter().map(|a| a.map(|a| a as i64)).collect::<Int64Array>()),
        };
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// The function as written, for messages.
pub(super) fn signature(name: &str) -> String {
    find(name).map_or_else(|| name.to_owned(), |f| format!("{}({})", f.name, f.arguments))
}

pub(super) fn doubles(array: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}
