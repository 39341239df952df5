//! A table of the snapshot as a figure: the waterfall of a month, the heat map of cohorts. Used by templates as filters.

use chrono::{Datelike, NaiveDate};
use serde::Serialize;
use tera::Value;
use tera::value::Key;

use super::chart::shade;
use super::headline::{ENOUGH, TOO_FEW};
use super::number::{NOTHING, compact, grouped, money, month_of, percent_change, share};
use super::words::Words;
use crate::config::Locale;

/// Twelve by twelve is what a page holds.
const COHORTS: usize = 12;
const MONTHS: i64 = 12;

/// Why a table cannot be drawn so: for the author of the template.
pub(super) type Refused = String;

/// One row of a table, by its columns' names.
pub(super) struct Row<'a>(&'a Value);

/// What stands under a name in a map.
fn under<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_map()?.get(&Key::from(name.to_owned()))
}

impl Row<'_> {
    pub(super) fn get(&self, column: &str) -> Result<&Value, Refused> {
        under(self.0, column).ok_or_else(|| format!("the table has no column `{column}`"))
    }

    /// None for a null.
    pub(super) fn number(&self, column: &str) -> Result<Option<f64>, Refused> {
        let value = self.get(column)?;
        if value.is_none() {
            return Ok(None);
        }
        value.as_f64().map(Some).ok_or_else(|| format!("the column `{column}` does not hold numbers"))
    }

    pub(super) fn date(&self, column: &str) -> Result<Option<NaiveDate>, Refused> {
        let value = self.get(column)?;
        if value.is_none() {
            return Ok(None);
        }
        let date = value.as_str().and_then(|text| text.parse().ok());
        date.map(Some).ok_or_else(|| format!("the column `{column}` does not hold dates"))
    }

    pub(super) fn truth(&self, column: &str) -> Result<bool, Refused> {
        Ok(self.get(column)?.as_bool().unwrap_or(false))
    }
}

/// The rows of a table, after making sure that it has the columns, so that an empty table's mistakes are found too.
pub(super) fn rows<'a>(table: &'a Value, columns: &[&str]) -> Result<Vec<Row<'a>>, Refused> {
    let part = |name| under(table, name).and_then(Value::as_array);
    let (Some(known), Some(rows)) = (part("columns"), part("rows")) else {
        return Err("only a table of the report's `data` can be drawn so".to_owned());
    };
    let names: Vec<&str> = known.iter().filter_map(|c| under(c, "name")?.as_str()).collect();
    match columns.iter().find(|c| !names.contains(*c)) {
        Some(missing) => Err(format!("the table has no column `{missing}`, only {}", names.join(", "))),
        None => Ok(rows.iter().map(Row).collect()),
    }
}

/// How a total became the next one: steps up and down between two bars.
#[derive(Debug, Default, Serialize)]
pub(super) struct Waterfall {
    empty: bool,
    period_text: String,
    /// What happened, in a sentence.
    finding: String,
    steps: Vec<Bar>,
}

#[derive(Debug, Serialize)]
struct Bar {
    label: String,
    /// `total`, `up`, `down`.
    kind: &'static str,
    text: String,
    /// In whole per cent of the width, so that a table's cells can draw it: from, wide, rest.
    from: u32,
    wide: u32,
    rest: u32,
}

/// What a waterfall is drawn from: the names of columns, and what to call them.
pub(super) struct WaterfallParts<'a> {
    pub total: &'a str,
    pub up: Vec<String>,
    pub down: Vec<String>,
    /// The sign of a currency, or nothing for counts.
    pub sign: Option<&'a str>,
    pub name_of: &'a dyn Fn(&str) -> String,
}

/// Of the last month that is closed. Falls may be stored as positive or negative numbers.
pub(super) fn waterfall(table: &Value, parts: &WaterfallParts<'_>, words: &Words) -> Result<Waterfall, Refused> {
    let mut needed = vec!["month", "provisional", parts.total];
    needed.extend(parts.up.iter().chain(&parts.down).map(String::as_str));
    let mut closed = Vec::new();
    for row in rows(table, &needed)? {
        if let (Some(month), Some(total), false) =
            (row.date("month")?, row.number(parts.total)?, row.truth("provisional")?)
        {
            closed.push((month, total, row));
        }
    }
    closed.sort_by_key(|(month, ..)| *month);
    let Some((month, closing, row)) = closed.last() else {
        return Ok(Waterfall { empty: true, ..Waterfall::default() });
    };
    let mut moves = Vec::new();
    for column in &parts.up {
        moves.push(((parts.name_of)(column), row.number(column)?.unwrap_or(0.0).abs()));
    }
    for column in &parts.down {
        moves.push(((parts.name_of)(column), -row.number(column)?.unwrap_or(0.0).abs()));
    }
    let locale = words.locale;
    let explained: f64 = moves.iter().map(|(_, by)| by).sum();
    let before = closed.iter().rev().nth(1).filter(|(earlier, ..)| follows(*earlier, *month));
    let opening = before.map_or(closing - explained, |(_, total, _)| *total);
    let opened = before.map_or_else(
        || words.say("waterfall.before", &[("month", &month_of(*month, locale))]),
        |(m, ..)| month_of(*m, locale),
    );
    // What the parts leave unexplained is shown, not hidden in a total.
    let other = closing - opening - explained;
    if other.abs() > 0.005 * closing.abs().max(1.0) {
        moves.push((words.say("waterfall.other", &[]), other));
    }
    let text = |value: f64, signed: bool| {
        let number = if parts.sign.is_some() { compact(value, locale) } else { grouped(value, 0) };
        let plain = parts.sign.map_or(number.clone(), |sign| money(value, sign, &number));
        if signed && value > 0.0 { format!("+{plain}") } else { plain }
    };
    let mut level = opening;
    let mut spans = vec![(opened, "total", text(opening, false), 0.0, opening)];
    for (label, by) in moves {
        let kind = if by < 0.0 { "down" } else { "up" };
        spans.push((label, kind, text(by, true), level, level + by));
        level += by;
    }
    spans.push((month_of(*month, locale), "total", text(*closing, false), 0.0, *closing));
    let most = spans.iter().flat_map(|s| [s.3, s.4]).fold(0.0, f64::max);
    let steps = spans.into_iter().map(|(label, kind, text, a, b)| bar(label, kind, text, a, b, most)).collect();
    let change = super::headline::relative(*closing, opening);
    let (from, to) = (text(opening, false), text(*closing, false));
    let finding = match change {
        Some(change) => words.say(
            "waterfall.finding",
            &[("opening", &from), ("closing", &to), ("change", &percent_change(change, locale))],
        ),
        None => words.say("waterfall.finding_bare", &[("opening", &from), ("closing", &to)]),
    };
    Ok(Waterfall { empty: false, period_text: long_month(*month, locale), finding, steps })
}

fn long_month(month: NaiveDate, locale: Locale) -> String {
    match locale {
        Locale::En => month.format("%B %Y").to_string(),
        Locale::ZhHans => month_of(month, locale),
    }
}

fn follows(earlier: NaiveDate, later: NaiveDate) -> bool {
    let months = |d: NaiveDate| i64::from(d.year()) * 12 + i64::from(d.month0());
    months(later) - months(earlier) == 1
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "per cents between 0 and 100")]
fn bar(label: String, kind: &'static str, text: String, a: f64, b: f64, most: f64) -> Bar {
    let place = |v: f64| if most > 0.0 { (v / most * 100.0).round().clamp(0.0, 100.0) as u32 } else { 0 };
    let (low, high) = (place(a.min(b)), place(a.max(b)));
    // A step that is not nought is never invisible.
    let wide = (high - low).max(u32::from((a - b).abs() > f64::EPSILON));
    let from = low.min(100 - wide);
    Bar { label, kind, text, from, wide, rest: 100 - from - wide }
}

/// Cohorts by month since their first order.
#[derive(Debug, Default, Serialize)]
pub(super) struct HeatMap {
    empty: bool,
    months: Vec<i64>,
    rows: Vec<CohortRow>,
    /// What level the lightest and the darkest cells stand for.
    least: String,
    most: String,
    legend: Vec<String>,
    finding: String,
}

#[derive(Debug, Serialize)]
struct CohortRow {
    cohort: String,
    size: String,
    /// Fewer than ten: its cells are not shown. Fewer than thirty: shown in grey.
    state: &'static str,
    cells: Vec<Shade>,
}

/// One cell; without a text where it is in the future or not closed.
#[derive(Debug, Default, Serialize)]
struct Shade {
    text: String,
    back: String,
    ink: &'static str,
}

struct CohortCell {
    cohort: NaiveDate,
    month: i64,
    customers: f64,
    size: f64,
    retention: f64,
}

pub(super) fn heat_map(table: &Value, words: &Words) -> Result<HeatMap, Refused> {
    let needed = ["cohort", "month_index", "customers", "cohort_size", "retention", "provisional"];
    let mut cells = Vec::new();
    for row in rows(table, &needed)? {
        let (Some(cohort), Some(month), false) =
            (row.date("cohort")?, row.number("month_index")?, row.truth("provisional")?)
        else {
            continue;
        };
        let size = row.number("cohort_size")?.unwrap_or(0.0);
        let customers = row.number("customers")?.unwrap_or(0.0);
        let Some(retention) = row.number("retention")? else { continue };
        #[expect(clippy::cast_possible_truncation, reason = "a month's number")]
        let month = month as i64;
        if (1..=MONTHS).contains(&month) {
            cells.push(CohortCell { cohort, month, customers, size, retention });
        }
    }
    let mut cohorts: Vec<NaiveDate> = cells.iter().map(|c| c.cohort).collect();
    cohorts.sort_unstable();
    cohorts.dedup();
    let cohorts = cohorts.split_off(cohorts.len().saturating_sub(COHORTS));
    cells.retain(|c| cohorts.contains(&c.cohort));
    #[expect(clippy::cast_precision_loss, reason = "ten and thirty")]
    let (few, enough) = (TOO_FEW as f64, ENOUGH as f64);
    // The scale is of the cells that are coloured.
    let floor = if cells.iter().any(|c| c.size >= enough) { enough } else { few };
    let shown = || cells.iter().filter(|c| c.size >= floor).map(|c| c.retention);
    if cells.is_empty() {
        return Ok(HeatMap { empty: true, ..HeatMap::default() });
    }
    let (least, most) = (shown().fold(f64::INFINITY, f64::min), shown().fold(0.0, f64::max));
    let least = if least.is_finite() { least } else { 0.0 };
    let places = usize::from(most < 0.1);
    let level = |v: f64| if most > least { (v - least) / (most - least) } else { 0.5 };
    let last = cells.iter().map(|c| c.month).max().unwrap_or(MONTHS);
    let months: Vec<i64> = (1..=last).collect();
    let rows = cohorts
        .iter()
        .map(|cohort| {
            let size = cells.iter().find(|c| c.cohort == *cohort).map_or(0.0, |c| c.size);
            let state = if size < few {
                "suppressed"
            } else if size < enough {
                "greyed"
            } else {
                "shown"
            };
            let cells =
                months.iter().map(|month| match cells.iter().find(|c| c.cohort == *cohort && c.month == *month) {
                    Some(_) if state == "suppressed" => Shade { text: NOTHING.to_owned(), ..Shade::default() },
                    Some(cell) => {
                        let (back, ink) = shade(level(cell.retention));
                        Shade { text: grouped(cell.retention * 100.0, places), back, ink }
                    }
                    None => Shade::default(),
                });
            let mut cells: Vec<Shade> = cells.collect();
            // The months to come end the row: nothing is drawn where nothing can be known.
            cells.truncate(cells.iter().rposition(|c| !c.text.is_empty()).map_or(0, |last| last + 1));
            CohortRow {
                cohort: match words.locale {
                    Locale::En => cohort.format("%b %y").to_string(),
                    Locale::ZhHans => month_of(*cohort, words.locale),
                },
                size: grouped(size, 0),
                state,
                cells,
            }
        })
        .collect();
    Ok(HeatMap {
        empty: false,
        finding: finding(&cells, few, words),
        months,
        rows,
        least: share(least, places, words.locale),
        most: share(most, places, words.locale),
        legend: (0..=8).map(|step| shade(f64::from(step) / 8.0).0).collect(),
    })
}

/// The mean of the cohorts, weighted by their sizes, for the first month and the last that three cohorts have reached.
fn finding(cells: &[CohortCell], few: f64, words: &Words) -> String {
    let mean = |month: i64| {
        let of: Vec<_> = cells.iter().filter(|c| c.month == month && c.size >= few).collect();
        let (back, all) = of.iter().fold((0.0, 0.0), |(b, a), c| (b + c.customers, a + c.size));
        (of.len() >= 3 && all > 0.0).then(|| back / all)
    };
    let Some(first) = mean(1) else { return String::new() };
    let text = |value: f64| share(value, 0, words.locale);
    match (2..=MONTHS).rev().find_map(|m| mean(m).map(|v| (m, v))) {
        Some((month, later)) => words
            .say("cohorts.both", &[("share", &text(first)), ("later", &text(later)), ("month", &month.to_string())]),
        None => words.say("cohorts.first", &[("share", &text(first))]),
    }
}
