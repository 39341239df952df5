//! What is expected of the months to come, beside those that were: a table of forecasts as a picture and rows.

use chrono::NaiveDate;
use serde::Serialize;
use tera::Value;

use super::chart::{Drawn, Plot};
use super::number::{compact, grouped, money, month_of};
use super::tables::{Refused, rows};
use super::words::Words;

const MONTHS_BACK: usize = 13;

#[derive(Debug, Default, Serialize)]
pub(super) struct Ahead {
    empty: bool,
    /// Of the model that is shown; `season before` where it did not beat that.
    method: String,
    /// Its mean error over that of the season before, below 1 where it is better; none where it could not be tried.
    mase: Option<String>,
    steps: Vec<Step>,
    picture: Option<Drawn>,
}

#[derive(Debug, Serialize)]
struct Step {
    period: String,
    text: String,
    /// The 80 % and the 95 % interval.
    likely: Option<String>,
    nearly_sure: Option<String>,
}

struct Expected {
    period: NaiveDate,
    value: f64,
    likely: Option<(f64, f64)>,
    nearly_sure: Option<(f64, f64)>,
}

/// `past` is a table with `month`, `revenue` and `provisional`.
pub(super) fn ahead(table: &Value, past: &Value, sign: &str, words: &Words) -> Result<Ahead, Refused> {
    let needed = ["series", "period", "method", "value", "low80", "high80", "low95", "high95", "mase"];
    let (mut steps, mut method, mut mase) = (Vec::new(), String::new(), None);
    for row in rows(table, &needed)? {
        if row.get("series")?.as_str() != Some("monthly") {
            continue;
        }
        let (Some(period), Some(value)) = (row.date("period")?, row.number("value")?) else { continue };
        let span = |low, high| Ok::<_, Refused>(row.number(low)?.zip(row.number(high)?));
        let (likely, nearly_sure) = (span("low80", "high80")?, span("low95", "high95")?);
        row.get("method")?.as_str().unwrap_or_default().clone_into(&mut method);
        mase = row.number("mase")?.or(mase);
        steps.push(Expected { period, value, likely, nearly_sure });
    }
    if steps.is_empty() {
        return Ok(Ahead { empty: true, ..Ahead::default() });
    }
    steps.sort_by_key(|s| s.period);
    let mut months = Vec::new();
    for row in rows(past, &["month", "revenue", "provisional"])? {
        if let (Some(month), Some(revenue), false) =
            (row.date("month")?, row.number("revenue")?, row.truth("provisional")?)
        {
            months.push((month, revenue));
        }
    }
    months.sort_by_key(|(month, _)| *month);
    let months = months.split_off(months.len().saturating_sub(MONTHS_BACK));
    let text = |v: f64| money(v, sign, &compact(v, words.locale));
    let range = |(low, high): (f64, f64)| words.say("range", &[("low", &text(low)), ("high", &text(high))]);
    let values: Vec<Option<f64>> =
        months.iter().map(|(_, v)| Some(*v)).chain(steps.iter().map(|s| Some(s.value))).collect();
    let bands: Vec<Option<(f64, f64)>> =
        months.iter().map(|_| None).chain(steps.iter().map(|s| s.nearly_sure)).collect();
    let begins = months.first().map_or(steps[0].period, |(month, _)| *month);
    let ends = steps[steps.len() - 1].period;
    let (begins, ends) = (month_of(begins, words.locale), month_of(ends, words.locale));
    let last = &steps[steps.len() - 1];
    let first_ahead = month_of(steps[0].period, words.locale);
    let label = words.say(
        "ahead",
        &[("from", &first_ahead), ("to", &ends), ("first", &text(steps[0].value)), ("last", &text(last.value))],
    );
    Ok(Ahead {
        empty: false,
        mase: mase.filter(|m| m.is_finite()).map(|m| grouped(m, 2)),
        picture: Plot::TREND.draw(&values, &bands, None, months.len(), &label, (begins, ends)),
        steps: steps
            .iter()
            .map(|s| Step {
                period: month_of(s.period, words.locale),
                text: text(s.value),
                likely: s.likely.map(range),
                nearly_sure: s.nearly_sure.map(range),
            })
            .collect(),
        method,
    })
}
