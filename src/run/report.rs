//! From a snapshot to its reports, and from reports to messages: reads the tables, hands them on, keeps what was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, Days, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use crate::base::{AsOf, Diagnostics, Interval, TableName, start_of_day};
use crate::config::{Kpi, Pipeline, Report};
use crate::deliver::{Content, Letter, Links, message_id};
use crate::engine::{Cell, Effort, Engine, PartsTable, Rows, Tables, collect};
use crate::lake::{Blocked, MessageKind, Publication, paths};
use crate::report::{self, ColumnType, ReportInput, SourceLine, Table, TableColumn, Templates};
use crate::run::kpis::{self, KpiValue};
use crate::run::outbox::{self, Post};
use crate::run::query::published_table;
use crate::run::{RunError, Workshop};

/// A report shows tables whole, so they must be small; a larger one belongs behind `query`.
const ROWS_SHOWN: usize = 5_000;

/// A report that stands in the lake.
#[derive(Debug, Clone)]
pub struct Rendered {
    pub report: String,
    /// Below the lake.
    pub path: String,
    /// Its messages, and where each stands.
    pub messages: Vec<outbox::Sent>,
}

/// Renders every report of a snapshot that is not there yet, and with `mail` puts its messages into the outbox and delivers
/// what is due.
pub async fn report(
    shop: &Workshop,
    publication: &Publication,
    number: u64,
    mail: bool,
) -> Result<Vec<Rendered>, RunError> {
    let mut all = Vec::new();
    let mut input: Option<Sheets> = None;
    for one in &shop.pipeline.reports {
        let folder = paths::report(&shop.pipeline.name, &publication.as_of.replace(':', ""), number, &one.name);
        let path = format!("{folder}/all.en.html");
        // Written last: where it stands, the page is whole and its messages are in the outbox.
        let done = format!("{folder}/{}.json", if mail { "delivered" } else { "rendered" });
        if let Some(bytes) = shop.lake.get(&done).await? {
            let ids: Vec<String> = serde_json::from_slice(&bytes).unwrap_or_default();
            all.push((one.name.to_string(), path, ids));
            continue;
        }
        if input.is_none() {
            input = Some(sheets(shop, publication).await?);
        }
        let templates = compile(shop)?;
        let Some(sheets) = &input else { continue };
        let view = view(shop, one, publication, sheets);
        let rendered = report::render(&templates, one, &view)
            .map_err(|e| RunError::Report { report: one.name.to_string(), why: e.to_string() })?;
        shop.lake.put(&path, rendered.html.clone().into_bytes()).await?;
        let ids = if mail { enqueue(shop, one, &view, &rendered).await? } else { vec![] };
        shop.lake.put(&done, serde_json::to_vec(&ids).unwrap_or_default()).await?;
        all.push((one.name.to_string(), path, ids));
    }
    let post = Post::of(shop);
    if all.iter().any(|(_, _, ids)| !ids.is_empty()) {
        outbox::deliver_due(&post, outbox::PATIENCE_OF_A_RUN).await?;
    }
    let (mut reports, mut everything) = (Vec::new(), Vec::new());
    for (report, path, ids) in all {
        let messages = outbox::standing(&post, &ids).await?;
        everything.extend(messages.iter().cloned());
        reports.push(Rendered { report, path, messages });
    }
    outbox::verdict(&everything)?;
    Ok(reports)
}

/// What a check of a report needs of a table.
pub fn table_columns(schema: &SchemaRef) -> Vec<TableColumn> {
    schema.fields().iter().map(|f| TableColumn { name: f.name().clone(), kind: kind(f.data_type()) }).collect()
}

/// Every mistake of one report: tables it names that are not there, and its template on made-up rows.
///
/// `broken` are the tables of stages that cannot be planned: that is told where the stage is, and not again here.
/// `left_out` are those that the company has no data for.
pub fn check(
    templates: Option<&Templates>,
    one: &Report,
    pipeline: &Pipeline,
    columns: &BTreeMap<TableName, Vec<TableColumn>>,
    broken: &BTreeSet<TableName>,
    left_out: &BTreeSet<TableName>,
) -> Diagnostics {
    use crate::base::Diagnostic;
    let mut found = Diagnostics::default();
    let kpis: Vec<Kpi> = pipeline.kpis.iter().filter(|k| !left_out.contains(&k.table)).cloned().collect();
    let names: Vec<String> = columns.keys().map(ToString::to_string).collect();
    let mut schemas = BTreeMap::new();
    let mut shows_broken = false;
    for (name, (table, place)) in &one.data {
        match columns.get(table) {
            Some(known) => {
                schemas.insert(name.clone(), known.clone());
            }
            // That it is left out has been told where the pipeline asks for it.
            None if broken.contains(table) || left_out.contains(table) => shows_broken = true,
            None => found.push(
                Diagnostic::error(
                    "unknown-table",
                    format!("report `{}` shows `{table}`, which no stage makes", one.name),
                )
                .at(place.clone())
                .did_you_mean(&table.to_string(), names.iter().map(String::as_str)),
            ),
        }
    }
    match templates {
        Some(templates) if schemas.len() == one.data.len() => {
            found.extend(report::check(templates, one, &kpis, &schemas));
        }
        Some(templates) if shows_broken => {
            found.extend(report::check_without_rows(templates, one, &kpis, one.data.keys()));
        }
        _ => {}
    }
    found
}

fn compile(shop: &Workshop) -> Result<Templates, RunError> {
    report::compile(&shop.project.templates).map_err(RunError::Project)
}

/// What reports show: the rows of tables, and the values of KPIs as they were published.
struct Sheets {
    tables: BTreeMap<TableName, Rows>,
    values: Vec<KpiValue>,
}

async fn sheets(shop: &Workshop, publication: &Publication) -> Result<Sheets, RunError> {
    let shown = shop.pipeline.reports.iter().flat_map(|r| r.data.values().map(|(t, _)| t.clone()));
    let mut wanted: Vec<TableName> = shown.collect();
    wanted.sort();
    wanted.dedup();
    let read = wanted.into_iter().map(|name| async move {
        let table = published_table(&shop.lake, &shop.project, &shop.pipeline.name, publication, &name).await?;
        let rows = read(&shop.engine, &name, table).await?;
        Ok::<_, RunError>((name, rows))
    });
    let tables = futures::future::try_join_all(read).await?.into_iter().collect();
    Ok(Sheets { tables, values: kpis::published(shop, publication).await? })
}

async fn read(engine: &Engine, name: &TableName, table: PartsTable) -> Result<Rows, RunError> {
    if table.rows() > ROWS_SHOWN as u64 {
        let why = format!("`{name}` has {} rows; a report shows tables of at most {ROWS_SHOWN}", table.rows());
        return Err(RunError::Report { report: name.to_string(), why });
    }
    let mut tables = Tables::new();
    tables.insert(name.clone(), Arc::new(table));
    let session = engine.session(&tables, Effort::Beside)?;
    let frame = engine.ask(&session, &format!("SELECT * FROM {name}")).await?;
    Ok(collect(engine, frame).await?)
}

fn view(shop: &Workshop, one: &Report, publication: &Publication, sheets: &Sheets) -> ReportInput {
    let zone = shop.pipeline.time_zone;
    let start = AsOf(publication.start.with_timezone(&zone));
    let empty = Rows::default();
    let rows = |name: &TableName| sheets.tables.get(name).unwrap_or(&empty);
    let sources = publication.balances.iter().map(|(name, balance)| {
        let made_from = publication.tables.get(&TableName::raw(name)).map(|t| &t.made_from);
        let word = |key: &str| made_from.and_then(|m| m.get(key));
        SourceLine {
            name: name.clone(),
            latest_export: word("latest export").and_then(|d| d.parse::<NaiveDate>().ok()),
            exports: word("exports").and_then(|n| n.parse().ok()).unwrap_or(0),
            balance: *balance,
        }
    });
    ReportInput {
        pipeline: shop.pipeline.name.clone(),
        as_of: AsOf(publication.end.with_timezone(&zone)),
        interval: start.to_string(),
        content: publication.content,
        reproducible: publication.reproducible,
        sources: sources.collect(),
        checks: publication.checks.clone(),
        kpis: kpis::series(shop, &sheets.values),
        alerts: publication.alerts.clone(),
        restatements: kpis::restatements(shop, &sheets.values),
        tables: one.data.iter().map(|(name, (table, _))| (name.clone(), sheet(rows(table)))).collect(),
    }
}

fn sheet(rows: &Rows) -> Table {
    Table {
        columns: rows.columns.iter().map(|(name, t)| TableColumn { name: name.clone(), kind: kind(t) }).collect(),
        rows: rows.rows.iter().map(|row| row.iter().map(shown).collect()).collect(),
    }
}

fn kind(data_type: &DataType) -> ColumnType {
    match data_type {
        t if t.is_integer() => ColumnType::Integer,
        t if t.is_numeric() => ColumnType::Number,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Boolean => ColumnType::Boolean,
        _ => ColumnType::Text,
    }
}

fn shown(cell: &Cell) -> report::Cell {
    match cell {
        Cell::Null => report::Cell::Null,
        Cell::Boolean(yes) => report::Cell::Boolean(*yes),
        Cell::Integer(n) => report::Cell::Integer(*n),
        Cell::Decimal(digits) => report::Cell::Decimal(digits.clone()),
        Cell::Float(x) => report::Cell::Number(*x),
        Cell::Date(date) => report::Cell::Date(*date),
        Cell::Text(text) => report::Cell::Text(text.clone()),
    }
}

/// Composes each recipient's message and writes it to the outbox. Gives back their ids.
async fn enqueue(
    shop: &Workshop,
    one: &Report,
    view: &ReportInput,
    rendered: &report::Rendered,
) -> Result<Vec<String>, RunError> {
    let letters: Vec<Letter<'_>> = one
        .recipients
        .iter()
        .map(|recipient| Letter {
            kind: MessageKind::Report,
            pipeline: &shop.pipeline.name,
            subject_of: one.name.as_str(),
            as_of: &view.as_of,
            to: &recipient.to,
            date: view.as_of.0.to_utc(),
        })
        .collect();
    let post = Post::of(shop);
    let content = Content::Report { rendered, files: &[] };
    let messages = outbox::composed(&post, &letters, content, &Links::default())?;
    outbox::enqueue(&post, messages).await
}

/// Sends a notice in place of every report of an interval whose data did not pass its checks; once for each interval.
pub async fn withhold(shop: &Workshop, interval: &Interval, blocked: &Blocked) -> Result<(), RunError> {
    let failed: Vec<String> =
        blocked.0.iter().map(|o| format!("- {} on {}: {} of {} rows", o.check, o.table, o.bad_rows, o.rows)).collect();
    let why = format!("Checks that failed:\n{}", failed.join("\n"));
    for one in &shop.pipeline.reports {
        instead(shop, one, interval, MessageKind::Withheld, &why).await?;
    }
    Ok(())
}

async fn instead(
    shop: &Workshop,
    one: &Report,
    interval: &Interval,
    kind: MessageKind,
    why: &str,
) -> Result<Vec<outbox::Sent>, RunError> {
    let as_of = interval.as_of();
    let letters: Vec<Letter<'_>> = one
        .recipients
        .iter()
        .map(|recipient| Letter {
            kind,
            pipeline: &shop.pipeline.name,
            subject_of: one.name.as_str(),
            as_of: &as_of,
            to: &recipient.to,
            date: shop.system.clock.now(),
        })
        .collect();
    let start = AsOf(interval.start).to_string();
    let (subject, text) = outbox::notice(kind, &one.title, &start, why);
    outbox::send_plain(&Post::of(shop), &letters, &subject, &text).await
}

/// Sends a notice in place of every report that should be out by now and is not. For whoever watches the time: a scheduler
/// at each tick, or `matins outbox deliver`.
pub async fn tell_delays(shop: &Workshop) -> Result<Vec<outbox::Sent>, RunError> {
    let now = shop.system.clock.now().with_timezone(&shop.pipeline.time_zone);
    let interval = shop.pipeline.interval.last_closed(now);
    let mut sent = Vec::new();
    for one in &shop.pipeline.reports {
        let Some(by) = one.deliver_by else { continue };
        if now < deadline(&interval, by) || shop.lake.head(&shop.pipeline.name).await?.is_none() {
            continue;
        }
        let as_of = interval.as_of();
        let mut missing = false;
        for recipient in &one.recipients {
            let letter = |kind| Letter {
                kind,
                pipeline: &shop.pipeline.name,
                subject_of: one.name.as_str(),
                as_of: &as_of,
                to: &recipient.to,
                date: as_of.0.to_utc(),
            };
            // A message that waits for the mail server cannot be announced by another one.
            let report = shop.lake.message(&message_id(&letter(MessageKind::Report), 0)).await?;
            let withheld = shop.lake.message(&message_id(&letter(MessageKind::Withheld), 0)).await?;
            missing |= report.is_none() && withheld.is_none();
        }
        if missing {
            let why = format!("It should have been out by {}.", by.format("%H:%M"));
            sent.extend(instead(shop, one, &interval, MessageKind::Delayed, &why).await?);
        }
    }
    Ok(sent)
}

/// The first such time of day after the interval's end.
fn deadline(interval: &Interval, by: NaiveTime) -> DateTime<Tz> {
    let end = interval.end;
    let day = if end.time() <= by { end.date_naive() } else { end.date_naive() + Days::new(1) };
    let wall = format!("{day}T{}", by.format("%H:%M"));
    AsOf::parse(&wall, end.timezone()).map_or_else(|_| start_of_day(day, end.timezone()), |at| at.0)
}
