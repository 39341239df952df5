//! `business_seconds`: working time between two local timestamps, by a week of opening hours and a list of holidays.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::numeric::signature;

const NAME: &str = "business_seconds";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Day 0 of the epoch was a Thursday.
const EPOCH_WEEKDAY: i64 = 3;

/// A week of opening hours, less holidays; in microseconds of local time, so a day always has 24 hours.
#[derive(Debug, PartialEq)]
struct Calendar {
    /// Of each day from Monday: when it is open, ascending.
    open: [Vec<(i64, i64)>; 7],
    /// Working time of the days of a week before each.
    before: [i64; 7],
    week: i64,
    /// Days since the epoch, ascending, each with the working time that it and those before it cost.
    holidays: Vec<(i64, i64)>,
}

impl Calendar {
    fn new(hours: &str, holidays: impl Iterator<Item = i64>) -> std::result::Result<Self, String> {
        let open = week(hours)?;
        let of_day = open.each_ref().map(|spans| spans.iter().map(|(from, to)| to - from).sum::<i64>());
        let mut before = [0; 7];
        for day in 1..7 {
            before[day] = before[day - 1] + of_day[day - 1];
        }
        let mut days: Vec<i64> = holidays.collect();
        days.sort_unstable();
        days.dedup();
        let mut cost = 0;
        let holidays = days.into_iter().map(|day| {
            cost += of_day[weekday(day)];
            (day, cost)
        });
        Ok(Self { holidays: holidays.collect(), open, before, week: of_day.iter().sum() })
    }

    /// Working time from the epoch until this moment.
    fn until(&self, moment: i64) -> i64 {
        let (day, time) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
        let weeks = (day + EPOCH_WEEKDAY).div_euclid(7);
        let passed = self.holidays.partition_point(|(holiday, _)| *holiday < day);
        let lost = passed.checked_sub(1).map_or(0, |last| self.holidays[last].1);
        let today = if self.holidays.get(passed).is_some_and(|(holiday, _)| *holiday == day) {
            0
        } else {
            self.open[weekday(day)].iter().map(|(from, to)| (time.min(*to) - from).max(0)).sum()
        };
        weeks * self.week + self.before[weekday(day)] - lost + today
    }

    fn between(&self, from: i64, to: i64) -> i64 {
        self.until(to) - self.until(from)
    }
}

fn weekday(day: i64) -> usize {
    usize::try_from((day + EPOCH_WEEKDAY).rem_euclid(7)).unwrap_or(0)
}

/// `Mon-Fri 09:00-12:00 13:00-17:30, Sat 10:00-14:00`
fn week(text: &str) -> std::result::Result<[Vec<(i64, i64)>; 7], String> {
    let mut open: [Vec<(i64, i64)>; 7] = Default::default();
    for part in text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
        let mut words = part.split_whitespace();
        let days = words.next().map(days).transpose()?.unwrap_or_default();
        let spans: Vec<(i64, i64)> = words.map(span).collect::<std::result::Result<_, _>>()?;
        if spans.is_empty() {
            return Err(format!("`{part}` has no hours; write `Mon-Fri 09:00-17:30`"));
        }
        for day in days {
            open[day].extend(&spans);
        }
    }
    for (name, spans) in DAYS.iter().zip(&mut open) {
        spans.sort_unstable();
        if spans.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(format!("the hours of {name} overlap in `{text}`"));
        }
    }
    if open.iter().all(Vec::is_empty) {
        return Err("the calendar is empty; write `Mon-Fri 09:00-17:30`".to_owned());
    }
    Ok(open)
}

/// `Mon`, `Mon-Fri`, or over the week's end, `Sat-Mon`.
fn days(word: &str) -> std::result::Result<Vec<usize>, String> {
    let day = |name: &str| {
        let short: String = name.to_lowercase();
        DAYS.iter()
            .position(|d| *d == short)
            .ok_or_else(|| format!("`{name}` is not a day; days are Mon, Tue, Wed, Thu, Fri, Sat, Sun"))
    };
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (day(first)?, day(last)?);
    let many = (last + 7 - first) % 7;
    Ok((0..=many).map(|n| (first + n) % 7).collect())
}

/// `09:00-17:30`
fn span(word: &str) -> std::result::Result<(i64, i64), String> {
    let wrong = || format!("`{word}` is not a span of hours; write `09:00-17:30`");
    let (from, to) = word.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (time(from).ok_or_else(wrong)?, time(to).ok_or_else(wrong)?);
    if from < to {
        Ok((from, to))
    } else {
        Err(format!(
            "`{word}` ends before it starts; write a night as `22:00-24:00` and, on the next day, `00:00-06:00`"
        ))
    }
}

fn time(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    if minute.len() != 2 || hour.is_empty() || hour.len() > 2 {
        return None;
    }
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    ((0..=24).contains(&hour) && (0..60).contains(&minute) && hour * 60 + minute <= 24 * 60)
        .then_some((hour * 60 + minute) * 60 * SECOND)
}

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(BusinessSeconds { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BusinessSeconds {
    signature: Signature,
}

/// Holidays as they were given.
enum Holidays {
    None,
    Dates(ArrayRef),
    Text(ArrayRef),
}

impl ScalarUDFImpl for BusinessSeconds {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !(3..=4).contains(&types.len()) {
            return plan_err!("{} was given {} arguments", signature(NAME), types.len());
        }
        let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
        for given in &types[..2] {
            match given {
                DataType::Timestamp(_, None) | DataType::Date32 | DataType::Null => {}
                _ if given.is_string() => {}
                DataType::Timestamp(_, Some(_)) => {
                    return plan_err!(
                        "{} takes local timestamps, and was given {given}; use to_local_time",
                        signature(NAME)
                    );
                }
                _ => return plan_err!("{} takes local timestamps, and was given {given}", signature(NAME)),
            }
        }
        if !types[2].is_string() && !types[2].is_null() {
            return plan_err!("{} takes its hours as a text, and was given {}", signature(NAME), types[2]);
        }
        let mut all = vec![moment.clone(), moment, DataType::Utf8];
        match types.get(3) {
            None => {}
            Some(DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)) => {
                all.push(DataType::List(Arc::new(Field::new_list_field(DataType::Date32, true))));
            }
            Some(given) if given.is_string() || given.is_null() => all.push(DataType::Utf8),
            Some(given) => {
                return plan_err!(
                    "{} takes its holidays as a list of dates or a text of them, and was given {given}",
                    signature(NAME)
                );
            }
        }
        Ok(all)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let columns: Vec<ArrayRef> = args
            .args
            .into_iter()
            .map(|arg| match arg {
                ColumnarValue::Scalar(value) => value.to_array(),
                ColumnarValue::Array(array) => Ok(array),
            })
            .collect::<Result<_>>()?;
        let at = |column: &ArrayRef, row: usize| if column.len() == 1 { 0 } else { row };
        let moments = [moments(&columns[0])?, moments(&columns[1])?];
        let hours = cast(&columns[2], &DataType::Utf8)?;
        let holidays = match columns.get(3) {
            None => Holidays::None,
            Some(given) if given.data_type().is_string() => Holidays::Text(cast(given, &DataType::Utf8)?),
            Some(given) => Holidays::Dates(Arc::clone(given)),
        };
        // The calendar is most often the same for all rows.
        let mut last: Option<(String, Vec<i64>, Calendar)> = None;
        let mut answers = Vec::with_capacity(rows);
        for row in 0..rows {
            let [from, to] = [0, 1].map(|i| {
                let place = at(&columns[i], row);
                let array = moments[i].as_primitive::<TimestampMicrosecondType>();
                array.is_valid(place).then(|| array.value(place))
            });
            let place = at(&hours, row);
            let (Some(from), Some(to), true) = (from, to, hours.is_valid(place)) else {
                answers.push(None);
                continue;
            };
            let hours = hours.as_string::<i32>().value(place);
            let days = match &holidays {
                Holidays::None => Vec::new(),
                Holidays::Dates(lists) => dates(lists, at(lists, row)),
                Holidays::Text(texts) => match dates_of_text(texts, at(texts, row)) {
                    Ok(days) => days,
                    Err(why) => return exec_err!("{}: {why}", signature(NAME)),
                },
            };
            let known = last.as_ref().is_some_and(|(h, d, _)| h == hours && *d == days);
            if !known {
                match Calendar::new(hours, days.iter().copied()) {
                    Ok(calendar) => last = Some((hours.to_owned(), days, calendar)),
                    Err(why) => return exec_err!("{}: {why}", signature(NAME)),
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "microseconds of some centuries")]
            answers.push(last.as_ref().map(|(.., calendar)| calendar.between(from, to) as f64 / SECOND as f64));
        }
        let array: ArrayRef = Arc::new(Float64Array::from(answers));
        if scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

fn moments(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?)
}

/// No list is no holiday.
fn dates(lists: &ArrayRef, row: usize) -> Vec<i64> {
    let lists = lists.as_list::<i32>();
    if lists.is_null(row) {
        return Vec::new();
    }
    lists.value(row).as_primitive::<Date32Type>().iter().flatten().map(i64::from).collect()
}

fn dates_of_text(texts: &ArrayRef, row: usize) -> std::result::Result<Vec<i64>, String> {
    let texts = texts.as_string::<i32>();
    if texts.is_null(row) {
        return Ok(Vec::new());
    }
    let words = texts.value(row).split([',', ';']).map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let date: NaiveDate = word.parse().map_err(|_| format!("`{word}` is not a date; write `2024-10-01`"))?;
            Ok(date.signed_duration_since(NaiveDate::default()).num_days())
        })
        .collect()
}
