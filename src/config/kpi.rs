//! `kpis:` of a pack and of a pipeline → the KPIs of a pipeline: a pack declares them, a pipeline chooses and overrides.

use std::collections::{BTreeMap, HashSet};

use crate::base::{Diagnostic, KpiName, TableName};

use super::keys::{ALERT, KPI, UNIT, WORDING};
use super::model::{AlertRule, Bound, Comparison, Direction, Kpi, Pack, Unit};
use super::number;
use super::pipeline::{name_span, spoken, table};
use super::shape::{Fields, Reading};
use super::tree::Node;
use super::words::name;

/// With fewer people behind it a share or a score is shown in grey (catalogue B0.9).
const MINIMUM_N: i64 = 30;
const ENGLISH: &str = "en";

/// The KPIs that a pack declares; each must say its unit, and its table must be one of the pack's own.
pub(super) fn of_pack(reading: &mut Reading<'_>, fields: Fields<'_>, pack: &Pack) -> Vec<Kpi> {
    let mut names = HashSet::new();
    let mut kpis = Vec::new();
    for node in fields.get("kpis").map(Node::items).unwrap_or_default() {
        let fields = Fields::new(node, &KPI);
        let Some(name) = fields.get("name").and_then(|n| name::<KpiName>(reading, n.text()?, &n.span)) else {
            continue;
        };
        if !names.insert(name.clone()) {
            let message = format!("two KPIs of this pack are called `{name}`");
            reading.error("duplicate-name", &name_span(fields), message, "give one of them another name");
            continue;
        }
        let Some(kpi) = one(reading, fields, name, None) else { continue };
        if !pack.stages.iter().any(|s| s.table == kpi.table) {
            let tables: Vec<String> = pack.stages.iter().map(|s| s.table.to_string()).collect();
            let place = fields.get("table").map_or_else(|| kpi.place.clone(), |n| reading.place(&n.span));
            let message = format!("KPI `{}` is in `{}`, which no stage of this pack makes", kpi.name, kpi.table);
            let mistake = Diagnostic::error("unknown-table", message)
                .at(place)
                .help("a pack declares the KPIs of its own tables")
                .did_you_mean(&kpi.table.to_string(), tables.iter().map(String::as_str));
            reading.found.push(mistake);
        }
        kpis.push(kpi);
    }
    kpis
}

/// The KPIs of a pipeline: those it names, in its order and with what it says differently, then the others of its packs.
pub(super) fn of_pipeline<'p>(
    reading: &mut Reading<'_>,
    fields: Fields<'_>,
    packs: impl Iterator<Item = &'p Pack>,
) -> Vec<Kpi> {
    let mut declared: Vec<Kpi> = Vec::new();
    for kpi in packs.flat_map(|p| &p.kpis) {
        if let Some(first) = declared.iter().find(|k| k.name == kpi.name) {
            let message = format!("two packs of this pipeline declare the KPI `{}`", kpi.name);
            let help = format!("the other stands at {}: rename one of them, or leave its pack out", first.place);
            reading.found.push(Diagnostic::error("duplicate-name", message).at(kpi.place.clone()).help(help));
        } else {
            declared.push(kpi.clone());
        }
    }
    let mut names = HashSet::new();
    let mut kpis = Vec::new();
    for node in fields.get("kpis").map(Node::items).unwrap_or_default() {
        let fields = Fields::new(node, &KPI);
        let named = if node.text().is_some() { Some(node) } else { fields.get("name") };
        let Some(name) = named.and_then(|n| name::<KpiName>(reading, n.text()?, &n.span)) else { continue };
        let Some(named) = named else { continue };
        if !names.insert(name.clone()) {
            let message = format!("this pipeline names the KPI `{name}` twice");
            reading.error("duplicate-name", &named.span, message, "remove one of them");
            continue;
        }
        let of_pack = declared.iter().position(|k| k.name == name).map(|at| declared.remove(at));
        if of_pack.is_none() && fields.get("unit").is_none() {
            let help = "declare it here with `table` and `unit`, or name one of the packs' KPIs";
            let mistake = Diagnostic::error("unknown-kpi", format!("no pack of this pipeline declares a KPI `{name}`"))
                .at(reading.place(&named.span))
                .help(help)
                .did_you_mean(name.as_str(), declared.iter().map(|k| k.name.as_str()));
            reading.found.push(mistake);
            continue;
        }
        let Some(kpi) = one(reading, fields, name, of_pack) else { continue };
        if kpi.target.is_none()
            && let Some(alert) = fields.get("alert")
            && kpi.alerts.iter().any(|a| matches!(a, AlertRule::Below(Bound::Target) | AlertRule::Above(Bound::Target)))
        {
            let message = format!("the KPI `{}` has no target to be held against", kpi.name);
            reading.error("no-target", &alert.span, message, "give it a `target`, or write a value instead");
        }
        let worded = fields.get("definition").is_some();
        kpis.push(Kpi { shown: true, named: true, worded, ..kpi });
    }
    let shown = kpis.is_empty();
    kpis.extend(declared.into_iter().map(|kpi| Kpi { shown, ..kpi }));
    let currency = fields.text("currency").unwrap_or_default();
    for kpi in &mut kpis {
        if let Unit::Money(sign) = &mut kpi.unit
            && sign.is_empty()
        {
            currency.clone_into(sign);
        }
    }
    kpis
}

/// One KPI as its fields say it; what they do not say is the pack's word, or the default.
fn one(reading: &mut Reading<'_>, fields: Fields<'_>, name: KpiName, base: Option<Kpi>) -> Option<Kpi> {
    let place = reading.place(&name_span(fields));
    let given = fields.get("table");
    let own_table = given.and_then(|n| table(reading, n));
    let unit = fields.get("unit").and_then(unit);
    let base = match base {
        Some(base) => Kpi { place, ..base },
        None if fields.get("unit").is_none() => {
            let message = format!("the KPI `{name}` needs `unit`");
            reading.found.push(
                Diagnostic::error("missing-key", message)
                    .at(place)
                    .help("`share`, `count`, `score`, `mean`, `ratio`, `days`, `hours`, `money` or `{money: \"£\"}`"),
            );
            return None;
        }
        None => Kpi {
            // A table that was given and is no name has been reported.
            table: own_table
                .clone()
                .or_else(|| TableName::new("kpi", name.as_str()).ok().filter(|_| given.is_none()))?,
            label: spoken(name.as_str()),
            labels: BTreeMap::new(),
            definitions: BTreeMap::new(),
            // One that was given and is none has been reported.
            unit: unit.clone().unwrap_or(Unit::Count),
            direction: Direction::Neither,
            comparison: Comparison::Previous,
            minimum_n: MINIMUM_N,
            target: None,
            gate: None,
            alerts: Vec::new(),
            shown: false,
            named: false,
            worded: false,
            name,
            place,
        },
    };
    let unit = unit.unwrap_or(base.unit);
    let mut labels = base.labels;
    labels.extend(fields.get("label").map(wording).unwrap_or_default());
    let mut definitions = base.definitions;
    definitions.extend(fields.get("definition").map(wording).unwrap_or_default());
    let alerts = fields.get("alert").map(|n| alerts(reading, n, &unit)).unwrap_or(base.alerts);
    Some(Kpi {
        table: own_table.unwrap_or(base.table),
        label: labels.remove(ENGLISH).unwrap_or(base.label),
        labels,
        definitions,
        direction: match fields.text("direction") {
            Some("up") => Direction::Up,
            Some("down") => Direction::Down,
            Some(_) => Direction::Neither,
            None => base.direction,
        },
        comparison: match fields.text("comparison") {
            Some("last_year") => Comparison::LastYear,
            Some(_) => Comparison::Previous,
            None => base.comparison,
        },
        minimum_n: fields.whole("minimum_n").unwrap_or(base.minimum_n),
        target: fields.whole("target").or(base.target),
        gate: fields.whole("gate").or(base.gate),
        unit,
        alerts,
        ..base
    })
}

fn unit(node: &Node) -> Option<Unit> {
    match node.text() {
        Some("share") => Some(Unit::Share),
        Some("count") => Some(Unit::Count),
        Some("score") => Some(Unit::Score),
        Some("mean") => Some(Unit::Mean),
        Some("ratio") => Some(Unit::Ratio),
        Some("days") => Some(Unit::Days),
        Some("hours") => Some(Unit::Hours),
        Some("money") => Some(Unit::Money(String::new())),
        Some(_) => None,
        None => Fields::new(node, &UNIT).text("money").map(|sign| Unit::Money(sign.to_owned())),
    }
}

/// A text by language; one that stands alone is English.
fn wording(node: &Node) -> BTreeMap<String, String> {
    if let Some(text) = node.text() {
        return BTreeMap::from([(ENGLISH.to_owned(), text.to_owned())]);
    }
    let fields = Fields::new(node, &WORDING);
    let text = |tag: &str| Some((tag.to_owned(), fields.text(tag)?.to_owned()));
    WORDING.keys.iter().filter_map(|key| text(key.name)).collect()
}

fn alerts(reading: &mut Reading<'_>, node: &Node, unit: &Unit) -> Vec<AlertRule> {
    let fields = Fields::new(node, &ALERT);
    let mut rules = Vec::new();
    if let Some(bound) = fields.get("below").and_then(|n| bound(reading, n, unit)) {
        rules.push(AlertRule::Below(bound));
    }
    if let Some(bound) = fields.get("above").and_then(|n| bound(reading, n, unit)) {
        rules.push(AlertRule::Above(bound));
    }
    if let Some(by) = fields.get("change").and_then(|n| change(reading, n, unit)) {
        rules.push(AlertRule::Change(by));
    }
    rules
}

fn bound(reading: &mut Reading<'_>, node: &Node, unit: &Unit) -> Option<Bound> {
    let text = node.text()?.trim();
    if text == "target" {
        return Some(Bound::Target);
    }
    let value = match text.strip_suffix('%') {
        Some(_) if *unit == Unit::Share => number::share(text),
        _ => Some(text).filter(|t| number::is_decimal(t)).and_then(|t| t.parse().ok()),
    };
    if value.is_none() {
        let message = format!("`{}` is not a value to be held against", reading.shown(node));
        reading.error("bad-alert", &node.span, message, "write `target`, or a value as in `0.3`");
    }
    value.map(Bound::Value)
}

/// `-5pp` of a share, `-10%` of an amount, `-5` of a score.
fn change(reading: &mut Reading<'_>, node: &Node, unit: &Unit) -> Option<f64> {
    let text = node.text()?.trim();
    let (suffix, parts, help) = match unit {
        Unit::Share => ("pp", 100.0, "a share changes in percentage points: write it like `-5pp`"),
        Unit::Score | Unit::Mean => ("", 1.0, "a score changes in points: write it like `-5`"),
        Unit::Count | Unit::Money(_) | Unit::Ratio | Unit::Days | Unit::Hours => {
            ("%", 100.0, "an amount changes in per cent of what it was: write it like `-10%`")
        }
    };
    let digits = text.strip_suffix(suffix).map(str::trim_end).filter(|t| number::is_decimal(t));
    let by = digits.and_then(|t| t.parse::<f64>().ok()).filter(|by| *by != 0.0).map(|by| by / parts);
    if by.is_none() {
        reading.error("bad-alert", &node.span, format!("`{}` is not a change of this KPI", reading.shown(node)), help);
    }
    by
}
