//! From a snapshot to its reports, and from reports to messages: reads the tables, hands them on, keeps what was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use chrono::NaiveDate;

use crate::base::{AsOf, Diagnostics, TableName};
use crate::config::{Kpi, MailTransport, Pipeline, Report};
use crate::deliver::{FolderTransport, Letter, compose};
use crate::engine::{Cell, Effort, Engine, PartsTable, Rows, Tables, collect};
use crate::lake::{MessageState, MessageStep, Publication, paths};
use crate::report::{self, ColumnType, ReportInput, SourceLine, Table, TableColumn, Templates};
use crate::run::error::describe;
use crate::run::kpis::{self, KpiValue};
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
    /// Where the messages lie now.
    pub delivered: Vec<String>,
}

/// Renders every report of a snapshot that is not there yet, and with `mail` puts its messages into the outbox.
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
        // The page is written last, so one that stands is whole and its messages are in the outbox.
        let done = format!("{folder}/{}.json", if mail { "delivered" } else { "rendered" });
        if let Some(bytes) = shop.lake.get(&done).await? {
            let delivered = serde_json::from_slice(&bytes).unwrap_or_default();
            all.push(Rendered { report: one.name.to_string(), path, delivered });
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
        let delivered = if mail { deliver(shop, one, &view, &rendered, &folder).await? } else { vec![] };
        let record = serde_json::to_vec(&delivered).unwrap_or_default();
        shop.lake.put(&done, record).await?;
        all.push(Rendered { report: one.name.to_string(), path, delivered });
    }
    Ok(all)
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

/// Writes each recipient's message to the outbox, marks it as being sent, and hands it to the transport.
///
/// The mark is create-only: whoever makes it sends, once. A folder takes a message twice without harm, so one that a dead
/// process left marked is handed on again.
async fn deliver(
    shop: &Workshop,
    one: &Report,
    view: &ReportInput,
    rendered: &report::Rendered,
    folder: &str,
) -> Result<Vec<String>, RunError> {
    let mut places = Vec::new();
    for recipient in &one.recipients {
        let letter =
            Letter { pipeline: &shop.pipeline.name, report: &one.name, as_of: &view.as_of, recipient, revision: 0 };
        let undelivered = |why: String| RunError::NotDelivered(format!("{recipient}: {why}"));
        let message = compose(&shop.project.mail, &letter, rendered).map_err(|e| undelivered(e.to_string()))?;
        let id = message.key.to_string();
        shop.lake.put(&format!("{folder}/{recipient}.en.eml"), message.eml.clone()).await?;
        shop.lake.enqueue(&id, message.eml.clone()).await?;
        let MailTransport::Folder(mail) = &shop.project.mail.transport;
        let transport = FolderTransport { folder: shop.project.root.join(mail) };
        let place = transport.path_of(&message).display().to_string();
        let ours = step(shop, &id, MessageState::Sending, None).await?;
        let last = shop.lake.message(&id).await?.and_then(|m| m.last);
        let orphan = last.is_some_and(|l| l.state == MessageState::Sending && shop.system.machine.is_dead(&l.by));
        if ours || orphan {
            let sent = tokio::task::spawn_blocking(move || transport.deliver(&message)).await;
            match sent.map_err(|e| RunError::Panicked(e.to_string()))? {
                Ok(_) => step(shop, &id, MessageState::Accepted, Some(place.clone())).await?,
                Err(error) => {
                    step(shop, &id, MessageState::Deferred, Some(error.to_string())).await?;
                    return Err(undelivered(describe(&error)));
                }
            };
        }
        places.push(place);
    }
    Ok(places)
}

async fn step(shop: &Workshop, id: &str, state: MessageState, note: Option<String>) -> Result<bool, RunError> {
    let by = shop.system.machine.process();
    let step = MessageStep { state, at: shop.system.clock.now(), by, nonce: shop.system.ids.next(), note };
    Ok(shop.lake.advance(id, &step).await?)
}
