//! The stages of one pipeline in the order they can be made, from what their SQL reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Interval, Place, SourceText, TableName, start_of_day};
use crate::config::{Check, Mode, Pipeline, Project, Rule, Stage, core_table};
use crate::plan::left_out::{LeftOut, asked_for, contract_names, leave_out};
use crate::sql::{self, Bindings, Query, Statements};

/// The stages of a pipeline, each after everything it reads.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// The stages that the company has no data for.
    pub left_out: BTreeMap<TableName, LeftOut>,
}

impl Graph {
    pub fn makes(&self, table: &TableName) -> bool {
        self.nodes.iter().any(|n| n.table() == table)
    }

    /// Whether a pack reads a table of the core contract that another one makes: then the contract must be kept.
    pub fn stands_on_core(&self) -> bool {
        let maker = |table| self.nodes.iter().find(|n| n.table() == table).map(|n| &n.stage.pack);
        self.nodes.iter().any(|node| {
            let core = node.query.reads.keys().filter(|t| core_table(t).is_some());
            core.filter_map(maker).any(|pack| *pack != node.stage.pack)
        })
    }
}

/// One stage and what its statement says.
#[derive(Debug, Clone)]
pub struct Node {
    pub stage: Stage,
    pub query: Arc<Query>,
    /// What its checks read besides the table itself.
    pub check_reads: BTreeMap<TableName, Place>,
}

impl Node {
    pub fn table(&self) -> &TableName {
        &self.stage.table
    }

    /// The tables that must stand before this one can be made and checked.
    pub fn needs(&self) -> BTreeSet<TableName> {
        let mut needs: BTreeSet<TableName> = self.query.reads.keys().chain(self.check_reads.keys()).cloned().collect();
        needs.remove(self.table());
        needs
    }
}

/// Parses every stage of a pipeline and orders them. What could be understood comes back beside all mistakes.
pub fn graph(project: &Project, pipeline: &Pipeline) -> (Graph, Diagnostics) {
    graph_of(project, pipeline, &mut Statements::default())
}

/// The same, for many pipelines of one project: a file that several of them use is parsed once.
pub fn graph_of(project: &Project, pipeline: &Pipeline, statements: &mut Statements) -> (Graph, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut nodes = BTreeMap::new();
    let mut unparsed = BTreeSet::new();
    for stage in pipeline.packs.iter().filter_map(|(pack, _)| project.packs.get(pack)).flat_map(|p| &p.stages) {
        match statements.parse(&stage.file) {
            Ok(query) => {
                let check_reads = check_reads(&stage.head.checks, &mut diagnostics);
                nodes.insert(stage.table.clone(), Node { stage: stage.clone(), query, check_reads });
            }
            Err(mistakes) => {
                unparsed.insert(stage.table.clone());
                diagnostics.extend(mistakes);
            }
        }
    }
    let known: BTreeSet<TableName> =
        nodes.keys().cloned().chain(unparsed).chain(pipeline.sources.keys().map(TableName::raw)).collect();
    let left_out = leave_out(&mut nodes, &known);
    asked_for(pipeline, &left_out, &mut diagnostics);
    for node in nodes.values() {
        unknown_tables(project, pipeline, node, &known, &mut diagnostics);
        unknown_params(pipeline, node, &mut diagnostics);
        incremental_rules(pipeline, node, &nodes, &mut diagnostics);
    }
    source_checks(pipeline, &mut diagnostics);
    let (nodes, cycles) = order(nodes);
    diagnostics.extend(cycles);
    (Graph { nodes, left_out }, diagnostics)
}

/// A check of a source is evaluated as soon as its rows have landed, when no other table may stand yet.
fn source_checks(pipeline: &Pipeline, out: &mut Diagnostics) {
    for source in pipeline.sources.values() {
        let own = TableName::raw(&source.name);
        for (table, place) in check_reads(&source.checks, out).into_iter().filter(|(table, _)| *table != own) {
            out.push(
                Diagnostic::error("source-check", format!("a check of `{own}` cannot look into `{table}`"))
                    .at(place)
                    .help("put the check into the head of a stage that reads it"),
            );
        }
    }
}

/// The tables that checks look into, each with the check that does.
fn check_reads(checks: &[Check], out: &mut Diagnostics) -> BTreeMap<TableName, Place> {
    let mut reads = BTreeMap::new();
    for check in checks {
        match &check.rule {
            Rule::References { table, .. } => {
                reads.entry(table.clone()).or_insert_with(|| check.place.clone());
            }
            Rule::Query { sql } => match sql::parse(&SourceText::new("check", sql.as_str())) {
                Ok(query) => {
                    for table in query.reads.into_keys() {
                        reads.entry(table).or_insert_with(|| check.place.clone());
                    }
                }
                Err(mistakes) => out.0.extend(mistakes.0.into_iter().map(|m| m.at(check.place.clone()))),
            },
            _ => {}
        }
    }
    reads
}

fn unknown_tables(
    project: &Project,
    pipeline: &Pipeline,
    node: &Node,
    known: &BTreeSet<TableName>,
    out: &mut Diagnostics,
) {
    let reads = node.query.reads.iter().map(|(table, reference)| (table, &reference.place));
    for (table, place) in reads.chain(&node.check_reads) {
        if known.contains(table) {
            continue;
        }
        let mistake =
            Diagnostic::error("unknown-table", format!("pipeline `{}` has no table `{table}`", pipeline.name))
                .at(place.clone());
        let elsewhere = project.packs.iter().find(|(_, pack)| pack.stages.iter().any(|s| s.table == *table));
        out.push(match elsewhere {
            Some((pack, _)) => {
                mistake.help(format!("pack `{pack}` makes it: add it to `packs` in {}", pipeline.file.path.display()))
            }
            None => {
                let names: Vec<String> = known.iter().map(ToString::to_string).chain(contract_names()).collect();
                mistake.did_you_mean(&table.to_string(), names.iter().map(String::as_str))
            }
        });
    }
}

fn unknown_params(pipeline: &Pipeline, node: &Node, out: &mut Diagnostics) {
    // Any interval will do: only the names matter here.
    let day = start_of_day(chrono::NaiveDate::default(), pipeline.time_zone);
    let bindings = Bindings::of(&pipeline.params, &Interval { start: day, end: day });
    for (name, place) in &node.query.params {
        if !bindings.0.contains_key(name) {
            out.push(
                Diagnostic::error(
                    "unknown-parameter",
                    format!("pipeline `{}` has no parameter `{name}`", pipeline.name),
                )
                .at(place.clone())
                .help(format!("add `{name}` to `params` in {}", pipeline.file.path.display()))
                .did_you_mean(name.as_str(), bindings.names()),
            );
        }
    }
}

/// A part of an incremental stage is made from the exports of its period alone, directly or by way of a table in the same
/// periods, so its rows may depend on no others.
fn incremental_rules(pipeline: &Pipeline, node: &Node, nodes: &BTreeMap<TableName, Node>, out: &mut Diagnostics) {
    if node.stage.head.incremental.is_none() {
        return;
    }
    let mut dated = 0;
    for (table, reference) in &node.query.reads {
        if nodes.get(table).is_some_and(|read| read.stage.head.incremental == node.stage.head.incremental) {
            dated += 1;
        }
        let Some(source) = table.source().and_then(|name| pipeline.sources.get(&name)) else { continue };
        if source.pattern.date_format.is_none() || source.mode == Mode::Full {
            continue;
        }
        dated += 1;
        if !source.key.is_empty() {
            out.push(
                Diagnostic::error(
                    "incremental-key",
                    format!("an incremental stage cannot read `{table}`, which has a key"),
                )
                .at(reference.place.clone())
                .help(
                    "which of two rows with one key stays depends on exports of other periods: leave `incremental` out",
                ),
            );
        }
    }
    if dated == 0 {
        out.push(
            Diagnostic::error("incremental-undated", format!("`{}` is incremental and reads neither dated exports nor a table in the same periods", node.table()))
                .at(Place::file(&node.stage.file))
                .help("parts are made by the date of exports: read a `raw` source with `{date}` in its path, or leave `incremental` out"),
        );
    }
}

/// Each node after what it needs; the ones that go round in a circle are left out and reported, one finding a circle.
fn order(mut waiting: BTreeMap<TableName, Node>) -> (Vec<Node>, Diagnostics) {
    let mut ordered = Vec::with_capacity(waiting.len());
    loop {
        let ready: Vec<TableName> = waiting
            .values()
            .filter(|n| n.needs().iter().all(|t| !waiting.contains_key(t)))
            .map(|n| n.table().clone())
            .collect();
        if ready.is_empty() {
            break;
        }
        ordered.extend(ready.iter().filter_map(|table| waiting.remove(table)));
    }
    let mut diagnostics = Diagnostics::default();
    let mut reported = BTreeSet::new();
    for table in waiting.keys() {
        if let Some(circle) = circle_from(table, &waiting)
            && circle.iter().all(|t| !reported.contains(t))
        {
            reported.extend(circle.iter().cloned());
            let path: Vec<String> = circle.iter().chain(circle.first()).map(ToString::to_string).collect();
            let place =
                waiting[&circle[0]].query.reads.get(circle.get(1).unwrap_or(&circle[0])).map(|r| r.place.clone());
            let mistake =
                Diagnostic::error("cycle", format!("stages read each other in a circle: {}", path.join(" → ")))
                    .help("one of them must not read the other");
            diagnostics.push(match place {
                Some(place) => mistake.at(place),
                None => mistake.at(Place::file(&waiting[&circle[0]].stage.file)),
            });
        }
    }
    (ordered, diagnostics)
}

/// The circle that is met first when following what a table needs, if one is.
fn circle_from(table: &TableName, waiting: &BTreeMap<TableName, Node>) -> Option<Vec<TableName>> {
    let mut path = vec![table.clone()];
    loop {
        let node = waiting.get(path.last()?)?;
        // A table that reads itself never got into `needs`.
        let next = node.needs().into_iter().find(|t| waiting.contains_key(t))?;
        if let Some(at) = path.iter().position(|t| *t == next) {
            return Some(path.split_off(at));
        }
        path.push(next);
    }
}
