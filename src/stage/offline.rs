//! Plans every stage against the declared contracts, without reading any data: a wrong column or type is found by `check`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;

use crate::base::{Diagnostic, Diagnostics, Interval, Place, TableName};
use crate::config::{Pipeline, Rule};
use crate::engine::{Effort, Engine, EngineError, Tables};
use crate::plan::{Graph, Node};
use crate::sql::{Bindings, bind, quote};
use crate::stage::check::predicate;
use crate::stage::contract::against_contract;
use crate::stage::mistake::{Refused, mistake, names};

/// The columns of every table of a pipeline.
pub type Schemas = BTreeMap<TableName, SchemaRef>;

/// What has been planned: the same statement over the same columns is planned once, whichever pipelines use it. Holds for
/// the pipelines of one project, whose files do not change meanwhile.
#[derive(Default)]
pub struct Planned {
    /// Equal schemas are one.
    schemas: HashMap<SchemaRef, usize>,
    /// None for a stage that cannot be planned, which has been told.
    stages: HashMap<Asked, Option<SchemaRef>>,
}

/// All that planning a stage and its checks depends on.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    /// The address of the file's text, which the project keeps.
    file: usize,
    reads: Vec<Option<usize>>,
    params: String,
    on_core: bool,
}

impl Planned {
    fn asked(&mut self, node: &Node, bindings: &Bindings, schemas: &Schemas, on_core: bool) -> Asked {
        let reads = node.query.reads.keys().chain(node.check_reads.keys()).map(|table| {
            let schema = schemas.get(table)?;
            let next = self.schemas.len();
            Some(*self.schemas.entry(Arc::clone(schema)).or_insert(next))
        });
        let reads = reads.collect();
        let values: Vec<_> = node.query.params.keys().map(|name| (name, bindings.0.get(name))).collect();
        Asked { file: Arc::as_ptr(&node.stage.file).addr(), reads, params: format!("{values:?}"), on_core }
    }
}

/// The schemas of the pipeline's tables, and every mistake the planner finds that was not told before. `raw` holds the
/// contracts' schemas.
pub async fn plan_offline(
    engine: &Engine,
    pipeline: &Pipeline,
    graph: &Graph,
    interval: &Interval,
    raw: Schemas,
    planned: &mut Planned,
) -> (Schemas, Diagnostics) {
    let bindings = Bindings::of(&pipeline.params, interval);
    let mut schemas = raw;
    let mut diagnostics = Diagnostics::default();
    for source in pipeline.sources.values() {
        let table = TableName::raw(&source.name);
        checks(engine, &table, &source.checks, &schemas, &mut diagnostics).await;
    }
    let on_core = graph.stands_on_core();
    for node in &graph.nodes {
        // A stage that reads one that could not be planned says nothing new.
        if !node.query.reads.keys().all(|t| schemas.contains_key(t)) {
            continue;
        }
        let asked = planned.asked(node, &bindings, &schemas, on_core);
        if let Some(known) = planned.stages.get(&asked) {
            schemas.extend(known.clone().map(|schema| (node.table().clone(), schema)));
            continue;
        }
        match schema_of(engine, node, &bindings, &schemas).await {
            Ok(schema) => {
                key_and_docs(node, &schema, &mut diagnostics);
                if on_core {
                    against_contract(node, &schema, &mut diagnostics);
                }
                schemas.insert(node.table().clone(), Arc::clone(&schema));
                checks(engine, node.table(), &node.stage.head.checks, &schemas, &mut diagnostics).await;
                planned.stages.insert(asked, Some(schema));
            }
            Err(error) => {
                diagnostics.push(diagnostic(engine, node, &error, &schemas));
                planned.stages.insert(asked, None);
            }
        }
    }
    (schemas, diagnostics)
}

/// The columns of a stage's table, of tables with these columns.
pub async fn schema_of(
    engine: &Engine,
    node: &Node,
    bindings: &Bindings,
    schemas: &Schemas,
) -> Result<SchemaRef, EngineError> {
    let tables = empty(node.query.reads.keys(), schemas);
    let statement = bind(&node.query, bindings).map_err(|e| EngineError::Plan { message: e.to_string(), at: None })?;
    let session = engine.session(&tables, Effort::Beside)?;
    let frame = engine.plan(&session, statement).await?;
    // The optimizer's type coercion finds what planning alone lets pass: a text compared with a number.
    let plan = frame.into_optimized_plan().map_err(|e| engine.error(e))?;
    let schema: &Schema = plan.schema().as_arrow();
    let fields: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    Ok(Arc::new(Schema::new(fields)))
}

fn empty<'a>(names: impl IntoIterator<Item = &'a TableName>, schemas: &Schemas) -> Tables {
    names
        .into_iter()
        .filter_map(|name| schemas.get(name).map(|schema| (name.clone(), schema)))
        .map(|(name, schema)| (name, Arc::new(EmptyTable::new(Arc::clone(schema))) as Arc<dyn TableProvider>))
        .collect()
}

fn key_and_docs(node: &Node, schema: &SchemaRef, out: &mut Diagnostics) {
    let head = &node.stage.head;
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let mut seen = std::collections::BTreeSet::new();
    for name in &names {
        if !seen.insert(*name) {
            out.push(
                Diagnostic::error("repeated-column", format!("`{}` has two columns `{name}`", node.table()))
                    .at(Place::file(&node.stage.file)),
            );
        }
    }
    let text = &node.stage.file.text;
    // The key's own check knows where the key is written.
    let of_key = head.checks.iter().find(|c| matches!(&c.rule, Rule::Unique { columns } if *columns == head.key));
    let key = head.key.iter().map(|c| (c, of_key.map(|c| c.place.clone())));
    let docs = head.columns.keys().map(|c| {
        let from = text.find("columns:").unwrap_or(0);
        (c, text[from..].find(c.as_str()).map(|at| Place::new(&node.stage.file, from + at..from + at + c.len())))
    });
    for (wrong, place) in key.chain(docs).filter(|(c, _)| !names.contains(&c.as_str())) {
        out.push(
            Diagnostic::error("unknown-column", format!("`{}` has no column `{wrong}`", node.table()))
                .at(place.unwrap_or_else(|| Place::file(&node.stage.file)))
                .help(format!("its columns are {}", names.join(", ")))
                .did_you_mean(wrong, names.iter().copied()),
        );
    }
}

/// Plans each check as the query it will be.
async fn checks(
    engine: &Engine,
    table: &TableName,
    checks: &[crate::config::Check],
    schemas: &Schemas,
    out: &mut Diagnostics,
) {
    for check in checks {
        // What a key implies stands where the key does, and is told once.
        if out.0.iter().any(|d| d.code == "unknown-column" && d.place.as_ref() == Some(&check.place)) {
            continue;
        }
        let text = match &check.rule {
            Rule::Unique { columns } => {
                format!("SELECT {} FROM {table}", columns.iter().map(|c| quote(c)).collect::<Vec<_>>().join(", "))
            }
            Rule::Freshness { column, .. } => format!("SELECT max(CAST({} AS DATE)) FROM {table}", quote(column)),
            Rule::References { column, table: other, to } => {
                format!("SELECT 1 FROM {table} t JOIN {other} o ON t.{} = o.{}", quote(column), quote(to))
            }
            rule => match predicate(rule) {
                Some(p) => format!("SELECT 1 FROM {table} WHERE {p}"),
                None => continue,
            },
        };
        let planned = async {
            let session = engine.session(&empty(schemas.keys(), schemas), Effort::Beside)?;
            let frame = session.sql(&text).await.map_err(|e| engine.error(e))?;
            frame.into_optimized_plan().map(|_| ()).map_err(|e| engine.error(e))
        };
        if let Err(error) = planned.await {
            out.push(
                Diagnostic::error("check", format!("check `{}` of `{table}`: {error}", check.name))
                    .at(check.place.clone()),
            );
        }
    }
}

fn diagnostic(engine: &Engine, node: &Node, error: &EngineError, schemas: &Schemas) -> Diagnostic {
    let read = |table: &TableName| schemas.get(table).map(|s| names(s)).unwrap_or_default();
    let refused = Refused {
        file: &node.stage.file,
        statement: node.query.statement(),
        columns: node.query.reads.keys().map(|table| (table.clone(), read(table))).collect(),
        // Which tables there are has been looked into with the graph.
        tables: Vec::new(),
        functions: engine.function_names(),
    };
    let mistake =
        mistake("sql-plan", &refused, error).unwrap_or_else(|| Diagnostic::error("sql-plan", error.to_string()));
    if mistake.place.is_some() { mistake } else { mistake.at(first_line_of_sql(node)) }
}

fn first_line_of_sql(node: &Node) -> Place {
    let text = &node.stage.file.text;
    let start = text.find("*/").map_or(0, |at| at + 2);
    let start = start + (text[start..].len() - text[start..].trim_start().len());
    Place::new(&node.stage.file, start..start + text[start..].find('\n').unwrap_or(text.len() - start))
}
