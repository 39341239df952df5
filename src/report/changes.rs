//! "What changed": at most three sentences, each of which the numbers bear out.

use super::headline::{Walk, apart, relative, rests_on_people};
use super::input::{KpiPoint, KpiSeries};
use super::number::{grouped, of_unit, tame};
use crate::config::{Kpi, Unit};

const AT_MOST: usize = 3;
/// An amount that moved by less is noise to a board.
const WORTH_SAYING: f64 = 0.05;

/// Sentences in the order the pipeline names its KPIs: the company has said what matters most to it.
pub(super) fn what_changed(kpis: &[&KpiSeries]) -> Vec<String> {
    kpis.iter().filter_map(|k| sentence(k)).take(AT_MOST).collect()
}

fn sentence(series: &KpiSeries) -> Option<String> {
    let walk = Walk::of(series);
    let unit = &series.kpi.unit;
    let now = walk.latest()?;
    let on_prior = walk.prior(now).filter(|then| supported(now, then, &series.kpi));
    let on_year = walk.year_before(now).filter(|then| supported(now, then, &series.kpi));
    // The nearer period is the story; last year's is told beside it, or alone where the nearer one says nothing.
    let then = on_prior.or(on_year)?;
    let rose = now.value? > then.value?;
    let mut text = format!(
        "{} {} {} to {} in {}, from {} in {}",
        tame(&series.kpi.label),
        if rose { "rose" } else { "fell" },
        by(now, then, unit)?,
        of_unit(now.value?, unit),
        walk.period_text(now.period),
        of_unit(then.value?, unit),
        walk.period_text(then.period),
    );
    if on_prior.is_some()
        && let Some(year) = on_year
    {
        let above = now.value? > year.value?;
        let joint = if above == rose { "that is" } else { "still, that is" };
        let side = if above { "above" } else { "below" };
        text = format!("{text}; {joint} {} {side} {}", size(now, year, unit)?, walk.period_text(year.period));
    }
    text.push('.');
    Some(text)
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

fn by(now: &KpiPoint, then: &KpiPoint, unit: &Unit) -> Option<String> {
    size(now, then, unit).map(|size| format!("by {size}"))
}

/// How far apart two values are, without a sign.
fn size(now: &KpiPoint, then: &KpiPoint, unit: &Unit) -> Option<String> {
    let (now, then) = (now.value?, then.value?);
    Some(match unit {
        Unit::Share => format!("{}\u{202f}pp", grouped((now - then).abs() * 100.0, 1)),
        Unit::Score => format!("{} points", grouped((now - then).abs(), 1)),
        Unit::Count | Unit::Money(_) | Unit::Ratio | Unit::Days | Unit::Hours => {
            format!("{}\u{202f}%", grouped(relative(now, then)?.abs() * 100.0, 1))
        }
    })
}
