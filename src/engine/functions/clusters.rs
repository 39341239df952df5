//! `fit_kmeans` as an aggregate, which gathers points and hands them to `kmeans`; and `nearest_centre`, which says where
//! a point belongs.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray, new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{ArrowNativeType, DataType, Field, FieldRef, Fields, Float64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, exec_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use super::fit::{list, literal_number};
use super::kmeans::{self, Clusters};
use super::numeric::signature;

const FIT: &str = "fit_kmeans";
const NEAREST: &str = "nearest_centre";

pub(super) fn fit() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(FitKmeans { signature: Signature::user_defined(Volatility::Immutable) }))
}

pub(super) fn nearest() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(NearestCentre { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FitKmeans {
    signature: Signature,
}

impl AggregateUDFImpl for FitKmeans {
    fn name(&self) -> &'static str {
        FIT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [point, numbers @ ..] = types else { return plan_err!("{} was given no arguments", signature(FIT)) };
        if numbers.len() != 2 {
            return plan_err!("{} was given {} arguments", signature(FIT), types.len());
        }
        if !is_point(point) {
            return plan_err!("{} takes points as lists of numbers, and was given {point}", signature(FIT));
        }
        if let Some(wrong) = numbers.iter().find(|t| !t.is_numeric()) {
            return plan_err!("{} takes numbers of clusters, and was given {wrong}", signature(FIT));
        }
        Ok(vec![list_of(DataType::Float64), DataType::Float64, DataType::Float64])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("{FIT} counts equal points, so it has no DISTINCT");
        }
        let whole = |at: usize, what: &str, from: f64| -> Result<f64> {
            let value = literal_number(FIT, &args.exprs[at])?;
            if value.fract() != 0.0 || !(from..=100.0).contains(&value) {
                return plan_err!("{}: {what} is a whole number from {from} to 100, not {value}", signature(FIT));
            }
            Ok(value)
        };
        let least = whole(1, "least_k", 2.0)?;
        let most = whole(2, "most_k", least)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the bounds above")]
        let (least, most) = (least as usize, most as usize);
        Ok(Box::new(Gathered { least, most, width: 0, values: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let points = list_of(list_of(DataType::Float64));
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "points"), points, true))])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

fn element(list: &DataType) -> Option<&DataType> {
    match list {
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) => Some(of.data_type()),
        _ => None,
    }
}

/// A list of numbers, or NULL.
fn is_point(given: &DataType) -> bool {
    given.is_null() || element(given).is_some_and(|of| of.is_numeric() || of.is_null())
}

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let whole = |name: &str| Field::new(name, DataType::Int64, true);
    vec![
        whole("k"),
        Field::new("centres", list_of(list_of(DataType::Float64)), true),
        Field::new("sizes", list_of(DataType::Int64), true),
        number("within"),
        number("silhouette"),
        Field::new("tried", list_of(DataType::Struct(tried_fields())), true),
        whole("n"),
        Field::new("reason", DataType::Utf8, true),
    ]
    .into()
}

fn tried_fields() -> Fields {
    vec![Field::new("k", DataType::Int64, true), Field::new("silhouette", DataType::Float64, true)].into()
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// Points of so many numbers, which stand one after another.
fn points(width: usize, values: Vec<f64>) -> Result<ListArray> {
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let offsets = OffsetBuffer::from_repeated_length(width, values.len() / width.max(1));
    Ok(ListArray::try_new(field, offsets, Arc::new(Float64Array::from(values)), None)?)
}

/// Lists of numbers, read where they lie.
struct Numbers<'a> {
    lists: &'a ListArray,
    values: &'a Float64Array,
}

impl<'a> Numbers<'a> {
    fn of(lists: &'a ListArray) -> Self {
        Self { lists, values: lists.values().as_primitive::<Float64Type>() }
    }

    /// None where the list or one of its numbers is NULL.
    fn get(&self, row: usize) -> Option<&'a [f64]> {
        let (offsets, values) = (self.lists.value_offsets(), self.values);
        let numbers = offsets[row].as_usize()..offsets[row + 1].as_usize();
        if self.lists.is_null(row) || numbers.clone().any(|at| values.is_null(at)) {
            return None;
        }
        Some(&values.values()[numbers])
    }
}

/// The points so far, in no order and with their repetitions.
#[derive(Debug)]
struct Gathered {
    least: usize,
    most: usize,
    /// Numbers of a point; known from the first on.
    width: usize,
    values: Vec<f64>,
}

impl Gathered {
    fn add(&mut self, lists: &ListArray) -> Result<()> {
        let numbers = Numbers::of(lists);
        for point in (0..lists.len()).filter_map(|row| numbers.get(row)) {
            if self.values.is_empty() {
                self.width = point.len();
            }
            if point.len() != self.width || point.is_empty() {
                return exec_err!(
                    "{} was given a point of {} numbers beside points of {}",
                    signature(FIT),
                    point.len(),
                    self.width
                );
            }
            check(FIT, point)?;
            // Minus zero is zero.
            self.values.extend(point.iter().map(|value| value + 0.0));
        }
        Ok(())
    }

    fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }
}

fn check(name: &str, point: &[f64]) -> Result<()> {
    match point.iter().find(|value| !value.is_finite()) {
        Some(wrong) => exec_err!("{} was given {wrong}", signature(name)),
        None => Ok(()),
    }
}

/// The fields before those that also a fit has that failed.
fn columns(width: usize, found: &Clusters) -> Result<Vec<ArrayRef>> {
    let one_list =
        |values: ArrayRef| -> ArrayRef { Arc::new(SingleRowListArrayBuilder::new(values).build_list_array()) };
    #[expect(clippy::cast_possible_truncation, reason = "counts of rows")]
    let sizes: Int64Array = found.sizes.iter().map(|rows| Some(*rows as i64)).collect();
    let tried: Vec<ArrayRef> = vec![
        Arc::new(found.tried.iter().map(|(k, _)| Some(count(*k))).collect::<Int64Array>()),
        Arc::new(found.tried.iter().map(|(_, silhouette)| Some(*silhouette)).collect::<Float64Array>()),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![count(found.sizes.len())])),
        one_list(Arc::new(points(width, found.centres.clone())?)),
        one_list(Arc::new(sizes)),
        Arc::new(Float64Array::from(vec![found.within])),
        Arc::new(Float64Array::from(vec![found.silhouette])),
        one_list(Arc::new(StructArray::try_new(tried_fields(), tried, None)?)),
    ];
    Ok(columns)
}

impl Accumulator for Gathered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_list())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let fields = fields();
        let fitted = kmeans::fit(self.width, &self.values, self.least, self.most);
        let (mut all, reason): (Vec<ArrayRef>, Option<String>) = match fitted {
            Ok(found) => (columns(self.width, &found)?, None),
            Err(why) => (fields[..6].iter().map(|field| new_null_array(field.data_type(), 1)).collect(), Some(why)),
        };
        all.push(Arc::new(Int64Array::from(vec![count(self.rows())])));
        all.push(Arc::new(StringArray::from(vec![reason])));
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields, all, None)?)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![list(Arc::new(points(self.width, self.values.clone())?))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().try_for_each(|points| self.add(points.as_list()))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NearestCentre {
    signature: Signature,
}

impl ScalarUDFImpl for NearestCentre {
    fn name(&self) -> &'static str {
        NEAREST
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [centres, point] = types else {
            return plan_err!("{} was given {} arguments", signature(NEAREST), types.len());
        };
        if !centres.is_null() && !element(centres).is_some_and(is_point) {
            return plan_err!("{} takes centres as a list of points, and was given {centres}", signature(NEAREST));
        }
        if !is_point(point) {
            return plan_err!("{} takes a point as a list of numbers, and was given {point}", signature(NEAREST));
        }
        Ok(vec![list_of(list_of(DataType::Float64)), list_of(DataType::Float64)])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let given: Vec<ArrayRef> = args.args.into_iter().map(|arg| arg.into_array(rows)).collect::<Result<_>>()?;
        let lists = given[0].as_list::<i32>();
        let centres = Numbers::of(lists.values().as_list());
        let points = Numbers::of(given[1].as_list());
        let mut answers = Vec::with_capacity(rows);
        for row in 0..rows {
            let offsets = lists.value_offsets();
            let of_row = offsets[row].as_usize()..offsets[row + 1].as_usize();
            answers.push(match points.get(row).filter(|_| lists.is_valid(row)) {
                Some(point) => nearest_of(of_row.map(|at| centres.get(at)), point)?,
                None => None,
            });
        }
        let array: ArrayRef = Arc::new(Int64Array::from(answers));
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// Counted from 1, the first of two as near. A centre that is NULL is nowhere.
fn nearest_of<'a>(centres: impl Iterator<Item = Option<&'a [f64]>>, point: &[f64]) -> Result<Option<i64>> {
    check(NEAREST, point)?;
    let (mut nearest, mut least) = (None, f64::INFINITY);
    for (number, centre) in (1_i64..).zip(centres) {
        let Some(centre) = centre else { continue };
        if centre.len() != point.len() {
            return exec_err!(
                "{} was given a point of {} numbers and a centre of {}",
                signature(NEAREST),
                point.len(),
                centre.len()
            );
        }
        let apart = kmeans::squared_distance(centre, point);
        if apart < least {
            (nearest, least) = (Some(number), apart);
        }
    }
    Ok(nearest)
}
