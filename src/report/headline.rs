//! A KPI as its tile shows it: the last closed period, its changes, its target, its doubt.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::Serialize;

use super::alerts::difference;
use super::chart::{Drawn, Plot};
use super::input::{KpiPoint, KpiSeries};
use super::number::{
    NOTHING, grouped, in_unit, month_of, percent_change, points_of_share, short_date, signed, tame, unit_words,
};
use super::words::Words;
use crate::config::{Comparison, Direction, Locale, Unit};

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
    /// `shown`, `greyed`, `suppressed`, `missing`; `struck` where the data behind all figures is not reliable.
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
    /// The last periods as a small line.
    spark: Option<Drawn>,
    /// The same with their intervals, larger.
    trend: Option<Drawn>,
    /// The company has a page in the archive that says why it is what it is.
    why: bool,
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
    /// `above target`, `below target`, `on target`, `about on target`, in the reader's language.
    word: String,
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
    pub(super) fn period_text(&self, period: NaiveDate, words: &Words) -> String {
        let quarter = period.month0() / 3 + 1;
        match (self.step, words.locale) {
            (Step::Months(1), locale) => month_of(period, locale),
            (Step::Months(3), Locale::En) => format!("Q{quarter} {}", period.year()),
            (Step::Months(3), Locale::ZhHans) => format!("{}-Q{quarter}", period.year()),
            (Step::Months(12), _) => period.year().to_string(),
            (Step::Days(7), locale) => words.say("week", &[("day", &short_date(period, locale))]),
            (Step::Days(_) | Step::Months(_), locale) => short_date(period, locale),
        }
    }
}

/// The smallest distance between two periods; of one alone, a month where it begins one, and else a day.
fn step_of(points: &[&KpiPoint]) -> Step {
    let days = points.windows(2).map(|w| (w[1].period - w[0].period).num_days()).filter(|d| *d > 0).min();
    let first_of_month = points.iter().all(|p| p.period.day() == 1);
    match days {
        None if first_of_month => Step::Months(1),
        None => Step::Days(1),
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
    matches!(unit, Unit::Share | Unit::Score | Unit::Mean)
}

/// Whether two values differ by more than chance makes: the interval of their difference does not hold nought. None where
/// an interval is not known.
pub(super) fn apart(one: &KpiPoint, other: &KpiPoint) -> Option<bool> {
    difference(one, other).map(|(low, high)| low > 0.0 || high < 0.0)
}

fn shown(point: &KpiPoint, unit: &Unit) -> Option<f64> {
    point.value.filter(|v| v.is_finite() && may_show(point, unit))
}

pub(super) fn headline(series: &KpiSeries, words: &Words) -> Headline {
    let walk = Walk::of(series);
    let kpi = &series.kpi;
    let (unit, locale) = (&kpi.unit, words.locale);
    let latest = walk.latest();
    let value = latest.and_then(|p| shown(p, unit));
    let n = latest.and_then(|p| p.n);
    let note = |key: &str| Some(words.say(key, &[]));
    let (state, note) = match latest {
        None => ("missing", note("note.none_closed")),
        Some(p) if !may_show(p, unit) => ("suppressed", note("note.few")),
        Some(_) if value.is_none() => ("missing", note("note.no_data")),
        Some(p) if rests_on_people(unit) && p.n.is_some_and(|n| n < kpi.minimum_n) => ("greyed", note("note.small")),
        Some(_) => ("shown", None),
    };
    let text = value.map_or_else(|| NOTHING.to_owned(), |v| in_unit(v, unit, locale));
    let compare = |other: Option<&KpiPoint>, period: Option<NaiveDate>| {
        let against = period.map_or_else(String::new, |p| walk.period_text(p, words));
        // A change that chance alone would make is told, and not coloured as good or bad.
        let small = |p: &KpiPoint| p.n.is_some_and(|n| n < kpi.minimum_n);
        let doubtful = latest.zip(other).is_some_and(|(a, b)| apart(a, b) == Some(false) || small(a) || small(b));
        let direction = if doubtful { Direction::Neither } else { kpi.direction };
        change(value, other.and_then(|p| shown(p, unit)), unit, direction, against, locale)
    };
    let prior = compare(latest.and_then(|p| walk.prior(p)), latest.and_then(|p| walk.back(p.period, 1)));
    let year = compare(latest.and_then(|p| walk.year_before(p)), latest.and_then(|p| walk.same_last_year(p.period)));
    let period_text = latest.map_or_else(String::new, |p| walk.period_text(p.period, words));
    let label = words.label(kpi);
    let change = match kpi.comparison {
        Comparison::Previous => prior.clone(),
        Comparison::LastYear => year.clone(),
    };
    let summary = summary(&label, &text, &period_text, note.as_deref(), &change, words);
    Headline {
        name: kpi.name.to_string(),
        unit: match unit {
            Unit::Share => "share",
            Unit::Count => "count",
            Unit::Ratio => "ratio",
            Unit::Money(_) => "money",
            Unit::Score => "score",
            Unit::Mean => "mean",
            Unit::Days => "days",
            Unit::Hours => "hours",
        },
        sign: if let Unit::Money(sign) = unit { tame(sign) } else { String::new() },
        table: kpi.table.to_string(),
        definition: words.definition(kpi).or(series.definition.as_deref()).map(tame),
        period: latest.map(|p| p.period),
        value,
        text,
        state,
        note,
        n,
        interval: latest.filter(|_| value.is_some()).and_then(|p| bounds(p, unit, words)),
        prior,
        year,
        change,
        target: kpi.target.map(|t| target(value, latest, t, unit, kpi.direction, words)),
        provisional: so_far(&walk, unit, words),
        spark: latest.and_then(|p| drawing(&walk, p, series, words, &label, Plot::SPARK)),
        trend: latest.and_then(|p| drawing(&walk, p, series, words, &label, Plot::TREND)),
        why: latest.is_some(),
        summary,
        period_text,
        label,
    }
}

/// Whether a KPI that others stand on is below its gate.
pub(super) fn is_below_gate(series: &KpiSeries) -> bool {
    let value = Walk::of(series).latest().and_then(|p| p.value);
    series.kpi.gate.zip(value).is_some_and(|(gate, value)| value < gate)
}

impl Headline {
    /// What is simply shown is struck; what has a reason of its own not to be keeps it.
    pub(super) fn strike(self, words: &Words) -> Self {
        if !matches!(self.state, "shown" | "greyed") {
            return self;
        }
        Self { state: "struck", note: Some(words.say("note.unreliable", &[])), ..self }
    }
}

fn bounds(point: &KpiPoint, unit: &Unit, words: &Words) -> Option<String> {
    let (low, high) = (point.low.filter(|v| v.is_finite())?, point.high.filter(|v| v.is_finite())?);
    let text = |v: f64| in_unit(v, unit, words.locale);
    Some(match unit {
        Unit::Share => format!("{}–{}", grouped(low * 100.0, 1), text(high)),
        _ => words.say("range", &[("low", &text(low)), ("high", &text(high))]),
    })
}

/// Shares change in points, amounts in per cent of what they were; an amount that was nought has no such change.
fn change(
    now: Option<f64>,
    then: Option<f64>,
    unit: &Unit,
    direction: Direction,
    against: String,
    locale: Locale,
) -> Change {
    let moved = now.zip(then).and_then(|(now, then)| match unit {
        Unit::Share => Some((now - then, points_of_share(now - then, locale))),
        Unit::Score => Some((now - then, points(&signed(now - then, 1), locale))),
        Unit::Mean => Some((now - then, points(&signed(now - then, 2), locale))),
        Unit::Count | Unit::Ratio | Unit::Money(_) | Unit::Days | Unit::Hours => {
            let ratio = relative(now, then)?;
            Some((ratio, percent_change(ratio, locale)))
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

/// A change of a score.
pub(super) fn points(number: &str, locale: Locale) -> String {
    let word = unit_words(locale)[1];
    match locale {
        Locale::En => format!("{number}\u{a0}{word}"),
        Locale::ZhHans => format!("{number}{word}"),
    }
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

fn target(
    value: Option<f64>,
    point: Option<&KpiPoint>,
    target: f64,
    unit: &Unit,
    direction: Direction,
    words: &Words,
) -> Target {
    let text = in_unit(target, unit, words.locale);
    let Some(value) = value else {
        return Target { text, glyph: "", word: words.say("change.incomparable", &[]), tone: "even" };
    };
    let doubt = point.and_then(|p| p.low.zip(p.high)).is_some_and(|(low, high)| low <= target && target <= high);
    let (glyph, word) = match () {
        () if in_unit(value, unit, words.locale) == text => ("●", "target.on"),
        // The interval holds the target: the sample cannot tell which side the value is on.
        () if doubt => ("●", "target.about"),
        () if value > target => ("▲", "target.above"),
        () => ("▼", "target.below"),
    };
    let tone = if glyph == "●" { "even" } else { tone(value > target, direction) };
    Target { text, glyph, word: words.say(word, &[]), tone }
}

fn so_far(walk: &Walk<'_>, unit: &Unit, words: &Words) -> Option<SoFar> {
    let point = walk.points.last().filter(|p| p.provisional)?;
    let text = match shown(point, unit) {
        Some(value) => in_unit(value, unit, words.locale),
        None if !may_show(point, unit) => format!("{NOTHING}, {}", words.say("note.few", &[])),
        None => return None,
    };
    Some(SoFar { period_text: walk.period_text(point.period, words), text })
}

/// The thirteen periods up to the latest, as a line; larger, with their intervals.
fn drawing(
    walk: &Walk<'_>,
    latest: &KpiPoint,
    series: &KpiSeries,
    words: &Words,
    label: &str,
    plot: Plot,
) -> Option<Drawn> {
    let unit = &series.kpi.unit;
    let mut points = Vec::with_capacity(SPARK_POINTS);
    for steps in (0..SPARK_POINTS).rev() {
        let period = walk.back(latest.period, u32::try_from(steps).ok()?)?;
        points.push((period, walk.closed_at(period).filter(|p| shown(p, unit).is_some())));
    }
    // A young company's line begins where its figures do.
    let from = points.iter().position(|(_, p)| p.is_some())?;
    let points = &points[from..];
    let values: Vec<Option<f64>> = points.iter().map(|(_, p)| p.and_then(|p| p.value)).collect();
    let bands: Vec<Option<(f64, f64)>> = points.iter().map(|(_, p)| p.and_then(|p| p.low.zip(p.high))).collect();
    let known = || values.iter().flatten().copied();
    let text = |v: f64| in_unit(v, unit, words.locale);
    let (begins, ends) = (walk.period_text(points.first()?.0, words), walk.period_text(latest.period, words));
    let said = if plot.banded() {
        if bands.iter().all(Option::is_none) {
            return None;
        }
        let with =
            [("from", &*begins), ("to", &*ends), ("first", &text(known().next()?)), ("last", &text(latest.value?))];
        words.say("trend", &with)
    } else {
        words.say(
            "spark",
            &[
                ("from", &begins),
                ("to", &ends),
                ("least", &text(known().fold(f64::INFINITY, f64::min))),
                ("most", &text(known().fold(f64::NEG_INFINITY, f64::max))),
                ("last", &text(latest.value?)),
            ],
        )
    };
    let target = series.kpi.target.filter(|_| plot.banded());
    plot.draw(&values, &bands, target, values.len(), &format!("{label}, {said}"), (begins, ends))
}

fn summary(label: &str, text: &str, period: &str, note: Option<&str>, prior: &Change, words: &Words) -> String {
    let key = if period.is_empty() { "summary.figure" } else { "summary.in" };
    let figure = words.say(key, &[("label", label), ("text", text), ("period", period)]);
    let doubt = note.map_or_else(String::new, |note| words.say("summary.doubt", &[("note", note)]));
    let key = match prior.word {
        _ if !prior.known => return format!("{figure}{doubt}"),
        "level" => "summary.level",
        "up" => "summary.up",
        _ => "summary.down",
    };
    let by = prior.text.trim_start_matches(['+', '−']);
    format!("{figure}{doubt}{}", words.say(key, &[("by", by), ("against", &prior.against)]))
}
