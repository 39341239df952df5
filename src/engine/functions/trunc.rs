//! `date_trunc` of the engine, but for months by arithmetic: its own makes a date of every row, with year, month and day, and most
//! stages ask for the month of all of theirs. A precision that it does not know is refused before any row is read.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowTimestampType, DataType, FieldRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

const PRECISIONS: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

/// In the place of the engine's own, under its name.
pub(super) fn function(own: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(DateTrunc { own }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc {
    own: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.own.name()
    }

    fn aliases(&self) -> &[String] {
        self.own.aliases()
    }

    fn signature(&self) -> &Signature {
        self.own.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.own.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Some(Some(precision)) = args.scalar_arguments.first()
            && let Some(Some(text)) = precision.try_as_str()
            && !PRECISIONS.iter().any(|known| text.eq_ignore_ascii_case(known))
        {
            return plan_err!("`date_trunc` knows no precision '{text}'; there are {}", PRECISIONS.join(", "));
        }
        self.own.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Scalar(precision), ColumnarValue::Array(times)] = args.args.as_slice()
            && is_month(precision)
            && let Some(months) = months(times)
        {
            return Ok(ColumnarValue::Array(months));
        }
        self.own.invoke_with_args(args)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.own.output_ordering(input)
    }

    /// Of which type it is: else nobody would see that a cast keeps the order.
    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        match input {
            [_, time] => Interval::make_unbounded(&time.data_type()),
            _ => self.own.evaluate_bounds(input),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.own.documentation()
    }
}

fn is_month(precision: &ScalarValue) -> bool {
    precision.try_as_str().flatten().is_some_and(|text| text.eq_ignore_ascii_case("month"))
}

/// The firsts of the months of times without a zone; none where one of them lies outside of what the type holds.
fn months(times: &ArrayRef) -> Option<ArrayRef> {
    match times.data_type() {
        DataType::Timestamp(TimeUnit::Second, None) => firsts::<TimestampSecondType>(times, 1),
        DataType::Timestamp(TimeUnit::Millisecond, None) => firsts::<TimestampMillisecondType>(times, 1_000),
        DataType::Timestamp(TimeUnit::Microsecond, None) => firsts::<TimestampMicrosecondType>(times, 1_000_000),
        DataType::Timestamp(TimeUnit::Nanosecond, None) => firsts::<TimestampNanosecondType>(times, 1_000_000_000),
        _ => None,
    }
}

fn firsts<T: ArrowTimestampType>(times: &ArrayRef, second: i64) -> Option<ArrayRef> {
    let of_day = 86_400 * second;
    let first = |time: i64| {
        let day = time.div_euclid(of_day);
        (day - day_of_month(day)).checked_mul(of_day).ok_or(())
    };
    let firsts: PrimitiveArray<T> = times.as_primitive::<T>().try_unary(first).ok()?;
    Some(Arc::new(firsts))
}

/// How many days of its month lie before a day, which is counted from 1970-01-01 (Hinnant 2013, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn day_of_month(day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of one.
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    of_year - (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Days, NaiveDate};
    use datafusion::arrow::array::TimestampNanosecondArray;

    use super::*;

    #[test]
    fn a_month_begins_where_the_calendar_says() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
        let first = NaiveDate::from_ymd_opt(1579, 12, 31).expect("a date");
        for n in 0..400 * 366 {
            let date = first + Days::new(n);
            let day = (date - epoch).num_days();
            assert_eq!(day_of_month(day), i64::from(date.day0()), "{date}");
        }
    }

    #[test]
    fn what_its_type_cannot_hold_is_left_to_the_engine() {
        let of = |time: i64| months(&(Arc::new(TimestampNanosecondArray::from(vec![Some(time), None])) as ArrayRef));
        let month = of(1_323_434_123_000_000_007).expect("a month");
        assert_eq!(month.as_ref(), &TimestampNanosecondArray::from(vec![Some(1_322_697_600_000_000_000), None]));
        // The first of September 1677 lies before the first nanosecond.
        assert!(of(i64::MIN).is_none());
    }
}
