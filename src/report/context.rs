//! What a template sees: every name it may use is made here.
//!
//! `lang`, `medium` (`web` or `mail`), `theme`, `title`, `pipeline`, `report`, `as_of`, `through` (the last day in the figures), `interval`, `time_zone`, `content`,
//! `reproducible`, `currency`, `period_text`, `preheader`, `changes`, `alerts`,
//! `restatements`, `kpis` (the ones the pipeline names), `headline` (the
//! first six), `others`, `kpi.<name>` (of any KPI), `data.<name>.columns` and `.rows`, `quality`, `template` (its file); `page` and
//! `unsubscribe`, which a page has none of.

use std::collections::BTreeMap;

use chrono::{Duration, NaiveDate};
use serde::Serialize;
use tera::{Context, Value};

use super::alerts::{gravest, said};
use super::changes::what_changed;
use super::headline::{Headline, TOO_FEW, headline, is_below_gate, relative, rests_on_people};
use super::input::{Cell, ColumnType, KpiSeries, ReportInput, Restatement, Table, UNSUBSCRIBE};
use super::number::{NOTHING, in_unit, long_date, short_date, tame};
use super::theme::Theme;
use super::words::Words;
use crate::config::{Report, Severity, Unit};
use crate::lake::{Alert, Balance, CheckOutcome, CheckStatus};

/// As many tiles as a person takes in.
const TILES: usize = 6;

/// What is known before any template is asked.
pub(super) struct View {
    pub title: String,
    pub changes: Vec<String>,
    /// Those that are listed.
    pub kpis: Vec<Headline>,
    /// Those a template has to ask for by name.
    pub unlisted: Vec<Headline>,
    pub alerts: Vec<AlertView>,
    /// The most severe of them, for a subject.
    pub gravest: Option<String>,
    /// One sentence each.
    pub restatements: Vec<String>,
    pub quality: Quality,
    /// `9 December 2011`.
    pub through: String,
}

/// A KPI that people must be told of.
#[derive(Debug, Serialize)]
pub(super) struct AlertView {
    kpi: String,
    pub message: String,
    /// The `as_of` it was first raised at.
    since: String,
}

/// Whether the figures can be trusted, in words.
#[derive(Debug, Serialize)]
pub(super) struct Quality {
    /// `good`, `remarks`, `failed`, `unreliable`.
    pub state: &'static str,
    badge: String,
    pub sentence: String,
    sources: Vec<SourceView>,
    totals: Balance,
    balanced: bool,
    pub remarks: Vec<Remark>,
}

#[derive(Debug, Serialize)]
struct SourceView {
    name: String,
    latest_export: Option<NaiveDate>,
    exports: usize,
    balance: Balance,
    balanced: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Remark {
    table: String,
    check: String,
    severity: Severity,
    /// `noted`, `failed`.
    status: CheckStatus,
    bad_rows: u64,
    rows: u64,
    note: String,
}

pub(super) fn view(report: &Report, input: &ReportInput, words: &Words) -> View {
    // The interval's end is exclusive: what is shown is the day that was last in it.
    let last = (input.as_of.0 - Duration::nanoseconds(1)).date_naive();
    let (shown, unlisted): (Vec<_>, Vec<_>) = input.kpis.iter().partition(|k| k.kpi.shown);
    let unreliable = input.kpis.iter().any(is_below_gate);
    let of = |series: &KpiSeries| {
        let figure = headline(series, words);
        // What says that nothing can be relied on can be relied on.
        if unreliable && series.kpi.gate.is_none() { figure.strike(words) } else { figure }
    };
    View {
        title: of_report(report, input, words, "title").unwrap_or_else(|| tame(&report.title)),
        changes: if unreliable { vec![] } else { what_changed(&shown, words) },
        kpis: shown.into_iter().map(of).collect(),
        unlisted: unlisted.into_iter().map(of).collect(),
        alerts: input.alerts.iter().map(|a| alert(a, input, words)).collect(),
        gravest: gravest(&input.alerts, &input.kpis, words),
        restatements: restatements(&input.restatements, words),
        quality: quality(input, unreliable, words),
        through: long_date(last, words.locale),
    }
}

/// What the catalogue calls a report, where it does: `report.<pipeline>.<report>.title` and `.subject`.
pub(super) fn of_report(report: &Report, input: &ReportInput, words: &Words, what: &str) -> Option<String> {
    words.find(&format!("report.{}.{}.{what}", input.pipeline, report.name)).map(tame)
}

/// A smaller change of a published value is noted in the lake, and not told (catalogue B0.6).
const WORTH_A_FOOTNOTE: f64 = 0.005;

/// In a sentence each KPI: the latest period that was restated, and how many there are.
fn restatements(all: &[Restatement], words: &Words) -> Vec<String> {
    let few = |r: &Restatement| rests_on_people(&r.kpi.unit) && r.n.is_some_and(|n| n < TOO_FEW);
    let worth = |r: &&Restatement| match (r.was, r.value) {
        _ if few(r) => false,
        (Some(was), Some(value)) => relative(value, was).is_none_or(|by| by.abs() > WORTH_A_FOOTNOTE),
        _ => true,
    };
    let mut by_kpi: BTreeMap<&str, Vec<&Restatement>> = BTreeMap::new();
    for one in all.iter().filter(worth) {
        by_kpi.entry(one.kpi.name.as_str()).or_default().push(one);
    }
    let sentence = |group: &Vec<&Restatement>| {
        let last = group.iter().max_by_key(|r| r.period)?;
        let shown =
            |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |v| in_unit(v, &last.kpi.unit, words.locale));
        let key = match group.len() {
            1 => "restated.one",
            2 => "restated.two",
            _ => "restated.more",
        };
        Some(words.say(
            key,
            &[
                ("label", &words.label(&last.kpi)),
                ("period", &short_date(last.period, words.locale)),
                ("was", &shown(last.was)),
                ("now", &shown(last.value)),
                ("count", &(group.len() - 1).to_string()),
            ],
        ))
    };
    by_kpi.values().filter_map(sentence).collect()
}

fn alert(alert: &Alert, input: &ReportInput, words: &Words) -> AlertView {
    let message = tame(&said(alert, &input.kpis, words));
    AlertView { kpi: alert.kpi.to_string(), message, since: alert.since.clone() }
}

/// `medium` is `web` or `mail`.
pub(super) fn context(
    report: &Report,
    input: &ReportInput,
    view: &View,
    words: &Words,
    theme: &Theme,
    medium: &'static str,
) -> Context {
    let mut context = Context::new();
    let currency =
        input.kpis.iter().find_map(|k| if let Unit::Money(sign) = &k.kpi.unit { Some(tame(sign)) } else { None });
    let preheader = view.changes.first().cloned().or_else(|| view.kpis.first().map(|k| k.summary.clone()));
    context.insert("lang", words.locale.tag());
    context.insert("medium", medium);
    context.insert("theme", theme);
    context.insert("title", &view.title);
    context.insert("report", report.name.as_str());
    context.insert("template", &report.template);
    context.insert("pipeline", input.pipeline.as_str());
    context.insert("as_of", &input.as_of.to_string());
    context.insert("through", &view.through);
    context.insert("interval", &tame(&input.interval));
    context.insert("time_zone", input.as_of.0.timezone().name());
    context.insert("content", &input.content);
    context.insert("reproducible", &input.reproducible);
    context.insert("currency", &currency.unwrap_or_default());
    context.insert("period_text", &period_text(&view.kpis));
    context.insert("preheader", &preheader.unwrap_or_else(|| view.title.clone()));
    context.insert("changes", &view.changes);
    context.insert("alerts", &view.alerts);
    context.insert("restatements", &view.restatements);
    context.insert("kpis", &view.kpis);
    context.insert("headline", &view.kpis[..view.kpis.len().min(TILES)]);
    context.insert("others", &view.kpis[view.kpis.len().min(TILES)..]);
    let by_name: BTreeMap<&str, &Headline> =
        view.kpis.iter().chain(&view.unlisted).map(|h| (h.name.as_str(), h)).collect();
    context.insert("kpi", &by_name);
    let data: BTreeMap<String, Value> =
        input.tables.iter().map(|(name, table)| (name.clone(), value_of(table))).collect();
    context.insert_value("data", Value::from(data));
    context.insert("quality", &view.quality);
    // The page is the same wherever it is shown: only what leaves the house says where it lies and how to get no more of it.
    let leaves = medium != "web";
    context.insert("page", &input.page.as_deref().filter(|_| leaves));
    context.insert("unsubscribe", &(leaves && input.unsubscribe).then_some(UNSUBSCRIBE));
    context
}

/// The period most of the headline is about.
fn period_text(kpis: &[Headline]) -> String {
    kpis.iter().map(|k| k.period_text.as_str()).find(|t| !t.is_empty()).unwrap_or_default().to_owned()
}

fn value_of(table: &Table) -> Value {
    let columns: Vec<BTreeMap<&str, &str>> = table
        .columns
        .iter()
        .map(|c| BTreeMap::from([("name", c.name.as_str()), ("kind", kind_word(c.kind))]))
        .collect();
    let rows: Vec<BTreeMap<String, Value>> = table
        .rows
        .iter()
        .map(|row| table.columns.iter().zip(row).map(|(c, cell)| (c.name.clone(), cell_value(cell))).collect())
        .collect();
    Value::from(BTreeMap::from([("columns", Value::from_serializable(&columns)), ("rows", Value::from(rows))]))
}

fn kind_word(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "integer",
        ColumnType::Number => "number",
        ColumnType::Text => "text",
        ColumnType::Date => "date",
        ColumnType::Boolean => "boolean",
    }
}

fn cell_value(cell: &Cell) -> Value {
    match cell {
        Cell::Integer(n) => Value::from(*n),
        // Fifteen digits are more than a report shows of any amount.
        Cell::Decimal(digits) => digits.parse::<f64>().map_or_else(|_| Value::none(), Value::from),
        Cell::Number(n) if n.is_finite() => Value::from(*n),
        Cell::Number(_) | Cell::Null => Value::none(),
        Cell::Text(text) => Value::from(tame(text)),
        Cell::Date(date) => Value::from(date.to_string()),
        Cell::Boolean(truth) => Value::from(*truth),
    }
}

fn quality(input: &ReportInput, unreliable: bool, words: &Words) -> Quality {
    let failed = input.checks.iter().filter(|c| c.status == CheckStatus::Failed).count();
    let told = |c: &&CheckOutcome| c.status != CheckStatus::Passed || c.bad_rows > 0;
    let remarks: Vec<Remark> = input.checks.iter().filter(told).map(|c| remark(c, words)).collect();
    let grave = input.checks.iter().filter(|c| told(c) && c.severity > Severity::Info).count();
    let totals = input.sources.iter().fold(Balance::default(), |all, s| all + s.balance);
    let balanced = input.sources.iter().all(|s| s.balance.holds());
    let state = match () {
        () if unreliable => "unreliable",
        () if failed > 0 || !balanced => "failed",
        () if grave > 0 || totals.quarantined > 0 || !input.reproducible => "remarks",
        () => "good",
    };
    let badge = words.say(&format!("quality.{state}"), &[]);
    let remarked = match remarks.len() {
        0 => String::new(),
        1 => words.say("quality.one_remark", &[]),
        n => words.say("quality.more_remarks", &[("count", &n.to_string())]),
    };
    let key = match (input.checks.len(), failed) {
        (0, _) => "quality.no_checks",
        (1, 0) => "quality.one_check",
        (_, 0) => "quality.all_checks",
        _ => "quality.some_failed",
    };
    let (all, failed) = (input.checks.len().to_string(), failed.to_string());
    let sentence = words.say(key, &[("all", &all), ("failed", &failed), ("remarked", &remarked)]);
    let sources = input.sources.iter().map(|s| SourceView {
        name: s.name.to_string(),
        latest_export: s.latest_export,
        exports: s.exports,
        balance: s.balance,
        balanced: s.balance.holds(),
    });
    Quality { state, badge, sentence, sources: sources.collect(), totals, balanced, remarks }
}

fn remark(check: &CheckOutcome, words: &Words) -> Remark {
    Remark {
        table: check.table.to_string(),
        check: tame(&check_in(&check.check, words)),
        severity: check.severity,
        status: check.status,
        bad_rows: check.bad_rows,
        rows: check.rows,
        note: check.note.as_deref().map(|note| tame(&note_in(note, words))).unwrap_or_default(),
    }
}

/// The name of a check in the reader's language; one that somebody gave it stays.
fn check_in(name: &str, words: &Words) -> String {
    let (rule, what) = name.strip_suffix(')').and_then(|n| n.split_once('(')).unwrap_or((name, ""));
    let key = format!("check.{rule}");
    match words.find(&key) {
        Some(_) => words.say(&key, &[("what", what)]),
        None => name.to_owned(),
    }
}

/// What a check noted, which the lake keeps in English; in the reader's language where it is one of the program's sentences.
fn note_in(note: &str, words: &Words) -> String {
    let percent = |text: &str| text.strip_suffix(" %").map(str::to_owned);
    if let Some((share, limit)) = note.split_once(" % of rows, allowed ").and_then(|(s, l)| Some((s, percent(l)?))) {
        return words.say("remark.share", &[("share", share), ("limit", &limit)]);
    }
    if let Some((before, rest)) = note.split_once(" rows before, ")
        && let Some((now, change)) = rest.strip_suffix(" %)").and_then(|r| r.split_once(" now ("))
    {
        return words.say("remark.rows", &[("before", before), ("now", now), ("change", change)]);
    }
    if note == "no snapshot before this one" { words.say("remark.first", &[]) } else { note.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Place, SourceText, TableName};
    use crate::config::{Check, Limit, Locale, Rule};
    use crate::stage::{quarantine_outcome, row_change};

    /// The sentences are asked of the room that makes them: one that is said otherwise there is noticed here.
    #[test]
    fn a_check_is_told_in_the_readers_language() {
        let table: TableName = "core.orders".parse().expect("a table");
        let place = Place::file(&SourceText::new("sql/a.sql", ""));
        let rule = Rule::RowChange { down: Some(0.2), up: None };
        let check = Check { name: "row_change".into(), rule, severity: Severity::Warn, limit: Limit::default(), place };
        let outcomes = [
            Some(quarantine_outcome(&table, None, 8, 1_000)),
            row_change(&table, &check, 700, Some(1_000)),
            row_change(&table, &check, 700, None),
        ];
        let said = |locale| {
            let words = Words::of(locale, &BTreeMap::new()).0;
            outcomes.iter().flatten().map(|o| remark(o, &words)).map(|r| (r.check, r.note)).collect::<Vec<_>>()
        };
        let of = |all: &[(&str, &str)]| all.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect::<Vec<_>>();
        assert_eq!(
            said(Locale::ZhHans),
            of(&[
                ("隔离", "占全部行的 0.79%，上限 1.00%"),
                ("行数变化", "此前 1000 行，现为 700 行（-30.0%）"),
                ("行数变化", "此前没有快照"),
            ])
        );
        let english: Vec<_> =
            outcomes.iter().flatten().map(|o| (o.check.clone(), o.note.clone().unwrap_or_default())).collect();
        assert_eq!(said(Locale::En), english);
        let words = Words::of(Locale::ZhHans, &BTreeMap::new()).0;
        assert_eq!(check_in("unique(order_id, line_no)", &words), "不得重复（order_id, line_no）");
        assert_eq!(
            check_in("no order before the company was founded", &words),
            "no order before the company was founded"
        );
    }
}
