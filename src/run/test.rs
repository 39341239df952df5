//! The tests of stages: each made in memory, of the rows it gives, as many side by side as there are cores. Touches no lake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use object_store::memory::InMemory;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::base::{Diagnostic, Diagnostics, Place, TableName};
use crate::config::{GivenFrom, Project, Source, StageTest, core_table, stage_tests};
use crate::engine::{Engine, EngineError, Held, Settings, Tables};
use crate::lake::CheckOutcome;
use crate::plan::{Maker, Node, Trial, trial};
use crate::run::RunError;
use crate::source;
use crate::sql::Statements;
use crate::stage::{
    Difference, Schemas, StageError, broken_checks, conform, core_schema, differences, given_rows, make_held,
    make_statement, schema_of,
};
use crate::system::{ProjectFiles, System};

/// What the tests came to.
#[derive(Debug)]
pub struct Tested {
    /// In the order of their files.
    pub outcomes: Vec<Outcome>,
    /// The files of stages that have no test, whatever was asked for.
    pub untested: Vec<PathBuf>,
    pub took: Duration,
}

#[derive(Debug)]
pub struct Outcome {
    pub test: Arc<StageTest>,
    /// Empty when it passed.
    pub findings: Vec<Finding>,
    pub took: Duration,
}

/// Why a test failed.
#[derive(Debug)]
pub enum Finding {
    Rows(Difference),
    /// A check of the stage's head that the made rows break.
    Check(CheckOutcome),
    /// A check that they were to break.
    Held(String),
    /// A statement that cannot be run on the given rows.
    Statement(Diagnostic),
}

/// Runs the tests whose table, file or name holds `pattern`; all without one.
pub async fn test_stages(
    files: &ProjectFiles,
    project: &Project,
    system: &System,
    pattern: Option<&str>,
) -> Result<Tested, RunError> {
    let started = Instant::now();
    let (tests, mut found) = stage_tests(files, project);
    let tested: BTreeSet<_> = tests.iter().map(|test| (&test.pack, &test.table)).collect();
    let stages = project.packs.values().flat_map(|pack| &pack.stages);
    let bare = stages.filter(|stage| !tested.contains(&(&stage.pack, &stage.table)));
    let untested: Vec<PathBuf> = bare.map(|stage| stage.file.path.clone()).collect();
    let chosen: Vec<StageTest> = tests.iter().filter(|t| pattern.is_none_or(|p| matches(t, p))).cloned().collect();
    if let Some(pattern) = pattern
        && chosen.is_empty()
        && !found.has_errors()
    {
        return Err(RunError::Project(none(pattern, project, &tests).into()));
    }
    let memory_bytes = project.memory.map_or(system.machine.memory_bytes / 2, |m| m.0);
    let settings = Settings { memory_bytes, cores: system.machine.cores };
    let engine = Arc::new(Engine::new(settings, Arc::new(InMemory::new()))?);
    let (ready, mistakes) = prepare(&engine, project, chosen, &mut Statements::default()).await?;
    found.extend(mistakes);
    if found.has_errors() {
        return Err(RunError::Project(each_once(found)));
    }
    let outcomes = run_all(&engine, ready).await?;
    Ok(Tested { outcomes, untested, took: started.elapsed() })
}

fn matches(test: &StageTest, pattern: &str) -> bool {
    let path = test.place.file.path.to_string_lossy().into_owned();
    let pattern = pattern.trim_start_matches("./").to_lowercase();
    [test.table.to_string(), path, test.name.clone()].iter().any(|text| text.to_lowercase().contains(&pattern))
}

/// Nothing that is asked for: a stage without a test, or a name that is not written right.
fn none(pattern: &str, project: &Project, tests: &[StageTest]) -> Diagnostic {
    let mut stages = project.packs.values().flat_map(|pack| &pack.stages);
    let asked = |s: &&crate::config::Stage| s.table.to_string() == pattern || s.file.path.to_string_lossy() == pattern;
    if let Some(stage) = stages.find(asked) {
        let file = stage.file.path.with_extension("test.yaml");
        return Diagnostic::error("no-test", format!("`{}` has no test", stage.table))
            .help(format!("write one in {}; `matins schema test` says what stands in it", file.display()));
    }
    let tables: Vec<String> = tests.iter().map(|test| test.table.to_string()).collect();
    let mistake = Diagnostic::error("no-test", format!("no test is called like `{pattern}`, nor its table or file"));
    mistake
        .help("name a part of a table, of a file's path, or of a test's name")
        .did_you_mean(pattern, tables.iter().map(String::as_str))
}

/// A stage that several tests make is told of once.
fn each_once(found: Diagnostics) -> Diagnostics {
    let mut told = Diagnostics::default();
    for diagnostic in found.0 {
        if !told.0.contains(&diagnostic) {
            told.push(diagnostic);
        }
    }
    told
}

/// A test that can be run.
pub(super) struct Ready {
    test: Arc<StageTest>,
    trial: Trial,
    given: BTreeMap<TableName, Held>,
    /// The columns and types that tables given by a statement have in a pipeline.
    types: BTreeMap<TableName, SchemaRef>,
}

/// Works out what each test makes of what, and types the rows it gives. Every mistake that can be seen without running it is found.
pub(super) async fn prepare(
    engine: &Engine,
    project: &Project,
    tests: Vec<StageTest>,
    statements: &mut Statements,
) -> Result<(Vec<Ready>, Diagnostics), RunError> {
    let mut found = Diagnostics::default();
    let mut ready = Vec::with_capacity(tests.len());
    // By file: what a stage makes does not depend on who asks.
    let mut planned: BTreeMap<PathBuf, Option<SchemaRef>> = BTreeMap::new();
    for test in tests {
        let (trial, mistakes) = trial(project, &test, statements);
        found.extend(mistakes);
        let Some(trial) = trial else { continue };
        for node in &trial.models {
            if !planned.contains_key(&node.stage.file.path) {
                let schema = model(engine, project, &test, &trial, node, &planned).await?;
                planned.insert(node.stage.file.path.clone(), schema);
            }
        }
        let (mut given, mut types) = (BTreeMap::new(), BTreeMap::new());
        // What nothing reads has been told of, and its name is most likely not its own.
        let read = |table: &TableName| trial.made.iter().any(|made| made.table == *table);
        for (table, one) in test.given.iter().filter(|(table, _)| read(table)) {
            let schema = columns_of(project, &test, &trial.models, &planned, table);
            match &one.from {
                GivenFrom::Rows(rows) => match given_rows(table, &one.place, rows, schema.as_ref()) {
                    Ok(held) => drop(given.insert(table.clone(), held)),
                    Err(mistakes) => found.extend(mistakes),
                },
                GivenFrom::Sql(..) => types.extend(schema.map(|schema| (table.clone(), schema))),
            }
        }
        ready.push(Ready { test: Arc::new(test), trial, given, types });
    }
    Ok((ready, found))
}

/// What a table's columns are in a pipeline: as its stage makes them, as the contract has them, or as its source has them.
fn columns_of(
    project: &Project,
    test: &StageTest,
    models: &[Node],
    planned: &BTreeMap<PathBuf, Option<SchemaRef>>,
    table: &TableName,
) -> Option<SchemaRef> {
    if let Some(node) = models.iter().find(|node| node.table() == table) {
        return planned.get(&node.stage.file.path).cloned().flatten();
    }
    if let Some(contract) = core_table(table) {
        return Some(core_schema(contract));
    }
    source_of(project, test, table).map(source::schema)
}

/// The source of the first pipeline that has the test's pack, else of the first that has such a source.
fn source_of<'p>(project: &'p Project, test: &StageTest, table: &TableName) -> Option<&'p Source> {
    let name = table.source()?;
    let having = project.pipelines.values().filter(|p| p.sources.contains_key(&name));
    let first = having.min_by_key(|p| p.packs.iter().all(|(pack, _)| *pack != test.pack))?;
    first.sources.get(&name)
}

/// The columns of a stage's table; none where they cannot be planned, which `check` tells.
async fn model(
    engine: &Engine,
    project: &Project,
    test: &StageTest,
    trial: &Trial,
    node: &Node,
    planned: &BTreeMap<PathBuf, Option<SchemaRef>>,
) -> Result<Option<SchemaRef>, RunError> {
    let mut reads = Schemas::new();
    for table in node.query.reads.keys() {
        let Some(schema) = columns_of(project, test, &trial.models, planned, table) else { return Ok(None) };
        reads.insert(table.clone(), schema);
    }
    match schema_of(engine, node, &trial.bindings, &reads).await {
        Ok(schema) => Ok(Some(schema)),
        Err(EngineError::Plan { .. } | EngineError::Execution(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn run_all(engine: &Arc<Engine>, ready: Vec<Ready>) -> Result<Vec<Outcome>, RunError> {
    let cores = Arc::new(Semaphore::new(engine.cores().max(1)));
    let mut running = JoinSet::new();
    for (at, ready) in ready.into_iter().enumerate() {
        let (engine, cores) = (Arc::clone(engine), Arc::clone(&cores));
        running.spawn(async move {
            // Never closed, so there is always a core to wait for.
            let _core = cores.acquire_owned().await;
            let started = Instant::now();
            let findings = findings(&engine, &ready).await;
            (at, ready.test, findings, started.elapsed())
        });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(done) = running.join_next().await {
        let (at, test, findings, took) = done.map_err(|stopped| RunError::Panicked(stopped.to_string()))?;
        outcomes.insert(at, Outcome { test, findings: findings?, took });
    }
    Ok(outcomes.into_values().collect())
}

/// Makes every table of a test, and holds the last against what is expected.
async fn findings(engine: &Engine, ready: &Ready) -> Result<Vec<Finding>, RunError> {
    let (test, trial) = (&ready.test, &ready.trial);
    let mut held: BTreeMap<(TableName, bool), Held> = BTreeMap::new();
    for (at, made) in trial.made.iter().enumerate() {
        let bindings = if made.closed { &trial.of_month } else { &trial.bindings };
        let mut tables = Tables::new();
        for key in &made.reads {
            if let Some(held) = held.get(key) {
                tables.insert(key.0.clone(), held.table()?);
            }
        }
        let table = match &made.maker {
            Maker::Rows => match ready.given.get(&made.table) {
                Some(held) => held.clone(),
                None => continue,
            },
            Maker::Statement(query, place) => {
                let rows = match make_statement(engine, query, bindings, &tables).await {
                    Ok(rows) => rows,
                    Err(cause @ (EngineError::Plan { .. } | EngineError::Execution(_))) => {
                        return Ok(vec![Finding::Statement(refused(&cause, place))]);
                    }
                    Err(cause) => return Err(cause.into()),
                };
                match conform(&made.table, place, rows, ready.types.get(&made.table)) {
                    Ok(held) => held,
                    Err(wrong) => return Ok(wrong.0.into_iter().map(Finding::Statement).collect()),
                }
            }
            Maker::Stage(node) => {
                let (rows, moved) = match make_held(engine, node, bindings, &tables).await {
                    Ok(made) => made,
                    Err(error) => return Ok(vec![Finding::Statement(told(error, node)?)]),
                };
                if at + 1 == trial.made.len() {
                    let key = &node.stage.head.key;
                    let rows_found = differences(&rows.rows()?, test, key, trial.ordered);
                    let mut findings: Vec<Finding> = rows_found.into_iter().map(Finding::Rows).collect();
                    tables.insert(made.table.clone(), rows.table()?);
                    match broken_checks(engine, node, &test.fails, bindings, &tables).await {
                        Ok(broken) => findings.extend(of_checks(&test.fails, broken, &moved)),
                        Err(error) => findings.push(Finding::Statement(told(error, node)?)),
                    }
                    return Ok(findings);
                }
                rows
            }
        };
        held.insert((made.table.clone(), made.closed), table);
    }
    Ok(Vec::new())
}

/// The checks that are broken and should not be, and those that should be and are not.
fn of_checks(fails: &[String], broken: Vec<CheckOutcome>, moved: &BTreeSet<String>) -> Vec<Finding> {
    let held = |name: &&String| !moved.contains(*name) && broken.iter().all(|outcome| outcome.check != **name);
    let held: Vec<Finding> = fails.iter().filter(held).cloned().map(Finding::Held).collect();
    let broken = broken.into_iter().filter(|outcome| !fails.contains(&outcome.check)).map(Finding::Check);
    broken.chain(held).collect()
}

fn refused(cause: &EngineError, place: &Place) -> Diagnostic {
    Diagnostic::error("given-sql", cause.to_string()).at(place.clone())
}

/// A statement that does not fit its rows is the test's finding; a failure of the world is not.
fn told(error: StageError, node: &Node) -> Result<Diagnostic, RunError> {
    let file = || Place::file(&node.stage.file);
    match error {
        StageError::Engine { mistake: Some(mistake), .. } => Ok(*mistake),
        StageError::Engine { cause: EngineError::Plan { message, .. } | EngineError::Execution(message), .. } => {
            Ok(Diagnostic::error("sql-run", message).at(file()))
        }
        StageError::Check { cause: EngineError::Plan { .. } | EngineError::Execution(_), .. }
        | StageError::Bind { .. } => Ok(Diagnostic::error("sql-run", error.to_string()).at(file())),
        error => Err(error.into()),
    }
}
