//! Finds a template's mistakes before the night does, by rendering it on made-up rows: many, none, and too few to show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Months, NaiveDate};

use super::input::{Cell, ColumnType, KpiPoint, KpiSeries, ReportInput, Restatement, SourceLine, Table, TableColumn};
use super::template::{Rendered, ReportError, Templates, render};
use crate::base::{AsOf, Diagnostic, Diagnostics, Fingerprint, Place, SourceText, start_of_day};
use crate::config::{Kpi, Locale, Report, Severity, Unit};
use crate::lake::{Alert, AlertKind, Balance, CheckOutcome, CheckStatus};

/// Bytes of HTML. Mail readers cut a message off at about a hundred thousand.
pub const LARGEST_MAIL: usize = 95_000;
/// Alerts and restatements of the made-up night. One of every KPI that the packs declare would be a mail that no night sends, and a
/// KPI more in any pack would be a mistake of the report's template.
const TOLD: usize = 20;
/// What `context` makes, and nothing else (a test holds the two together).
pub(super) const KNOWN: [&str; 27] = [
    "lang",
    "medium",
    "theme",
    "title",
    "report",
    "template",
    "pipeline",
    "as_of",
    "through",
    "interval",
    "time_zone",
    "content",
    "reproducible",
    "currency",
    "period_text",
    "preheader",
    "changes",
    "alerts",
    "restatements",
    "kpis",
    "headline",
    "others",
    "kpi",
    "data",
    "quality",
    "page",
    "unsubscribe",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Full,
    /// Tables without rows, KPIs without points.
    Empty,
    /// Samples too small to show, and nulls wherever a null may be.
    Suppressed,
}

/// Every mistake of one report's template. `schemas` are the columns of the tables of its `data`, by its own names.
pub fn check(
    templates: &Templates,
    report: &Report,
    kpis: &[Kpi],
    schemas: &BTreeMap<String, Vec<TableColumn>>,
) -> Diagnostics {
    check_with(templates, report, kpis, schemas, &[Fill::Full, Fill::Empty, Fill::Suppressed])
}

/// What can be said while a stage that the report shows cannot be planned: its columns are not known, so its table is
/// shown without rows. `names` are those of its `data`.
pub fn check_without_rows<'a>(
    templates: &Templates,
    report: &Report,
    kpis: &[Kpi],
    names: impl IntoIterator<Item = &'a String>,
) -> Diagnostics {
    let schemas = names.into_iter().map(|name| (name.clone(), Vec::new())).collect();
    check_with(templates, report, kpis, &schemas, &[Fill::Empty])
}

fn check_with(
    templates: &Templates,
    report: &Report,
    kpis: &[Kpi],
    schemas: &BTreeMap<String, Vec<TableColumn>>,
    fills: &[Fill],
) -> Diagnostics {
    let mut found = Diagnostics::default();
    let Some(source) = templates.source(&report.template) else {
        let message = format!("there is no template `{}` under report-templates/", report.template);
        let unknown = Diagnostic::error("unknown-template", message).at(report.place.clone());
        found.push(unknown.did_you_mean(&report.template, templates.names()));
        return found;
    };
    // Escaping goes by this ending, in this case.
    if report.template.rsplit_once('.').is_none_or(|(_, ending)| ending != "html") {
        let message = format!("the template `{}` does not end in .html", report.template);
        let help = "only what ends in .html has its values escaped";
        found.push(Diagnostic::error("template-not-html", message).at(report.place.clone()).help(help));
        return found;
    }
    // A language nobody reads is checked too where the project speaks it: a recipient is added by night.
    let of_table = report.recipients_from.iter().filter(|f| f.locale.is_some()).flat_map(|_| Locale::ALL);
    let read: BTreeSet<Locale> = report.recipients.iter().map(|r| r.locale).chain(of_table).collect();
    found.extend(templates.unsaid(kpis, &read));
    let tongues: BTreeSet<Locale> = Locale::ALL.into_iter().filter(|l| templates.speaks(*l)).chain(read).collect();
    for (fill, locale) in fills.iter().flat_map(|fill| tongues.iter().map(move |locale| (fill, *locale))) {
        let input = fixture(kpis, schemas, *fill);
        match render(templates, report, &input, locale) {
            Ok(rendered) if *fill == Fill::Full => {
                if locale == Locale::default() {
                    found.extend(repeatable(templates, report, source, &input, &rendered));
                }
                found.extend(size(source, locale, &rendered));
            }
            Ok(_) => {}
            Err(ReportError::Render { mistakes, .. }) => {
                for mistake in mistakes.0 {
                    // One misspelt name is one mistake, however many fixtures meet it.
                    if !found.0.iter().any(|f| f.place == mistake.place && f.message == mistake.message) {
                        found.push(mistake);
                    }
                }
            }
            Err(error) => {
                found.push(Diagnostic::error("template", error.to_string()));
            }
        }
    }
    let places: Vec<Option<Place>> = found.0.iter().map(|d| d.place.clone()).collect();
    // A name that stopped the rendering has been told.
    found.0.extend(names_nobody_gives(templates, report).0.into_iter().filter(|d| !places.contains(&d.place)));
    found.extend(data_nobody_shows(templates, report));
    found
}

/// A page that renders is the same each time.
fn repeatable(
    templates: &Templates,
    report: &Report,
    source: &Arc<SourceText>,
    input: &ReportInput,
    rendered: &Rendered,
) -> Diagnostics {
    let mut found = Diagnostics::default();
    if render(templates, report, input, Locale::default()).is_ok_and(|again| again.html != rendered.html) {
        let message = "the template gives another page for the same figures";
        let help = "a map has no order of its own: loop over `map | keys | sort`, or over a list";
        found.push(Diagnostic::error("template-not-repeatable", message).at(Place::file(source)).help(help));
    }
    found
}

/// And fits into a mail, in the language it was rendered in.
fn size(source: &Arc<SourceText>, locale: Locale, rendered: &Rendered) -> Diagnostics {
    let mut found = Diagnostics::default();
    let size = rendered.mail_html.len();
    if size > LARGEST_MAIL {
        let language = locale.tag();
        let message =
            format!("the mail in {language} has {size} bytes of HTML on a small fixture; readers cut at about 100,000");
        let help = format!("show fewer rows or tables: at most {LARGEST_MAIL} bytes");
        found.push(Diagnostic::error("large-report", message).at(Place::file(source)).help(help));
    }
    found
}

/// Names in branches that no fixture enters.
fn names_nobody_gives(templates: &Templates, report: &Report) -> Diagnostics {
    let mut found = Diagnostics::default();
    for name in templates.wants(&report.template) {
        // An included file may use what the including one has set.
        let set =
            |s: &SourceText| ["set ", "set_global ", "for "].iter().any(|w| s.text.contains(&format!("{w}{name}")));
        if KNOWN.contains(&name.as_str()) || templates.texts().any(|t| set(t)) {
            continue;
        }
        let place =
            templates.texts().find_map(|file| word(&file.text, &name).map(|at| Place::new(file, at..at + name.len())));
        let mut diagnostic = Diagnostic::warning("unknown-name", format!("no report is given `{name}`"));
        diagnostic.place = place;
        found.push(diagnostic.did_you_mean(&name, KNOWN));
    }
    found
}

/// Tables the report asks for and never shows: most often a name spelt in two ways.
fn data_nobody_shows(templates: &Templates, report: &Report) -> Diagnostics {
    let mut shown = BTreeSet::new();
    for file in templates.texts() {
        for (at, _) in file.text.match_indices("data.") {
            let rest = &file.text[at + 5..];
            shown.insert(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default());
        }
        // `data[name]`, or a loop over all of it.
        if ["data[", "data |", "in data %", "data?"].iter().any(|dynamic| file.text.contains(dynamic)) {
            return Diagnostics::default();
        }
    }
    let mut found = Diagnostics::default();
    for (name, (table, place)) in report.data.iter().filter(|(name, _)| !shown.contains(name.as_str())) {
        let message = format!("no template shows `{name}` ({table})");
        let free = shown.iter().copied().filter(|s| !report.data.contains_key(*s));
        found.push(Diagnostic::warning("unused-data", message).at(place.clone()).did_you_mean(name, free));
    }
    found
}

/// Where a whole word stands inside a tag.
fn word(text: &str, name: &str) -> Option<usize> {
    let part_of = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.');
    text.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = &text[..*at];
        let inside = before.rfind("{{").max(before.rfind("{%")) > before.rfind("}}").max(before.rfind("%}"));
        inside
            && !part_of(before.chars().next_back())
            && !part_of(text[at + name.len()..].chars().next().filter(|c| *c != '.'))
    })
}

/// A snapshot of rows nobody measured, to look at a template with.
pub fn made_up(kpis: &[Kpi], schemas: &BTreeMap<String, Vec<TableColumn>>) -> ReportInput {
    fixture(kpis, schemas, Fill::Full)
}

/// A made-up snapshot.
pub(super) fn fixture(kpis: &[Kpi], schemas: &BTreeMap<String, Vec<TableColumn>>, fill: Fill) -> ReportInput {
    let as_of = AsOf(start_of_day(first_month() + Months::new(15), chrono_tz::UTC));
    let checks = if fill == Fill::Empty {
        Vec::new()
    } else {
        vec![outcome(CheckStatus::Passed, 0, None), outcome(CheckStatus::Noted, 3, Some("three bad rows"))]
    };
    let sources = (fill != Fill::Empty).then(|| SourceLine {
        name: named("orders"),
        latest_export: (fill == Fill::Full).then(first_month),
        exports: 12,
        balance: Balance { read: 1003, landed: 1000, quarantined: 2, deduplicated: 1 },
    });
    ReportInput {
        pipeline: named("customer-health"),
        interval: as_of.date().to_string(),
        as_of,
        content: Fingerprint::of_bytes(b"made up"),
        reproducible: fill == Fill::Full,
        sources: sources.into_iter().collect(),
        checks,
        kpis: kpis.iter().map(|kpi| series(kpi, fill)).collect(),
        alerts: kpis.iter().filter(|_| fill == Fill::Full).take(TOLD).map(alert).collect(),
        restatements: kpis.iter().filter(|_| fill != Fill::Empty).take(TOLD).map(restatement).collect(),
        tables: schemas.iter().map(|(name, columns)| (name.clone(), table(columns, fill))).collect(),
        page: (fill == Fill::Full).then(|| "https://reports.example.com/page.html".to_owned()),
        unsubscribe: fill == Fill::Full,
    }
}

fn first_month() -> NaiveDate {
    NaiveDate::from_ymd_opt(2020, 1, 1).unwrap_or_default()
}

fn outcome(status: CheckStatus, bad_rows: u64, note: Option<&str>) -> CheckOutcome {
    CheckOutcome {
        table: named("core.orders"),
        check: "unique(order_id)".to_owned(),
        severity: Severity::Warn,
        status,
        bad_rows,
        rows: 1000,
        note: note.map(str::to_owned),
    }
}

/// A name that is written in this file.
#[expect(clippy::panic, reason = "a constant that is not a name is a bug of this file, found by any of its tests")]
fn named<T: std::str::FromStr>(name: &str) -> T {
    name.parse().unwrap_or_else(|_| panic!("{name} is not a name"))
}

fn series(kpi: &Kpi, fill: Fill) -> KpiSeries {
    let months = if fill == Fill::Empty { 0 } else { 16 };
    let points = (0..months).map(|month| {
        let level = match kpi.unit {
            Unit::Share => 0.2 + 0.01 * f64::from(month),
            Unit::Count | Unit::Money(_) => 1000.0 + 50.0 * f64::from(month),
            Unit::Score | Unit::Mean | Unit::Ratio | Unit::Days | Unit::Hours => 20.0 + f64::from(month),
        };
        let thin = fill == Fill::Suppressed;
        KpiPoint {
            period: first_month() + Months::new(month),
            value: (!thin || month % 2 == 0).then_some(level),
            numerator: (!thin).then_some(level),
            denominator: (!thin).then_some(1.0),
            n: if thin { (month % 2 == 0).then_some(3) } else { Some(500) },
            low: (!thin).then_some(level * 0.9),
            high: (!thin).then_some(level * 1.1),
            provisional: month == months - 1,
        }
    });
    KpiSeries {
        kpi: kpi.clone(),
        definition: (fill == Fill::Full).then(|| "What it means.".to_owned()),
        points: points.collect(),
    }
}

fn alert(kpi: &Kpi) -> Alert {
    Alert {
        kpi: kpi.name.clone(),
        period: first_month(),
        what: AlertKind::Below,
        value: 0.2,
        against: 0.3,
        message: format!("{} lay below 30 % in Jan 2020", kpi.label),
        since: "2020-02-01".to_owned(),
    }
}

fn restatement(kpi: &Kpi) -> Restatement {
    Restatement { kpi: kpi.clone(), period: first_month(), was: Some(0.2), value: Some(0.3), n: Some(500) }
}

fn table(columns: &[TableColumn], fill: Fill) -> Table {
    let rows = if fill == Fill::Empty { 0 } else { 6 };
    let cell = |row: u32, column: &TableColumn| match (fill, column.kind) {
        (Fill::Suppressed, kind) if row % 2 == 1 && kind != ColumnType::Boolean => Cell::Null,
        (Fill::Suppressed, ColumnType::Integer) => Cell::Integer(3),
        (_, ColumnType::Integer) => Cell::Integer(i64::from(row) + 1),
        (_, ColumnType::Number) => Cell::Number(0.1 * f64::from(row + 1)),
        (_, ColumnType::Text) => Cell::Text("A <b>text</b> & more".to_owned()),
        (_, ColumnType::Date) => Cell::Date(first_month() + Months::new(row)),
        (_, ColumnType::Boolean) => Cell::Boolean(row == rows - 1),
    };
    Table {
        columns: columns.to_vec(),
        rows: (0..rows).map(|row| columns.iter().map(|c| cell(row, c)).collect()).collect(),
    }
}
