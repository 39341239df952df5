//! "What changed": at most three sentences, each of which the numbers bear out.

use super::headline::{Walk, apart, points, relative, rests_on_people};
use super::input::{KpiPoint, KpiSeries};
use super::number::{grouped, in_unit, unit_words, with_unit};
use super::words::Words;
use crate::config::{Kpi, Unit};

const AT_MOST: usize = 3;
/// An amount that moved by less is noise to a board.
const WORTH_SAYING: f64 = 0.05;

/// Sentences in the order the pipeline names its KPIs: the company has said what matters most to it.
pub(super) fn what_changed(kpis: &[&KpiSeries], words: &Words) -> Vec<String> {
    kpis.iter().filter_map(|k| sentence(k, words)).take(AT_MOST).collect()
}

fn sentence(series: &KpiSeries, words: &Words) -> Option<String> {
    let walk = Walk::of(series);
    let unit = &series.kpi.unit;
    let now = walk.latest()?;
    let on_prior = walk.prior(now).filter(|then| supported(now, then, &series.kpi));
    let on_year = walk.year_before(now).filter(|then| supported(now, then, &series.kpi));
    // The nearer period is the story; last year's is told beside it, or alone where the nearer one says nothing.
    let then = on_prior.or(on_year)?;
    let rose = now.value? > then.value?;
    let text = |v: f64| in_unit(v, unit, words.locale);
    let mut told = words.say(
        if rose { "changed.rose" } else { "changed.fell" },
        &[
            ("label", &words.label(&series.kpi)),
            ("by", &size(now, then, unit, words)?),
            ("now", &text(now.value?)),
            ("period", &walk.period_text(now.period, words)),
            ("then", &text(then.value?)),
            ("before", &walk.period_text(then.period, words)),
        ],
    );
    if on_prior.is_some()
        && let Some(year) = on_year
    {
        let key = match (now.value? > year.value?, rose) {
            (true, true) => "changed.above",
            (false, false) => "changed.below",
            (true, false) => "changed.still_above",
            (false, true) => "changed.still_below",
        };
        let by = size(now, year, unit, words)?;
        told.push_str(&words.say(key, &[("by", &by), ("period", &walk.period_text(year.period, words))]));
    }
    told.push_str(&words.say("changed.end", &[]));
    Some(told)
}

/// Whether two values differ by more than chance and more than trifles.
fn supported(now: &KpiPoint, then: &KpiPoint, kpi: &Kpi) -> bool {
    let enough = |p: &KpiPoint| p.n.is_some_and(|n| n >= kpi.minimum_n);
    let (Some(a), Some(b)) = (now.value, then.value) else { return false };
    if !enough(now) || !enough(then) {
        return false;
    }
    if rests_on_people(&kpi.unit) {
        apart(now, then) == Some(true)
    } else {
        relative(a, b).is_some_and(|r| r.abs() >= WORTH_SAYING)
    }
}

/// How far apart two values are, without a sign.
fn size(now: &KpiPoint, then: &KpiPoint, unit: &Unit, words: &Words) -> Option<String> {
    let (now, then, locale) = (now.value?, then.value?, words.locale);
    Some(match unit {
        Unit::Share => with_unit(&grouped((now - then).abs() * 100.0, 1), unit_words(locale)[0], locale),
        Unit::Score => points(&grouped((now - then).abs(), 1), locale),
        Unit::Mean => points(&grouped((now - then).abs(), 2), locale),
        Unit::Count | Unit::Ratio | Unit::Money(_) | Unit::Days | Unit::Hours => {
            with_unit(&grouped(relative(now, then)?.abs() * 100.0, 1), "%", locale)
        }
    })
}
