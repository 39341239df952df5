//! What is expected of the months or weeks to come, beside those that were: a table of forecasts as a picture and rows.

use chrono::NaiveDate;
use serde::Serialize;
use tera::Value;

use super::chart::{Drawn, Plot};
use super::number::{compact, grouped, money, month_of, short_date};
use super::tables::{Refused, rows};
use super::words::Words;
use crate::config::Locale;

const PERIODS_BACK: usize = 13;

/// How long a period is, and how a table of those that were calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Series {
    Weekly,
    Monthly,
}

impl Series {
    pub(super) fn named(name: &str) -> Result<Self, Refused> {
        match name {
            "weekly" => Ok(Self::Weekly),
            "monthly" => Ok(Self::Monthly),
            other => Err(format!("a series is `weekly` or `monthly`, not `{other}`")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The periods of a table that are over, with what they brought, in order.
    fn past(self, table: &Value) -> Result<Vec<(NaiveDate, f64)>, Refused> {
        let (needed, period): (&[&str], _) = match self {
            Self::Weekly => (&["week", "revenue"], "week"),
            Self::Monthly => (&["month", "revenue", "provisional"], "month"),
        };
        let mut all = Vec::new();
        for row in rows(table, needed)? {
            let open = self == Self::Monthly && row.truth("provisional")?;
            if let (Some(begins), Some(revenue), false) = (row.date(period)?, row.number("revenue")?, open) {
                all.push((begins, revenue));
            }
        }
        all.sort_by_key(|(begins, _)| *begins);
        Ok(all.split_off(all.len().saturating_sub(PERIODS_BACK)))
    }

    fn text(self, period: NaiveDate, locale: Locale) -> String {
        match self {
            Self::Weekly => short_date(period, locale),
            Self::Monthly => month_of(period, locale),
        }
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Ahead {
    empty: bool,
    /// Of the model that is shown; `season before` where it did not beat that.
    method: String,
    /// Whether a model beat the season before.
    better: bool,
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

/// `past` is a table with `revenue` and, of a monthly series, `month` and `provisional`; of a weekly one, `week`.
pub(super) fn ahead(table: &Value, past: &Value, series: Series, sign: &str, words: &Words) -> Result<Ahead, Refused> {
    let past = series.past(past)?;
    let needed = ["series", "period", "method", "value", "low80", "high80", "low95", "high95", "mase"];
    let (mut steps, mut method, mut mase) = (Vec::new(), String::new(), None);
    for row in rows(table, &needed)? {
        if row.get("series")?.as_str() != Some(series.name()) {
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
    let text = |v: f64| money(v, sign, &compact(v, words.locale));
    let range = |(low, high): (f64, f64)| words.say("range", &[("low", &text(low)), ("high", &text(high))]);
    let values: Vec<Option<f64>> =
        past.iter().map(|(_, v)| Some(*v)).chain(steps.iter().map(|s| Some(s.value))).collect();
    // It opens where what is known ends.
    let opens = past.iter().enumerate().map(|(at, (_, v))| (at + 1 == past.len()).then_some((*v, *v)));
    let bands: Vec<Option<(f64, f64)>> = opens.chain(steps.iter().map(|s| s.nearly_sure)).collect();
    let begins = past.first().map_or(steps[0].period, |(first, _)| *first);
    let ends = steps[steps.len() - 1].period;
    let (begins, ends) = (series.text(begins, words.locale), series.text(ends, words.locale));
    let last = &steps[steps.len() - 1];
    let first_ahead = series.text(steps[0].period, words.locale);
    let label = words.say(
        "ahead",
        &[("from", &first_ahead), ("to", &ends), ("first", &text(steps[0].value)), ("last", &text(last.value))],
    );
    Ok(Ahead {
        empty: false,
        mase: mase.filter(|m| m.is_finite()).map(|m| grouped(m, 2)),
        picture: Plot::TREND.draw(&values, &bands, None, past.len(), &label, (begins, ends)),
        steps: steps
            .iter()
            .map(|s| Step {
                period: series.text(s.period, words.locale),
                text: text(s.value),
                likely: s.likely.map(range),
                nearly_sure: s.nearly_sure.map(range),
            })
            .collect(),
        better: method != "season before",
        method,
    })
}
