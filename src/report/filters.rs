//! What a template may do with a value, besides tera's own filters. A null is `–` to all of them.
//!
//! | filter | gives |
//! | --- | --- |
//! | `count` | `1,234` |
//! | `number(places=2)` | `1,234.50` |
//! | `compact` | `1.24M` |
//! | `money(sign="£")`, `money(sign="£", places=2)` | `£1.24M`, `£1,234.50` |
//! | `share`, `share(places=1)` | `24 %`, `24.3 %` of a number between 0 and 1 |
//! | `pp` | `+1.2 pp`: a change of a share |
//! | `change` | `+4.2 %`: a change of an amount, as a share of what it was |
//! | `day`, `long_day`, `month` | `9 Dec 2011`, `9 December 2011`, `Dec 2011` |
//! | `width`, `width(most=0.4)` | a share as whole per cent of `most` between 0 and 100, for the width of a bar |
//! | `waterfall(total=…, up=[…], down=[…], sign=…, names={…})` | the steps of the last closed month of a table |
//! | `heat_map` | the shades of a table of cohorts |
//! | `matrix(scheme="tier")` | who moved from where to where, of a table of moves |
//! | `ahead(past=…, sign=…)`, `ahead(series="weekly", …)` | a forecast beside the months, or weeks, before it |
//! | `say(…)`, `word(of="segment")` | a phrase of the catalogue; a table's value as readers know it |

use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;
use tera::value::Key;
use tera::{Error, Kwargs, State, Tera, TeraResult, Value};

use super::ahead;
use super::matrix;
use super::number::{
    NOTHING, compact, grouped, long_date, money, month_of, percent_change, points_of_share, share, short_date, tame,
};
use super::tables::{self, WaterfallParts};
use super::words::{Words, fill};
use crate::config::Locale;

pub(super) fn register(tera: &mut Tera, words: &Arc<Words>) {
    let locale = words.locale;
    tera.register_filter("count", |v: &Value, _: Kwargs, _: &State| number(v, |n| grouped(n, 0)));
    tera.register_filter("number", |v: &Value, with: Kwargs, _: &State| {
        let places = places(&with)?.unwrap_or(0);
        number(v, |n| grouped(n, places))
    });
    tera.register_filter("compact", move |v: &Value, _: Kwargs, _: &State| number(v, |n| compact(n, locale)));
    tera.register_filter("money", move |v: &Value, with: Kwargs, _: &State| {
        let sign = with.get::<&str>("sign")?.unwrap_or_default();
        let places = places(&with)?;
        number(v, |n| money(n, sign, &places.map_or_else(|| compact(n, locale), |p| grouped(n, p))))
    });
    tera.register_filter("share", move |v: &Value, with: Kwargs, _: &State| {
        let places = places(&with)?.unwrap_or(0);
        number(v, |n| share(n, places, locale))
    });
    tera.register_filter("pp", move |v: &Value, _: Kwargs, _: &State| number(v, |n| points_of_share(n, locale)));
    tera.register_filter("change", move |v: &Value, _: Kwargs, _: &State| number(v, |n| percent_change(n, locale)));
    for (name, written) in
        [("day", short_date as fn(NaiveDate, Locale) -> String), ("long_day", long_date), ("month", month_of)]
    {
        tera.register_filter(name, move |v: &Value, _: Kwargs, _: &State| date(v, |d| written(d, locale)));
    }
    tera.register_filter("width", |v: &Value, with: Kwargs, _: &State| width(v, &with));
    let of = Arc::clone(words);
    tera.register_filter("waterfall", move |v: &Value, with: Kwargs, _: &State| waterfall(v, &with, &of));
    let of = Arc::clone(words);
    tera.register_filter("heat_map", move |v: &Value, _: Kwargs, _: &State| drawn(tables::heat_map(v, &of)));
    let of = Arc::clone(words);
    tera.register_filter("matrix", move |v: &Value, with: Kwargs, _: &State| {
        drawn(matrix::matrix(v, with.must_get::<&str>("scheme")?, &of))
    });
    let of = Arc::clone(words);
    tera.register_filter("ahead", move |v: &Value, with: Kwargs, _: &State| {
        let past = with.must_get::<&Value>("past")?;
        let series = ahead::Series::named(with.get::<&str>("series")?.unwrap_or("monthly")).map_err(Error::message)?;
        drawn(ahead::ahead(v, past, series, with.get::<&str>("sign")?.unwrap_or_default(), &of))
    });
    let of = Arc::clone(words);
    tera.register_filter("say", move |key: &str, with: Kwargs, _: &State| say(key, &with, &of));
    let of = Arc::clone(words);
    tera.register_filter("word", move |v: &Value, with: Kwargs, _: &State| word(v, &with, &of));
}

/// A phrase of the catalogue, its placeholders filled from the arguments.
fn say(key: &str, with: &Kwargs, words: &Words) -> TeraResult<String> {
    let Some(phrase) = words.find(key) else {
        return Err(Error::message(format!("the catalogue of `{}` has no phrase `{key}`", words.locale.tag())));
    };
    let value = |name: &str| match with.iter().find(|(key, _)| key.as_str() == Some(name)) {
        Some((_, value)) if value.is_none() => Some(NOTHING.to_owned()),
        Some((_, value)) => Some(value.to_string()),
        None => None,
    };
    fill(phrase, value).map_err(|name| Error::message(format!("the phrase `{key}` wants `{name}`")))
}

/// A value of a table as a reader knows it: `word(of="segment")` looks for `values.segment.<value>`; what no catalogue names is
/// shown as it is.
fn word(value: &Value, with: &Kwargs, words: &Words) -> TeraResult<String> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let text = value.to_string();
    Ok(words.find(&format!("values.{}.{text}", with.must_get::<&str>("of")?)).map_or(text, tame))
}

fn places(with: &Kwargs) -> TeraResult<Option<usize>> {
    // More decimals than a float holds would only be noise.
    Ok(with.get::<usize>("places")?.map(|p| p.min(12)))
}

fn number(value: &Value, written: impl FnOnce(f64) -> String) -> TeraResult<String> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let number = value.as_f64().ok_or_else(|| Error::message(format!("expected a number, not {}", value.name())))?;
    Ok(written(number))
}

fn date(value: &Value, written: impl FnOnce(NaiveDate) -> String) -> TeraResult<String> {
    if value.is_none() {
        return Ok(NOTHING.to_owned());
    }
    let date = value.as_str().and_then(|text| text.parse().ok());
    date.map(written).ok_or_else(|| Error::message(format!("expected a date, not {}", value.name())))
}

fn width(value: &Value, with: &Kwargs) -> TeraResult<u64> {
    let most = with.get::<f64>("most")?.unwrap_or(1.0);
    let share = value.as_f64().unwrap_or(0.0) / most;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
    Ok(if share.is_finite() { (share * 100.0).round().clamp(0.0, 100.0) as u64 } else { 0 })
}

fn waterfall(table: &Value, with: &Kwargs, words: &Words) -> TeraResult<Value> {
    let names = with.get::<&tera::Map>("names")?;
    let name_of = |column: &str| {
        let given = names.and_then(|m| m.get(&Key::Str(column))).and_then(Value::as_str);
        given.unwrap_or(column).to_owned()
    };
    let parts = WaterfallParts {
        total: with.must_get::<&str>("total")?,
        up: with.must_get::<Vec<String>>("up")?,
        down: with.must_get::<Vec<String>>("down")?,
        sign: with.get::<&str>("sign")?,
        name_of: &name_of,
    };
    drawn(tables::waterfall(table, &parts, words))
}

fn drawn<T: Serialize>(figure: Result<T, tables::Refused>) -> TeraResult<Value> {
    figure.map_err(Error::message).map(|figure| Value::from_serializable(&figure))
}
