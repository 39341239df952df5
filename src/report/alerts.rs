//! Which KPIs people must be told of: the rules of each, held against its last closed period. Pure.
//!
//! A rule holds only where the sample leaves no doubt (catalogue B0.9): the whole interval lies beyond the bound, the
//! interval of a difference does not hold nought, and the sample is large enough to be shown at all.

use std::collections::BTreeMap;

use crate::config::{AlertRule, Bound, Comparison, Kpi, Locale, Unit};
use crate::lake::{Alert, AlertKind};

use super::headline::{Walk, apart, relative, rests_on_people};
use super::input::{KpiPoint, KpiSeries};
use super::number::{grouped, in_unit, of_unit, tame};
use super::words::Words;

/// The alerts of all KPIs, in their order. `since` says at which `as_of` they are raised now; `before` are those that the
/// publication before raised, so that one that stands is known from one that is new.
pub fn alerts(kpis: &[KpiSeries], since: &str, before: &[Alert]) -> Vec<Alert> {
    let mut all: Vec<Alert> = kpis.iter().flat_map(|series| of_one(series, since)).collect();
    for alert in &mut all {
        let same = |b: &&Alert| b.kpi == alert.kpi && b.period == alert.period && b.what == alert.what;
        if let Some(standing) = before.iter().find(same) {
            alert.since.clone_from(&standing.since);
        }
    }
    all
}

fn of_one(series: &KpiSeries, since: &str) -> Vec<Alert> {
    let (kpi, walk) = (&series.kpi, Walk::of(series));
    // What is kept in a manifest is English; a report says it in its reader's language.
    let words = &Words::of(Locale::En, &BTreeMap::new()).0;
    let Some((now, value)) = walk.latest().and_then(|p| Some((p, known(p, kpi)?))) else { return vec![] };
    let raise = |what: AlertKind, against: f64, message: String| Alert {
        kpi: kpi.name.clone(),
        period: now.period,
        what,
        value,
        against,
        message,
        since: since.to_owned(),
    };
    let figure = format!("{} was {} in {}", kpi.label, of_unit(value, &kpi.unit), walk.period_text(now.period, words));
    let beyond = |bound: Bound, what: AlertKind| {
        let (against, name) = match bound {
            Bound::Target => (kpi.target?, "its target of "),
            Bound::Value(value) => (value, ""),
        };
        let (low, high) = now.low.zip(now.high).unwrap_or((value, value));
        let (holds, word) = match what {
            AlertKind::Below => (value < against && high < against, "below"),
            _ => (value > against && low > against, "above"),
        };
        let message = format!("{figure}, {word} {name}{}", of_unit(against, &kpi.unit));
        holds.then(|| raise(what, against, message))
    };
    let changed = |by: f64| {
        let then = match kpi.comparison {
            Comparison::Previous => walk.prior(now),
            Comparison::LastYear => walk.year_before(now),
        }?;
        let was = known(then, kpi)?;
        let moved = match kpi.unit {
            Unit::Share | Unit::Score | Unit::Mean => value - was,
            Unit::Count | Unit::Money(_) | Unit::Ratio | Unit::Days | Unit::Hours => relative(value, was)?,
        };
        let far = if by < 0.0 { moved <= by } else { moved >= by };
        let sure = apart(now, then).unwrap_or(true);
        let what = if by < 0.0 { AlertKind::Fell } else { AlertKind::Rose };
        let side = if by < 0.0 { "below" } else { "above" };
        let size = match kpi.unit {
            Unit::Share => format!("{}\u{202f}pp", grouped(moved.abs() * 100.0, 1)),
            Unit::Score => format!("{} points", grouped(moved.abs(), 1)),
            Unit::Mean => format!("{} points", grouped(moved.abs(), 2)),
            _ => format!("{}\u{202f}%", grouped(moved.abs() * 100.0, 1)),
        };
        let message = format!(
            "{figure}, {size} {side} the {} of {}",
            of_unit(was, &kpi.unit),
            walk.period_text(then.period, words)
        );
        (far && sure).then(|| raise(what, was, message))
    };
    let of_rule = |rule: &AlertRule| match rule {
        AlertRule::Below(bound) => beyond(*bound, AlertKind::Below),
        AlertRule::Above(bound) => beyond(*bound, AlertKind::Above),
        AlertRule::Change(by) => changed(*by),
    };
    kpi.alerts.iter().filter_map(of_rule).collect()
}

/// An alert as a report in another language than the manifest's says it.
pub(super) fn said(alert: &Alert, kpis: &[KpiSeries], words: &Words) -> String {
    let Some(series) = kpis.iter().find(|s| s.kpi.name == alert.kpi).filter(|_| words.locale != Locale::En) else {
        return alert.message.clone();
    };
    let of_target = series.kpi.target == Some(alert.against);
    let key = match alert.what {
        AlertKind::Below if of_target => "alert.below_target",
        AlertKind::Below => "alert.below",
        AlertKind::Above if of_target => "alert.above_target",
        AlertKind::Above => "alert.above",
        AlertKind::Fell => "alert.fell",
        AlertKind::Rose => "alert.rose",
    };
    let text = |v: f64| in_unit(v, &series.kpi.unit, words.locale);
    words.say(
        key,
        &[
            ("label", &words.label(&series.kpi)),
            ("now", &text(alert.value)),
            ("period", &Walk::of(series).period_text(alert.period, words)),
            ("against", &text(alert.against)),
        ],
    )
}

/// The most severe one, in so few words that it stands in a subject: the one farthest from what it is held against, as a
/// share of that; among equals the first in the order of KPIs.
pub(super) fn gravest(alerts: &[Alert], kpis: &[KpiSeries], words: &Words) -> Option<String> {
    let told = alerts.iter().filter_map(|a| Some((a, &kpis.iter().find(|s| s.kpi.name == a.kpi)?.kpi)));
    let (alert, kpi) = told.reduce(|worst, next| if distance(next.0) > distance(worst.0) { next } else { worst })?;
    let key = match alert.what {
        AlertKind::Below => "subject.below",
        AlertKind::Above => "subject.above",
        AlertKind::Fell => "subject.fell",
        AlertKind::Rose => "subject.rose",
    };
    let text = |v: f64| in_unit(v, &kpi.unit, words.locale);
    let named = [("label", &*words.label(kpi)), ("now", &*text(alert.value)), ("against", &*text(alert.against))];
    Some(tame(&words.say(key, &named)))
}

/// Of nought everything is infinitely far.
fn distance(alert: &Alert) -> f64 {
    let apart = (alert.value - alert.against).abs();
    if alert.against == 0.0 { f64::INFINITY } else { apart / alert.against.abs() }
}

/// A value that something may rest on.
fn known(point: &KpiPoint, kpi: &Kpi) -> Option<f64> {
    let enough = !rests_on_people(&kpi.unit) || point.n.is_some_and(|n| n >= kpi.minimum_n);
    point.value.filter(|v| v.is_finite() && enough)
}

/// The interval of the difference of two figures, from their own (Newcombe 1998, method 10, "square and add").
pub(super) fn difference(now: &KpiPoint, then: &KpiPoint) -> Option<(f64, f64)> {
    let ((a, b), (l1, u1), (l2, u2)) = (now.value.zip(then.value)?, now.low.zip(now.high)?, then.low.zip(then.high)?);
    let d = a - b;
    Some((d - (a - l1).hypot(u2 - b), d + (u1 - a).hypot(b - l2)))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn point(month: u32, value: f64, half: Option<f64>, n: i64) -> KpiPoint {
        KpiPoint {
            period: NaiveDate::from_ymd_opt(2024, month, 1).expect("a date"),
            value: Some(value),
            numerator: None,
            denominator: None,
            n: Some(n),
            low: half.map(|h| value - h),
            high: half.map(|h| value + h),
            provisional: false,
        }
    }

    fn raised(unit: Unit, rules: &[AlertRule], points: &[KpiPoint]) -> Vec<String> {
        let kpi = Kpi {
            target: Some(0.35),
            alerts: rules.to_vec(),
            ..super::super::tests::kpi("retention", "Retention", unit, crate::config::Direction::Up, None)
        };
        let series = KpiSeries { kpi, definition: None, points: points.to_vec() };
        alerts(&[series], "2024-04-01", &[]).into_iter().map(|a| a.message.replace('\u{202f}', " ")).collect()
    }

    /// Newcombe (1998), Statistics in Medicine 17, table II, method 10: 56/70 − 48/80 is 0.2 with 0.0524 to 0.3339.
    #[test]
    fn the_interval_of_a_difference_is_newcombes() {
        let wilson = |k: f64, n: f64| {
            let (p, z2) = (k / n, 1.959_963_984_540_054_f64.powi(2));
            let middle = (k + z2 / 2.0) / (n + z2);
            let half = (z2 * (k * (n - k) / n + z2 / 4.0)).sqrt() / (n + z2);
            KpiPoint { low: Some(middle - half), high: Some(middle + half), ..point(1, p, None, 70) }
        };
        let (low, high) = difference(&wilson(56.0, 70.0), &wilson(48.0, 80.0)).expect("both have intervals");
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn an_alert_needs_the_whole_interval_beyond_the_bound() {
        let rule = [AlertRule::Below(Bound::Target)];
        let near = [point(3, 0.33, Some(0.03), 400)];
        assert_eq!(raised(Unit::Share, &rule, &near), Vec::<String>::new());
        let far = [point(3, 0.30, Some(0.03), 400)];
        assert_eq!(raised(Unit::Share, &rule, &far), ["Retention was 30.0 % in Mar 2024, below its target of 35.0 %"]);
        // The same figure from a handful of people says nothing.
        assert!(raised(Unit::Share, &rule, &[point(3, 0.30, Some(0.03), 29)]).is_empty());
        assert!(raised(Unit::Mean, &rule, &[point(3, 0.30, Some(0.03), 29)]).is_empty());
        assert_eq!(raised(Unit::Ratio, &rule, &[point(3, 0.30, Some(0.03), 29)]).len(), 1);
        // An amount without an interval is what it is.
        let above = [AlertRule::Above(Bound::Value(100.0))];
        assert_eq!(raised(Unit::Count, &above, &[point(3, 120.0, None, 1)]).len(), 1);
    }

    #[test]
    fn a_change_must_be_large_and_beyond_chance() {
        let rule = [AlertRule::Change(-0.05)];
        let of = |half| [point(2, 0.40, Some(half), 400), point(3, 0.34, Some(half), 400)];
        assert_eq!(
            raised(Unit::Share, &rule, &of(0.02)),
            ["Retention was 34.0 % in Mar 2024, 6.0 pp below the 40.0 % of Feb 2024"]
        );
        assert!(raised(Unit::Share, &rule, &of(0.05)).is_empty(), "chance alone makes as much");
        assert!(raised(Unit::Share, &[AlertRule::Change(-0.07)], &of(0.02)).is_empty(), "not so far");
        assert!(raised(Unit::Share, &[AlertRule::Change(0.05)], &of(0.02)).is_empty(), "the other way");
        let amounts = [point(2, 200.0, None, 1), point(3, 150.0, None, 1)];
        assert_eq!(
            raised(Unit::Money("£".into()), &[AlertRule::Change(-0.2)], &amounts),
            ["Retention was £150.00 in Mar 2024, 25.0 % below the £200.00 of Feb 2024"]
        );
    }

    /// A subject has room for one: a third of the customers gone is worse than a score a little low, whatever the units.
    #[test]
    fn the_gravest_is_the_farthest_from_what_it_is_held_against() {
        let of = |name: &str, unit, rule, value| KpiSeries {
            kpi: Kpi {
                alerts: vec![rule],
                ..super::super::tests::kpi(name, name, unit, crate::config::Direction::Up, None)
            },
            definition: None,
            points: vec![point(3, value, None, 400)],
        };
        let below = |bound| AlertRule::Below(Bound::Value(bound));
        let series = [of("nps", Unit::Score, below(30.0), 27.0), of("retention", Unit::Share, below(0.35), 0.2)];
        let all = alerts(&series, "2024-04-01", &[]);
        let said = |locale| {
            let words = Words::of(locale, &BTreeMap::new()).0;
            gravest(&all, &series, &words).map(|text| text.replace('\u{202f}', " "))
        };
        assert_eq!(said(Locale::En).as_deref(), Some("retention 20.0 %, below 35.0 %"));
        assert_eq!(said(Locale::ZhHans).as_deref(), Some("retention 20.0%，低于 35.0%"));
        assert_eq!(gravest(&[], &series, &Words::of(Locale::En, &BTreeMap::new()).0), None);
    }

    #[test]
    fn an_alert_that_stands_keeps_the_day_it_was_raised() {
        let kpi = Kpi {
            alerts: vec![AlertRule::Above(Bound::Value(1.0))],
            ..super::super::tests::kpi("tickets", "Tickets", Unit::Count, crate::config::Direction::Down, None)
        };
        let series = [KpiSeries { kpi, definition: None, points: vec![point(3, 5.0, None, 1)] }];
        let first = alerts(&series, "2024-04-01", &[]);
        let second = alerts(&series, "2024-04-02", &first);
        assert_eq!((second[0].since.as_str(), second.len()), ("2024-04-01", 1));
    }
}
