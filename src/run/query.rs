//! A person's question in SQL over what readers see now, and over what the program knows of its own runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{Diagnostic, PipelineName, TableName};
use crate::config::{Pipeline, Project};
use crate::engine::{Cell, Effort, Kind, PartFile, PartsTable, Rows, Tables, collect, listing, read_layout};
use crate::lake::{Alert, ChainError, CheckOutcome, CheckStatus, DataFile, Lake, Publication, RunFinished, RunStarted};
use crate::run::kpis::{self, KpiValue, Restated};
use crate::run::step::part_file;
use crate::run::{RunError, engine, open_lake};
use crate::source;
use crate::sql;
use crate::stage::{Refused, columns, mistake};
use crate::system::System;

/// Runs so many are shown by `system.runs` and what belongs to it.
const RUNS_SHOWN: usize = 10_000;

/// Answers one query over the head snapshot of a pipeline, or over snapshot `number` of it.
pub async fn query(
    project: &Project,
    pipeline: &PipelineName,
    number: Option<u64>,
    system: &System,
    text: &str,
) -> Result<Rows, RunError> {
    let lake = open_lake(project, system)?;
    let engine = engine(project, system, &lake)?;
    let question = sql::question(text).map_err(RunError::Project)?;
    let names = &question.names;
    let manifest = match number {
        Some(number) => match lake.manifest(pipeline, number).await {
            Ok(manifest) if manifest.publication.is_some() => Some(manifest),
            Err(error) if !error.is_missing() => return Err(error.into()),
            Ok(_) | Err(_) => return Err(ChainError::NotPublished { pipeline: pipeline.clone(), number }.into()),
        },
        None => lake.head(pipeline).await?,
    };
    let publication = manifest.and_then(|m| m.publication);
    let mut tables = Tables::new();
    if let Some(publication) = &publication {
        let everything = names.iter().any(|n| n.starts_with("information_schema")) || names.is_empty();
        for name in publication.tables.keys().filter(|t| everything || names.contains(&t.to_string())) {
            tables.insert(name.clone(), Arc::new(published_table(&lake, project, pipeline, publication, name).await?));
        }
    } else if names.iter().any(|n| !n.starts_with("system.") && n.contains('.')) {
        return Err(RunError::Usage(format!(
            "pipeline `{pipeline}` has published nothing yet: `matins run {pipeline}`"
        )));
    }
    system_tables(&lake, pipeline, publication.as_ref(), names, &mut tables).await?;
    if ["system.kpis", "system.restatements"].iter().any(|t| asks(names, t)) {
        kpi_tables(&lake, pipeline, names, &mut tables).await?;
    }
    let session = engine.session(&tables, Effort::Alone)?;
    let answer = async {
        let frame = engine.ask(&session, text).await?;
        collect(&engine, frame).await
    };
    answer.await.map_err(|error| {
        let published = publication.iter().flat_map(|p| p.tables.keys()).map(ToString::to_string);
        let refused = Refused {
            file: &question.text,
            statement: question.statement(),
            columns: columns(&tables),
            tables: published.chain(SYSTEM.iter().map(|name| format!("system.{name}"))).collect(),
            functions: engine.function_names(),
        };
        match mistake("query", &refused, &error) {
            Some(mistake) => RunError::Project(elsewhere(project, pipeline, mistake).into()),
            None => error.into(),
        }
    })
}

/// The tables of what the program knows of itself.
const SYSTEM: &[&str] = &["runs", "steps", "checks", "alerts", "kpis", "restatements", "quarantine"];

/// A table that is not in the snapshot may be one that the next run makes, or another pipeline's.
fn elsewhere(project: &Project, pipeline: &PipelineName, mistake: Diagnostic) -> Diagnostic {
    let Some(name) = mistake.message.strip_prefix("there is no table `").and_then(|rest| rest.strip_suffix('`')) else {
        return mistake;
    };
    let makes = |of: &Pipeline| {
        let stages = of.packs.iter().filter_map(|(pack, _)| project.packs.get(pack)).flat_map(|pack| &pack.stages);
        let mut tables = stages.map(|s| s.table.to_string());
        tables.any(|t| t == name) || of.sources.keys().any(|source| TableName::raw(source).to_string() == name)
    };
    let help = match project.pipelines.values().find(|of| makes(of)) {
        Some(of) if of.name == *pipeline => {
            format!("it is a table of this pipeline that the snapshot does not hold: `matins plan {pipeline}` says why")
        }
        Some(of) => format!("pipeline `{0}` makes it: ask with `--pipeline {0}`", of.name),
        None => return mistake,
    };
    mistake.help(help)
}

fn asks(names: &BTreeSet<String>, table: &str) -> bool {
    names.contains(table) || names.iter().any(|n| n.starts_with("information_schema"))
}

/// All KPI values that were ever published, each with the snapshot that did; and those that a later one changed.
async fn kpi_tables(
    lake: &Lake,
    pipeline: &PipelineName,
    names: &BTreeSet<String>,
    tables: &mut Tables,
) -> Result<(), RunError> {
    let publications = lake.publications(pipeline, usize::MAX).await?.into_iter().filter_map(|m| m.publication);
    let publications: Vec<Publication> = publications.filter(|p| p.kpis.is_some()).collect();
    if asks(names, "system.kpis") {
        let files: Vec<PartFile> =
            publications.iter().filter_map(|p| Some(part_file(p.kpis.as_ref()?, vec![]))).collect();
        match files.first() {
            Some(first) => {
                let layout = read_layout(&lake.store(), first).await?;
                let name = TableName::new("system", "kpis").map_err(|e| RunError::Usage(e.to_string()))?;
                tables.insert(name, Arc::new(PartsTable::new(layout, files)));
            }
            None => add(tables, "kpis", &kpis::FILE_COLUMNS, &[])?,
        }
    }
    if asks(names, "system.restatements") {
        let mut rows = Vec::new();
        for publication in &publications {
            let Some(file) = &publication.kpis else { continue };
            let number = crate::lake::paths::kpis_number(&file.path).map_or(Cell::Null, integer);
            let values = kpis::read(lake, file).await?;
            let restated = values.iter().filter_map(|v| Some((v, v.was.as_ref()?)));
            rows.extend(restated.map(|(value, was)| restatement_row(value, was, number.clone(), &publication.as_of)));
        }
        add(tables, "restatements", RESTATEMENT_COLUMNS, &rows)?;
    }
    Ok(())
}

const RESTATEMENT_COLUMNS: &[(&str, Kind)] = &[
    ("kpi", Kind::Text),
    ("period", Kind::Date),
    ("dimension", Kind::Text),
    ("was", Kind::Float),
    ("value", Kind::Float),
    ("change", Kind::Float),
    ("was_snapshot", Kind::Integer),
    ("snapshot", Kind::Integer),
    ("as_of", Kind::Text),
];

/// A table of a snapshot, for reading.
pub(super) async fn published_table(
    lake: &Lake,
    project: &Project,
    pipeline: &PipelineName,
    publication: &Publication,
    name: &TableName,
) -> Result<PartsTable, RunError> {
    let Some(table) = publication.tables.get(name) else {
        return Err(RunError::Usage(format!("the snapshot of {} has no table `{name}`", publication.as_of)));
    };
    let gone = || RunError::Usage(format!("`{name}` of {} is no longer in the lake", publication.as_of));
    if let Some(source) = name.source() {
        let raw = lake.raw_table(&source, &table.fingerprint).await?.ok_or_else(gone)?;
        let mut dropped = match &raw.dropped {
            Some(file) => source::dropped_rows(&lake.store(), file).await?,
            None => std::collections::BTreeMap::default(),
        };
        let files: Vec<PartFile> = raw
            .exports
            .iter()
            .flat_map(|e| &e.files)
            .map(|f| part_file(f, dropped.remove(&f.path).unwrap_or_default()))
            .collect();
        let declared = project.pipelines.get(pipeline).and_then(|p| p.sources.get(&source));
        let layout = match (files.first(), declared) {
            (Some(first), _) => read_layout(&lake.store(), first).await?,
            (None, Some(declared)) => source::schema(declared).into(),
            (None, None) => return Err(gone()),
        };
        return Ok(PartsTable::new(layout, files));
    }
    let mut parts = lake.parts(name, &table.parts).await?;
    let mut files = Vec::new();
    for part in &table.parts {
        let part = parts.remove(part).ok_or_else(gone)?;
        files.extend(part.files.iter().map(|f| part_file(f, vec![])));
    }
    let first = files.first().ok_or_else(gone)?;
    Ok(PartsTable::new(read_layout(&lake.store(), first).await?, files))
}

async fn system_tables(
    lake: &Lake,
    pipeline: &PipelineName,
    publication: Option<&Publication>,
    names: &BTreeSet<String>,
    tables: &mut Tables,
) -> Result<(), RunError> {
    if ["system.runs", "system.steps", "system.checks", "system.alerts"].iter().any(|t| asks(names, t)) {
        let runs = lake.list_runs(pipeline, RUNS_SHOWN).await?;
        add(tables, "runs", RUN_COLUMNS, &runs.iter().map(|(s, f)| run_row(s, f.as_ref())).collect::<Vec<_>>())?;
        let finished: Vec<&RunFinished> = runs.iter().filter_map(|(_, f)| f.as_ref()).collect();
        let steps: Vec<Vec<Cell>> = finished.iter().flat_map(|f| f.steps.iter().map(move |s| step_row(f, s))).collect();
        add(tables, "steps", STEP_COLUMNS, &steps)?;
        let checks: Vec<Vec<Cell>> =
            finished.iter().flat_map(|f| f.checks.iter().map(move |c| check_row(f, c))).collect();
        add(tables, "checks", CHECK_COLUMNS, &checks)?;
        let alerts: Vec<Vec<Cell>> =
            finished.iter().flat_map(|f| f.alerts.iter().map(move |a| alert_row(f, a))).collect();
        add(tables, "alerts", ALERT_COLUMNS, &alerts)?;
    }
    if asks(names, "system.quarantine") {
        let files = quarantine_files(lake, pipeline, publication).await?;
        let name = TableName::new("system", "quarantine").map_err(|e| RunError::Usage(e.to_string()))?;
        match files.first() {
            Some(first) => {
                let layout = read_layout(&lake.store(), first).await?;
                tables.insert(name, Arc::new(PartsTable::new(layout, files)));
            }
            None => add(tables, "quarantine", QUARANTINE_COLUMNS, &[])?,
        }
    }
    Ok(())
}

const RUN_COLUMNS: &[(&str, Kind)] = &[
    ("run", Kind::Text),
    ("pipeline", Kind::Text),
    ("as_of", Kind::Text),
    ("status", Kind::Text),
    ("snapshot", Kind::Integer),
    ("started_at", Kind::Text),
    ("finished_at", Kind::Text),
    ("took_ms", Kind::Integer),
    ("rows_read", Kind::Integer),
    ("rows_landed", Kind::Integer),
    ("rows_quarantined", Kind::Integer),
    ("rows_deduplicated", Kind::Integer),
    ("host", Kind::Text),
    ("message", Kind::Text),
];
const STEP_COLUMNS: &[(&str, Kind)] = &[
    ("run", Kind::Text),
    ("step", Kind::Text),
    ("outcome", Kind::Text),
    ("why", Kind::Text),
    ("rows", Kind::Integer),
    ("took_ms", Kind::Integer),
    ("message", Kind::Text),
];
const CHECK_COLUMNS: &[(&str, Kind)] = &[
    ("run", Kind::Text),
    ("table_name", Kind::Text),
    ("check_name", Kind::Text),
    ("severity", Kind::Text),
    ("status", Kind::Text),
    ("bad_rows", Kind::Integer),
    ("rows", Kind::Integer),
    ("note", Kind::Text),
];
const ALERT_COLUMNS: &[(&str, Kind)] = &[
    ("run", Kind::Text),
    ("kpi", Kind::Text),
    ("period", Kind::Date),
    ("what", Kind::Text),
    ("value", Kind::Float),
    ("against", Kind::Float),
    ("since", Kind::Text),
    ("message", Kind::Text),
];
const QUARANTINE_COLUMNS: &[(&str, Kind)] = &[
    ("export", Kind::Text),
    ("line", Kind::Integer),
    ("column", Kind::Text),
    ("rule", Kind::Text),
    ("reason", Kind::Text),
    ("value", Kind::Text),
    ("record", Kind::Text),
];

fn add(tables: &mut Tables, name: &str, columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> Result<(), RunError> {
    let name = TableName::new("system", name).map_err(|e| RunError::Usage(e.to_string()))?;
    tables.insert(name, listing(columns, rows)?);
    Ok(())
}

fn text(value: impl std::fmt::Display) -> Cell {
    Cell::Text(format!("{value}"))
}

fn integer(value: u64) -> Cell {
    i64::try_from(value).map_or(Cell::Null, Cell::Integer)
}

fn maybe(value: Option<&String>) -> Cell {
    value.map_or(Cell::Null, text)
}

/// A run without an end was killed, or runs still.
fn run_row(started: &RunStarted, finished: Option<&RunFinished>) -> Vec<Cell> {
    let balance = finished.map(|f| crate::run::total(&f.balances)).unwrap_or_default();
    let took = finished.map(|f| (f.finished_at - started.started_at).num_milliseconds());
    vec![
        text(&started.run),
        text(&started.pipeline),
        text(&started.as_of),
        text(finished.map_or("unfinished".to_owned(), |f| format!("{:?}", f.status).to_lowercase())),
        finished.and_then(|f| f.snapshot).map_or(Cell::Null, integer),
        text(started.started_at.to_rfc3339()),
        finished.map_or(Cell::Null, |f| text(f.finished_at.to_rfc3339())),
        took.map_or(Cell::Null, Cell::Integer),
        integer(balance.read),
        integer(balance.landed),
        integer(balance.quarantined),
        integer(balance.deduplicated),
        text(&started.process.host),
        finished.map_or(Cell::Null, |f| maybe(f.message.as_ref())),
    ]
}

fn step_row(run: &RunFinished, step: &crate::lake::StepRecord) -> Vec<Cell> {
    vec![
        text(&run.run),
        text(&step.step),
        text(&step.outcome),
        text(&step.why),
        integer(step.rows),
        integer(step.took_ms),
        maybe(step.message.as_ref()),
    ]
}

fn check_row(run: &RunFinished, check: &CheckOutcome) -> Vec<Cell> {
    let status = match check.status {
        CheckStatus::Passed => "passed",
        CheckStatus::Noted => "noted",
        CheckStatus::Failed => "failed",
    };
    let severity = format!("{:?}", check.severity).to_lowercase();
    vec![
        text(&run.run),
        text(&check.table),
        text(&check.check),
        text(severity),
        text(status),
        integer(check.bad_rows),
        integer(check.rows),
        maybe(check.note.as_ref()),
    ]
}

fn restatement_row(value: &KpiValue, was: &Restated, number: Cell, as_of: &str) -> Vec<Cell> {
    let float = |x: Option<f64>| x.map_or(Cell::Null, Cell::Float);
    vec![
        text(&value.kpi),
        Cell::Date(value.point.period),
        maybe(value.dimension.as_ref()),
        float(was.value),
        float(value.point.value),
        float(value.point.value.zip(was.value).map(|(now, then)| now - then)),
        integer(was.snapshot),
        number,
        text(as_of),
    ]
}

fn alert_row(run: &RunFinished, alert: &Alert) -> Vec<Cell> {
    vec![
        text(&run.run),
        text(&alert.kpi),
        Cell::Date(alert.period),
        text(format!("{:?}", alert.what).to_lowercase()),
        Cell::Float(alert.value),
        Cell::Float(alert.against),
        text(&alert.since),
        text(&alert.message),
    ]
}

/// What was taken out of the flow of a snapshot, and of the last run if it was blocked by that.
async fn quarantine_files(
    lake: &Lake,
    pipeline: &PipelineName,
    publication: Option<&Publication>,
) -> Result<Vec<PartFile>, RunError> {
    let mut files: Vec<DataFile> = Vec::new();
    for (name, table) in publication.iter().flat_map(|p| &p.tables) {
        if let Some(source) = name.source() {
            if let Some(raw) = lake.raw_table(&source, &table.fingerprint).await? {
                files.extend(raw.exports.into_iter().filter_map(|e| e.quarantine));
            }
        } else {
            files.extend(lake.parts(name, &table.parts).await?.into_values().filter_map(|p| p.quarantine));
        }
    }
    let last = lake.list_runs(pipeline, 1).await?.into_iter().next();
    for file in last.and_then(|(_, finished)| finished).map(|f| f.quarantine).unwrap_or_default() {
        // Nothing keeps the files of a blocked run from being collected.
        if !files.iter().any(|f| f.path == file.path) && lake.exists(&file.path).await? {
            files.push(file);
        }
    }
    Ok(files.iter().map(|f| part_file(f, vec![])).collect())
}
