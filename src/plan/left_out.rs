//! Stages that a company has no data for: left out by name, with everything that stands on them.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Diagnostic, Diagnostics, KpiName, PackName, Place, TableName};
use crate::config::{CORE, Pipeline, Project, core_table};
use crate::plan::Node;

/// A stage that is not made, and what of the core contract the company would have to have for it.
#[derive(Debug, Clone)]
pub struct LeftOut {
    pub pack: PackName,
    /// `core.tickets`, or `core.orders.cost` where the table is there without that column.
    pub lacks: BTreeSet<String>,
}

/// Takes the stages that cannot be made for want of data out of `nodes`, and says what each lacks.
///
/// Only a table of the core contract can be lacking, and only where a company's pack makes some of them: any other name
/// that no stage makes is a mistake.
pub(super) fn leave_out(
    nodes: &mut BTreeMap<TableName, Node>,
    known: &BTreeSet<TableName>,
) -> BTreeMap<TableName, LeftOut> {
    if !known.iter().any(|t| core_table(t).is_some()) {
        return BTreeMap::new();
    }
    let mut lacking: BTreeMap<TableName, BTreeSet<String>> = BTreeMap::new();
    let all = &*nodes;
    for node in all.values() {
        let tables = node.query.reads.keys().filter(|t| !known.contains(t) && core_table(t).is_some());
        let lacks: BTreeSet<String> = tables.map(ToString::to_string).chain(columns(node, all)).collect();
        if !lacks.is_empty() {
            lacking.insert(node.table().clone(), lacks);
        }
    }
    loop {
        let mut more: Vec<(TableName, BTreeSet<String>)> = Vec::new();
        for node in nodes.values() {
            let own = lacking.get(node.table());
            let of_needs: BTreeSet<String> =
                node.needs().iter().filter_map(|t| lacking.get(t)).flatten().cloned().collect();
            if of_needs.iter().any(|l| own.is_none_or(|own| !own.contains(l))) {
                more.push((node.table().clone(), of_needs));
            }
        }
        if more.is_empty() {
            break;
        }
        for (table, lacks) in more {
            lacking.entry(table).or_default().extend(lacks);
        }
    }
    let out = lacking.into_iter().filter_map(|(table, lacks)| {
        let node = nodes.remove(&table)?;
        Some((table, LeftOut { pack: node.stage.pack, lacks }))
    });
    out.collect()
}

/// The columns a stage names that the core contract has and the tables it reads leave out.
fn columns<'n>(node: &'n Node, nodes: &'n BTreeMap<TableName, Node>) -> impl Iterator<Item = String> + 'n {
    node.query.uses.iter().filter(|used| !used.elsewhere).filter_map(|used| {
        let without = |table: &TableName| {
            let may_lack = core_table(table).and_then(|t| t.column(&used.name)).is_some_and(|c| !c.needed);
            let given = nodes.get(table).and_then(|n| n.query.output.as_ref());
            may_lack && given.is_some_and(|given| given.iter().all(|(name, _)| *name != used.name))
        };
        let has = |table: &TableName| match nodes.get(table).and_then(|n| n.query.output.as_ref()) {
            Some(given) => given.iter().any(|(name, _)| *name == used.name),
            None => true,
        };
        if used.of.iter().any(has) {
            return None;
        }
        used.of.iter().find(|t| without(t)).map(|table| format!("{table}.{}", used.name))
    })
}

/// What a pipeline asks for by name and will not get, as mistakes.
pub(super) fn asked_for(pipeline: &Pipeline, left_out: &BTreeMap<TableName, LeftOut>, out: &mut Diagnostics) {
    let kpis = pipeline.kpis.iter().filter(|k| k.named).map(|k| (format!("KPI `{}`", k.name), &k.table, &k.place));
    let data = pipeline.reports.iter().flat_map(|report| {
        report.data.values().map(move |(table, place)| (format!("report `{}`", report.name), table, place))
    });
    for (what, table, place) in kpis.chain(data) {
        let Some(missing) = left_out.get(table) else { continue };
        out.push(
            Diagnostic::error(
                "left-out",
                format!("{what} needs `{table}`, which is left out for want of {}", listed(&missing.lacks)),
            )
            .at(place.clone())
            .help("have the company's pack make what is wanting, or remove this"),
        );
    }
}

/// What a pipeline does without for want of the same data: stages of one pack, and the KPIs that stand on them.
#[derive(Debug, Clone)]
pub struct Cost {
    pub pack: PackName,
    /// As of [`LeftOut`].
    pub lacks: BTreeSet<String>,
    pub tables: Vec<TableName>,
    pub kpis: Vec<KpiName>,
    /// Whether these tables are all that the pack makes.
    whole_pack: bool,
    place: Place,
}

impl Cost {
    pub fn note(&self) -> Diagnostic {
        let names = |kpis: &[KpiName]| kpis.iter().map(KpiName::as_str).collect::<Vec<_>>().join(", ");
        let cost = match self.kpis.as_slice() {
            [] => "no KPI".to_owned(),
            [one] => format!("the KPI {one}"),
            more => format!("{} KPIs ({})", more.len(), names(more)),
        };
        let pack = &self.pack;
        let tables: Vec<String> = self.tables.iter().map(|t| format!("`{t}`")).collect();
        let what =
            if self.whole_pack { format!("pack `{pack}`") } else { format!("{} of pack `{pack}`", tables.join(", ")) };
        let verb = if self.whole_pack || tables.len() == 1 { "is" } else { "are" };
        let message = format!("{what} {verb} left out for want of {}; it costs {cost}", listed(&self.lacks));
        Diagnostic::note("left-out", message)
            .at(self.place.clone())
            .help("a company that has the data makes them in its own pack; docs/core-tables.md says what they hold")
    }
}

/// One a pack and lack: which KPIs it costs.
pub fn costs(project: &Project, pipeline: &Pipeline, left_out: &BTreeMap<TableName, LeftOut>) -> Vec<Cost> {
    let mut groups: BTreeMap<(&PackName, &BTreeSet<String>), Vec<TableName>> = BTreeMap::new();
    for (table, one) in left_out {
        groups.entry((&one.pack, &one.lacks)).or_default().push(table.clone());
    }
    let mut all = Vec::new();
    for ((pack, lacks), tables) in groups {
        let Some((_, place)) = pipeline.packs.iter().find(|(name, _)| name == pack) else { continue };
        all.push(Cost {
            pack: pack.clone(),
            lacks: lacks.clone(),
            kpis: pipeline.kpis.iter().filter(|k| tables.contains(&k.table)).map(|k| k.name.clone()).collect(),
            whole_pack: project.packs.get(pack).is_some_and(|p| p.stages.len() == tables.len()),
            tables,
            place: place.clone(),
        });
    }
    all
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The names of the core contract, for "did you mean".
pub(super) fn contract_names() -> impl Iterator<Item = String> {
    CORE.iter().map(crate::config::CoreTable::table)
}
