//! A KPI as its tile shows it: the last closed period, its changes, its target, its doubt.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::Serialize;

use super::alerts::difference;
use super::chart::{Spark, spark};
use super::input::{KpiPoint, KpiSeries};
use super::number::{NOTHING, grouped, of_unit, percent_change, points_of_share, short_date, signed, tame};
use crate::config::{Comparison, Direction, Unit};

/// Below this a share or a score is not shown (catalogue B0.9).
pub(super) const TOO_FEW: i64 = 10;
/// Below this a share of a breakdown is shown in grey; a KPI says its own `minimum_n`.
pub(super) const ENOUGH: i64 = 30;
/// The last closed period and the twelve before it: the same one of last year is the first.
const SPARK_POINTS: usize = 13;

/// What a template knows of a KPI.
#[derive(Debug, Serialize)]
pub(super) struct Headline {
    pub name: String,
    pub label: String,
    /// `share`, `count`, `money`, `score`, `days`, `hours`.
    unit: &'static str,
    /// The sign of the currency, or nothing.
    sign: String,
    table: String,
    definition: Option<String>,
    /// ISO date of the last closed period, and as people write it.
    period: Option<NaiveDate>,
    pub period_text: String,
    value: Option<f64>,
    pub text: String,
    /// `shown`, `greyed`, `suppressed`, `missing`.
    state: &'static str,
    /// Why it is not simply shown.
    note: Option<String>,
    n: Option<i64>,
    interval: Option<String>,
    pub prior: Change,
    year: Change,
    /// The one of the two that the KPI is compared with.
    change: Change,
    target: Option<Target>,
    /// The period that is not over, so far.
    provisional: Option<SoFar>,
    spark: Option<Spark>,
    /// The tile in one sentence.
    pub summary: String,
}

/// How a value stands to an earlier one.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    /// False when there is nothing to compare with.
    pub known: bool,
    /// What it is compared with, as in `Oct 2011`.
    against: String,
    /// `+4.2 %`, `+1.2 pp`.
    pub text: String,
    glyph: &'static str,
    /// `up`, `down`, `level`.
    word: &'static str,
    /// `good`, `bad`, `even`.
    tone: &'static str,
}

#[derive(Debug, Serialize)]
struct Target {
    text: String,
    glyph: &'static str,
    /// `above target`, `below target`, `on target`, `about on target`.
    word: &'static str,
    tone: &'static str,
}

#[derive(Debug, Serialize)]
struct SoFar {
    period_text: String,
    text: String,
}

/// How far apart a KPI's periods are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Days(u64),
    Months(u32),
}

/// The series in order, with what is needed to walk it.
pub(super) struct Walk<'a> {
    points: Vec<&'a KpiPoint>,
    step: Step,
}

impl<'a> Walk<'a> {
    pub(super) fn of(series: &'a KpiSeries) -> Self {
        let mut points: Vec<&KpiPoint> = series.points.iter().collect();
        points.sort_by_key(|p| p.period);
        Self { step: step_of(&points), points }
    }

    /// The last period that is closed.
    pub(super) fn latest(&self) -> Option<&'a KpiPoint> {
        self.points.iter().rev().find(|p| !p.provisional).copied()
    }

    pub(super) fn prior(&self, point: &KpiPoint) -> Option<&'a KpiPoint> {
        self.closed_at(self.back(point.period, 1)?)
    }

    pub(super) fn year_before(&self, point: &KpiPoint) -> Option<&'a KpiPoint> {
        self.closed_at(self.same_last_year(point.period)?)
    }

    fn same_last_year(&self, period: NaiveDate) -> Option<NaiveDate> {
        match self.step {
            Step::Months(_) => period.checked_sub_months(Months::new(12)),
            // The same weekday.
            Step::Days(_) => period.checked_sub_days(Days::new(364)),
        }
    }

    fn closed_at(&self, period: NaiveDate) -> Option<&'a KpiPoint> {
        self.points.iter().find(|p| p.period == period && !p.provisional).copied()
    }

    fn back(&self, period: NaiveDate, steps: u32) -> Option<NaiveDate> {
        match self.step {
            Step::Months(months) => period.checked_sub_months(Months::new(months * steps)),
            Step::Days(days) => period.checked_sub_days(Days::new(days * u64::from(steps))),
        }
    }

    /// `Nov 2011`, `Q4 2011`, `week of 7 Nov 2011`.
    pub(super) fn period_text(&self, period: NaiveDate) -> String {
        match self.step {
            Step::Months(1) => period.format("%b %Y").to_string(),
            Step::Months(3) => format!("Q{} {}", period.month0() / 3 + 1, period.year()),
            Step::Months(12) => period.year().to_string(),
            Step::Days(7) => format!("week of {}", short_date(period)),
            Step::Days(_) | Step::Months(_) => short_date(period),
        }
    }
}

/// The smallest distance between two periods; a month when there is only one.
fn step_of(points: &[&KpiPoint]) -> Step {
    let days = points.windows(2).map(|w| (w[1].period - w[0].period).num_days()).filter(|d| *d > 0).min();
    let first_of_month = points.iter().all(|p| p.period.day() == 1);
    match days {
        None => Step::Months(1),
        Some(d) if first_of_month && d >= 365 => Step::Months(12),
        Some(d) if first_of_month && d >= 89 => Step::Months(3),
        Some(d) if first_of_month && d >= 28 => Step::Months(1),
        Some(d) => Step::Days(d.unsigned_abs()),
    }
}

/// Whether a value may be shown: shares and scores of a handful of people say more about the people than about the whole.
pub(super) fn may_show(point: &KpiPoint, unit: &Unit) -> bool {
    !(rests_on_people(unit) && point.n.is_some_and(|n| n < TOO_FEW))
}

pub(super) fn rests_on_people(unit: &Unit) -> bool {
    matches!(unit, Unit::Share | Unit::Score)
}

/// Whether two values differ by more than chance makes: the interval of their difference does not hold nought. None where
/// an interval is not known.
pub(super) fn apart(one: &KpiPoint, other: &KpiPoint) -> Option<bool> {
    difference(one, other).map(|(low, high)| low > 0.0 || high < 0.0)
}

fn shown(point: &KpiPoint, unit: &Unit) -> Option<f64> {
    point.value.filter(|v| v.is_finite() && may_show(point, unit))
}

pub(super) fn headline(series: &KpiSeries) -> Headline {
    let walk = Walk::of(series);
    let kpi = &series.kpi;
    let unit = &kpi.unit;
    let latest = walk.latest();
    let value = latest.and_then(|p| shown(p, unit));
    let n = latest.and_then(|p| p.n);
    let (state, note) = match latest {
        None => ("missing", Some("no closed period yet".to_owned())),
        Some(p) if !may_show(p, unit) => ("suppressed", Some("too few".to_owned())),
        Some(_) if value.is_none() => ("missing", Some("no data".to_owned())),
        Some(p) if rests_on_people(unit) && p.n.is_some_and(|n| n < kpi.minimum_n) => {
            ("greyed", Some("small sample, read with care".to_owned()))
        }
        Some(_) => ("shown", None),
    };
    let text = value.map_or_else(|| NOTHING.to_owned(), |v| of_unit(v, unit));
    let compare = |other: Option<&KpiPoint>, period: Option<NaiveDate>| {
        let against = period.map_or_else(String::new, |p| walk.period_text(p));
        // A change that chance alone would make is told, and not coloured as good or bad.
        let doubtful = latest.zip(other).is_some_and(|(a, b)| apart(a, b) == Some(false));
        let direction = if doubtful { Direction::Neither } else { kpi.direction };
        change(value, other.and_then(|p| shown(p, unit)), unit, direction, against)
    };
    let prior = compare(latest.and_then(|p| walk.prior(p)), latest.and_then(|p| walk.back(p.period, 1)));
    let year = compare(latest.and_then(|p| walk.year_before(p)), latest.and_then(|p| walk.same_last_year(p.period)));
    let period_text = latest.map_or_else(String::new, |p| walk.period_text(p.period));
    let label = tame(&kpi.label);
    let change = match kpi.comparison {
        Comparison::Previous => prior.clone(),
        Comparison::LastYear => year.clone(),
    };
    let summary = summary(&label, &text, &period_text, note.as_deref(), &change);
    Headline {
        name: kpi.name.to_string(),
        unit: match unit {
            Unit::Share => "share",
            Unit::Count => "count",
            Unit::Money(_) => "money",
            Unit::Score => "score",
            Unit::Ratio => "ratio",
            Unit::Days => "days",
            Unit::Hours => "hours",
        },
        sign: if let Unit::Money(sign) = unit { tame(sign) } else { String::new() },
        table: kpi.table.to_string(),
        definition: series.definition.as_deref().map(tame),
        period: latest.map(|p| p.period),
        value,
        text,
        state,
        note,
        n,
        interval: latest.filter(|_| value.is_some()).and_then(|p| bounds(p, unit)),
        prior,
        year,
        change,
        target: kpi.target.map(|t| target(value, latest, t, unit, kpi.direction)),
        provisional: so_far(&walk, unit),
        spark: latest.and_then(|p| sparkline(&walk, p, unit)),
        summary,
        period_text,
        label,
    }
}

fn bounds(point: &KpiPoint, unit: &Unit) -> Option<String> {
    let (low, high) = (point.low.filter(|v| v.is_finite())?, point.high.filter(|v| v.is_finite())?);
    Some(match unit {
        Unit::Share => format!("{}–{}", grouped(low * 100.0, 1), of_unit(high, unit)),
        Unit::Score => format!("{} to {}", signed(low, 1), signed(high, 1)),
        Unit::Count | Unit::Money(_) | Unit::Ratio | Unit::Days | Unit::Hours => {
            format!("{} to {}", of_unit(low, unit), of_unit(high, unit))
        }
    })
}

/// Shares change in points, amounts in per cent of what they were; an amount that was nought has no such change.
fn change(now: Option<f64>, then: Option<f64>, unit: &Unit, direction: Direction, against: String) -> Change {
    let moved = now.zip(then).and_then(|(now, then)| match unit {
        Unit::Share => Some((now - then, points_of_share(now - then))),
        Unit::Score => Some((now - then, format!("{}\u{a0}points", signed(now - then, 1)))),
        Unit::Count | Unit::Money(_) | Unit::Ratio | Unit::Days | Unit::Hours => {
            let ratio = relative(now, then)?;
            Some((ratio, percent_change(ratio)))
        }
    });
    let Some((by, text)) = moved else {
        return Change {
            known: false,
            against,
            text: NOTHING.to_owned(),
            glyph: "",
            word: "not comparable",
            tone: "even",
        };
    };
    let (glyph, word) = match (text.starts_with('+'), text.starts_with('−')) {
        (true, _) => ("▲", "up"),
        (_, true) => ("▼", "down"),
        _ => ("●", "level"),
    };
    let tone = if word == "level" { "even" } else { tone(by > 0.0, direction) };
    Change { known: true, against, text, glyph, word, tone }
}

/// The change of an amount as a share of what it was.
pub(super) fn relative(now: f64, then: f64) -> Option<f64> {
    Some((now - then) / then.abs()).filter(|r| r.is_finite())
}

fn tone(up: bool, direction: Direction) -> &'static str {
    match (direction, up) {
        (Direction::Neither, _) => "even",
        (Direction::Up, true) | (Direction::Down, false) => "good",
        (Direction::Up, false) | (Direction::Down, true) => "bad",
    }
}

fn target(value: Option<f64>, point: Option<&KpiPoint>, target: f64, unit: &Unit, direction: Direction) -> Target {
    let text = of_unit(target, unit);
    let Some(value) = value else { return Target { text, glyph: "", word: "not comparable", tone: "even" } };
    let doubt = point.and_then(|p| p.low.zip(p.high)).is_some_and(|(low, high)| low <= target && target <= high);
    let (glyph, word) = match () {
        () if of_unit(value, unit) == text => ("●", "on target"),
        // The interval holds the target: the sample cannot tell which side the value is on.
        () if doubt => ("●", "about on target"),
        () if value > target => ("▲", "above target"),
        () => ("▼", "below target"),
    };
    Target { text, glyph, word, tone: if glyph == "●" { "even" } else { tone(value > target, direction) } }
}

fn so_far(walk: &Walk<'_>, unit: &Unit) -> Option<SoFar> {
    let point = walk.points.last().filter(|p| p.provisional)?;
    let text = match shown(point, unit) {
        Some(value) => of_unit(value, unit),
        None if !may_show(point, unit) => format!("{NOTHING}, too few"),
        None => return None,
    };
    Some(SoFar { period_text: walk.period_text(point.period), text })
}

fn sparkline(walk: &Walk<'_>, latest: &KpiPoint, unit: &Unit) -> Option<Spark> {
    let mut values = Vec::with_capacity(SPARK_POINTS);
    for steps in (0..SPARK_POINTS).rev() {
        let period = walk.back(latest.period, u32::try_from(steps).ok()?)?;
        values.push((period, walk.closed_at(period).and_then(|p| shown(p, unit))));
    }
    // A young company's line begins where its figures do.
    let from = values.iter().position(|(_, v)| v.is_some())?;
    let values = &values[from..];
    let known = || values.iter().filter_map(|(_, v)| *v);
    let label = format!(
        "{} to {}: least {}, most {}",
        walk.period_text(values.first()?.0),
        walk.period_text(latest.period),
        of_unit(known().fold(f64::INFINITY, f64::min), unit),
        of_unit(known().fold(f64::NEG_INFINITY, f64::max), unit),
    );
    spark(&values.iter().map(|(_, v)| *v).collect::<Vec<_>>(), label)
}

fn summary(label: &str, text: &str, period: &str, note: Option<&str>, prior: &Change) -> String {
    let figure = if period.is_empty() { format!("{label}: {text}") } else { format!("{label} {text} in {period}") };
    let doubt = note.map_or_else(String::new, |note| format!(" ({note})"));
    let moved = match prior.word {
        _ if !prior.known => String::new(),
        "level" => format!(", level with {}", prior.against),
        word => format!(", {word} {} on {}", prior.text.trim_start_matches(['+', '−']), prior.against),
    };
    format!("{figure}{doubt}{moved}")
}
