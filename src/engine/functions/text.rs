//! Functions of texts: TEXT in, TEXT or DOUBLE out.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Builder, StringArray, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::numeric::signature;
use super::{language, mask, names, sentiment};

#[derive(Debug)]
pub(super) struct Text {
    pub name: &'static str,
    pub arguments: usize,
    pub call: Call,
}

/// What a function gives for the texts of one row, none of them NULL, or what is wrong with them.
#[derive(Debug)]
pub(super) enum Call {
    Text(fn(&[&str]) -> std::result::Result<String, String>),
    /// A text, or NULL.
    Perhaps(fn(&[&str]) -> Option<String>),
    Number(fn(&[&str]) -> std::result::Result<f64, String>),
}

pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let of_people = mask::FUNCTIONS.iter().chain(names::FUNCTIONS);
    let all = of_people.chain(sentiment::FUNCTIONS).chain(language::FUNCTIONS);
    all.map(|of| Arc::new(ScalarUDF::from(TextUdf { of, signature: Signature::user_defined(Volatility::Immutable) })))
}

#[derive(Debug)]
struct TextUdf {
    of: &'static Text,
    signature: Signature,
}

impl PartialEq for TextUdf {
    fn eq(&self, other: &Self) -> bool {
        self.of.name == other.of.name
    }
}

impl Eq for TextUdf {}

impl Hash for TextUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.name.hash(state);
    }
}

impl ScalarUDFImpl for TextUdf {
    fn name(&self) -> &str {
        self.of.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.of.call {
            Call::Text(_) | Call::Perhaps(_) => DataType::Utf8,
            Call::Number(_) => DataType::Float64,
        })
    }

    /// Keys are often numbers, so those are read as texts.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.of.name;
        if types.len() != self.of.arguments {
            return plan_err!("{} was given {} arguments", signature(name), types.len());
        }
        if let Some(wrong) = types.iter().find(|t| !t.is_string() && !t.is_integer() && !t.is_null()) {
            return plan_err!("{} takes texts, and was given {wrong}", signature(name));
        }
        Ok(vec![DataType::Utf8; types.len()])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let columns: Vec<ArrayRef> = args.args.into_iter().map(|a| a.into_array(rows)).collect::<Result<_>>()?;
        let columns: Vec<_> = columns.iter().map(AsArray::as_string::<i32>).collect();
        let mut given: Vec<&str> = Vec::with_capacity(columns.len());
        let mut row_of = |row: usize| {
            given.clear();
            given.extend(columns.iter().filter(|c| c.is_valid(row)).map(|c| c.value(row)));
            (given.len() == columns.len()).then(|| given.clone())
        };
        let array: ArrayRef = match self.of.call {
            Call::Text(call) => {
                let mut all = StringBuilder::new();
                for row in 0..rows {
                    match row_of(row).map(|texts| call(&texts)).transpose() {
                        Ok(answer) => all.append_option(answer),
                        Err(why) => return exec_err!("{}: {why}", signature(self.of.name)),
                    }
                }
                Arc::new(all.finish())
            }
            Call::Perhaps(call) => {
                let answers = (0..rows).map(|row| row_of(row).and_then(|texts| call(&texts)));
                Arc::new(StringArray::from_iter(answers))
            }
            Call::Number(call) => {
                let mut all = Float64Builder::with_capacity(rows);
                for row in 0..rows {
                    match row_of(row).map(|texts| call(&texts)).transpose() {
                        Ok(answer) => all.append_option(answer),
                        Err(why) => return exec_err!("{}: {why}", signature(self.of.name)),
                    }
                }
                Arc::new(all.finish())
            }
        };
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
