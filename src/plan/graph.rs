//! The stages of one pipeline in the order they can be made, from what their SQL reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Interval, Place, SourceText, TableName, start_of_day};
use crate::config::{ByTime, Check, ColumnKind, Mode, Pipeline, Project, Rule, Source, Stage, core_table};
use crate::plan::left_out::{LeftOut, asked_for, contract_names, leave_out};
use crate::plan::periods::Cut;
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
    /// How its table is cut into parts, if it is.
    pub cut: Option<Cut>,
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
    let stages = || pipeline.packs.iter().filter_map(|(pack, _)| project.packs.get(pack)).flat_map(|p| &p.stages);
    statements.parse_all(stages().map(|stage| &stage.file));
    for stage in stages() {
        match node(stage, statements, &mut diagnostics) {
            Some(node) => {
                nodes.insert(stage.table.clone(), node);
            }
            None => {
                unparsed.insert(stage.table.clone());
            }
        }
    }
    let known: BTreeSet<TableName> =
        nodes.keys().cloned().chain(unparsed).chain(pipeline.sources.keys().map(TableName::raw)).collect();
    let left_out = leave_out(&mut nodes, &known);
    asked_for(pipeline, &left_out, &mut diagnostics);
    let mut cuts = BTreeMap::new();
    for table in nodes.keys() {
        cut(table, &nodes, &mut cuts);
    }
    for (node, cut) in nodes.values_mut().zip(cuts.into_values()) {
        node.cut = cut;
    }
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

/// A stage and what its statement says; it is not known yet how its table is cut.
pub(super) fn node(stage: &Stage, statements: &mut Statements, out: &mut Diagnostics) -> Option<Node> {
    match statements.parse(&stage.file) {
        Ok(query) => {
            let check_reads = check_reads(&stage.head.checks, out);
            Some(Node { stage: stage.clone(), query, check_reads, cut: None })
        }
        Err(mistakes) => {
            out.extend(mistakes);
            None
        }
    }
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

/// By which time a stage is cut: its own, or that of a table it reads whose parts are as long.
fn cut(
    table: &TableName,
    nodes: &BTreeMap<TableName, Node>,
    known: &mut BTreeMap<TableName, Option<Cut>>,
) -> Option<Cut> {
    let node = nodes.get(table)?;
    if let Some(known) = known.get(table) {
        return *known;
    }
    let incremental = node.stage.head.incremental.as_ref();
    // Until more is known, and in a circle, which is told elsewhere.
    let mut found = incremental.map(|i| if i.by.is_some() { Cut::Times(i.every) } else { Cut::Exports(i.every) });
    known.insert(table.clone(), found);
    if let Some(Cut::Exports(every)) = found {
        let by_times = Some(Cut::Times(every));
        if node.query.reads.keys().any(|t| cut(t, nodes, known) == by_times) {
            found = by_times;
        }
    }
    known.insert(table.clone(), found);
    found
}

/// A part of an incremental stage is made from the exports of its period or from the rows whose time lies in it, directly or by
/// way of a table that is cut alike, so its rows may depend on no others.
fn incremental_rules(pipeline: &Pipeline, node: &Node, nodes: &BTreeMap<TableName, Node>, out: &mut Diagnostics) {
    let Some(incremental) = &node.stage.head.incremental else { return };
    let alike = node.query.reads.keys().filter(|t| nodes.get(*t).is_some_and(|read| read.cut == node.cut)).count();
    let mut sources = 0;
    for (table, reference) in &node.query.reads {
        let Some(source) = table.source().and_then(|name| pipeline.sources.get(&name)) else { continue };
        if source.pattern.date_format.is_none() || source.mode == Mode::Full {
            continue;
        }
        sources += 1;
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
        match &incremental.by {
            Some(by) => out.0.extend(time_of(source, table, by)),
            None if matches!(node.cut, Some(Cut::Times(_))) => out.push(
                Diagnostic::error(
                    "incremental-mixed",
                    format!(
                        "`{}` reads a table in parts by a time of its rows, and `{table}` by the dates of exports",
                        node.table()
                    ),
                )
                .at(reference.place.clone())
                .help("say by which time: `incremental: {by: …, every: …}`"),
            ),
            None => {}
        }
    }
    if sources == 0
        && let Some(by) = &incremental.by
    {
        out.push(
            Diagnostic::error("incremental-by", format!("`{}` reads no exports whose rows could be told apart by `{}`", node.table(), by.column))
                .at(by.place.clone())
                .help("`by` is a column of a `raw` source with `{date}` in its path; of a table that is in such parts already, write `incremental: day` or `month`"),
        );
    } else if sources + alike == 0 {
        out.push(
            Diagnostic::error("incremental-undated", format!("`{}` is incremental and reads neither dated exports nor a table in the same periods", node.table()))
                .at(Place::file(&node.stage.file))
                .help("parts are made by the date of exports: read a `raw` source with `{date}` in its path, or leave `incremental` out"),
        );
    }
}

/// What is wrong with the time that a source's rows are told apart by.
fn time_of(source: &Source, table: &TableName, by: &ByTime) -> Option<Diagnostic> {
    let names = source.columns.iter().map(|c| c.name.as_str());
    let Some(column) = source.columns.iter().find(|c| c.name == by.column) else {
        let message = format!("`{table}` has no column `{}`", by.column);
        let known = names.clone().collect::<Vec<_>>().join(", ");
        return Some(
            Diagnostic::error("incremental-by", message)
                .at(by.place.clone())
                .help(format!("its columns are {known}"))
                .did_you_mean(&by.column, names),
        );
    };
    if matches!(column.kind, ColumnKind::Date { .. } | ColumnKind::Timestamp { .. }) {
        return None;
    }
    let message = format!("`{}` of `{table}` is neither a date nor a timestamp", by.column);
    let help = "a row is in the part its time lies in: name a column of `type: date` or `timestamp`";
    Some(Diagnostic::error("incremental-by", message).at(by.place.clone()).help(help))
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
