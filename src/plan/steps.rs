//! Wanted minus what exists → the steps of a run, each with the reason it runs. Executors only visit them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::base::{Fingerprint, SourceName, TableName};
use crate::plan::{Input, Wanted, WantedTable};

/// What a run will do, as plain values.
#[derive(Debug, Clone)]
pub struct Plan {
    pub wanted: Wanted,
    /// Only what has to run; every step after those it needs.
    pub steps: Vec<Step>,
    /// How many steps have their output already.
    pub reused: usize,
    /// False when the newest snapshot of this instant holds exactly this.
    pub publish: bool,
}

/// One element of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub task: Task,
    pub fingerprint: Fingerprint,
    pub why: String,
    /// Positions of the steps that must be done before.
    pub needs: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Decode one export and hold it against its contract.
    Land { source: SourceName, export: usize, path: String },
    /// Put the landed exports of a source together: one row a key, and the balance.
    Assemble { source: SourceName },
    /// Make one part of a stage's table.
    Make { table: TableName, part: usize, period: Option<String> },
    /// Evaluate the checks of a table.
    Check { table: TableName },
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Land { source, path, .. } => write!(f, "land {source} {path}"),
            Self::Assemble { source } => write!(f, "assemble raw.{source}"),
            Self::Make { table, period: None, .. } => write!(f, "make {table}"),
            Self::Make { table, period: Some(period), .. } => write!(f, "make {table} {period}"),
            Self::Check { table } => write!(f, "check {table}"),
        }
    }
}

/// What the lake has, of the things that are wanted.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// Landed exports, raw tables and parts.
    pub made: BTreeSet<Fingerprint>,
    /// Tables whose checks have been evaluated.
    pub checked: BTreeSet<TableName>,
}

/// A snapshot, as far as a plan needs it to say what changed.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// Paths and fingerprints of the exports of each source.
    pub exports: BTreeMap<SourceName, BTreeMap<String, Fingerprint>>,
    pub made_from: BTreeMap<TableName, BTreeMap<String, String>>,
}

/// Decides what runs. `before` is the snapshot readers follow now; `publish` whether this instant has to be published.
pub fn plan(wanted: Wanted, existing: &Existing, before: Option<&Before>, publish: bool) -> Plan {
    let mut plan = Plan { wanted, steps: vec![], reused: 0, publish };
    let mut done_by: BTreeMap<Fingerprint, usize> = BTreeMap::new();
    let mut table_steps: BTreeMap<TableName, Vec<usize>> = BTreeMap::new();
    let wanted = plan.wanted.clone();
    for (name, source) in &wanted.sources {
        let seen = before.and_then(|b| b.exports.get(name));
        let mut lands = Vec::new();
        for (at, export) in source.exports.iter().enumerate() {
            if existing.made.contains(&export.landed) {
                plan.reused += 1;
                continue;
            }
            let why = match seen.and_then(|exports| exports.get(&export.path)) {
                Some(_) => "the export or its contract changed",
                None if seen.is_some() => "new export",
                None => "first run",
            };
            let task = Task::Land { source: name.clone(), export: at, path: export.path.clone() };
            lands.push(plan.push(task, export.landed, why.to_owned(), vec![]));
            done_by.insert(export.landed, plan.steps.len() - 1);
        }
        let table = TableName::raw(name);
        if existing.made.contains(&source.raw) {
            plan.reused += 1;
        } else {
            let why = match (seen, lands.len()) {
                (None, _) => "first run".to_owned(),
                (Some(_), 0) => "other exports than before".to_owned(),
                (Some(_), 1) => "1 export landed".to_owned(),
                (Some(_), n) => format!("{n} exports landed"),
            };
            let step = plan.push(Task::Assemble { source: name.clone() }, source.raw, why, lands.clone());
            table_steps.entry(table.clone()).or_default().push(step);
        }
        if !existing.checked.contains(&table) {
            let needs = table_steps.get(&table).cloned().unwrap_or_default();
            plan.push(Task::Check { table }, source.checks, "its rows or its checks are new".to_owned(), needs);
        }
    }
    for table in &wanted.tables {
        let name = table.node.table();
        let why = reason(table, before.and_then(|b| b.made_from.get(name)), before.is_some());
        for (at, part) in table.parts.iter().enumerate() {
            if existing.made.contains(&part.fingerprint) {
                plan.reused += 1;
                continue;
            }
            let mut needs: BTreeSet<usize> = BTreeSet::new();
            for (read, input) in &part.reads {
                match input {
                    Input::Landed(_, landed) => needs.extend(landed.iter().filter_map(|f| done_by.get(f))),
                    Input::Timed(timed) => needs.extend(timed.landed.iter().filter_map(|f| done_by.get(f))),
                    _ => needs.extend(table_steps.get(read).into_iter().flatten()),
                }
            }
            let task = Task::Make { table: name.clone(), part: at, period: part.period.clone() };
            let step = plan.push(task, part.fingerprint, why.clone(), needs.into_iter().collect());
            table_steps.entry(name.clone()).or_default().push(step);
        }
        if !existing.checked.contains(name) {
            let needs =
                table.node.needs().iter().chain([name]).filter_map(|t| table_steps.get(t)).flatten().copied().collect();
            plan.push(
                Task::Check { table: name.clone() },
                table.checks,
                "its rows or its checks are new".to_owned(),
                needs,
            );
        }
    }
    plan
}

impl Plan {
    fn push(&mut self, task: Task, fingerprint: Fingerprint, why: String, needs: Vec<usize>) -> usize {
        self.steps.push(Step { task, fingerprint, why, needs });
        self.steps.len() - 1
    }

    /// Nothing to make and nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && !self.publish
    }
}

/// What of a table's making is not as it was, in words.
fn reason(table: &WantedTable, was: Option<&BTreeMap<String, String>>, any_before: bool) -> String {
    let Some(was) = was else { return if any_before { "new stage".to_owned() } else { "first run".to_owned() } };
    let mut changed = Vec::new();
    for (what, now) in &table.made_from {
        let same = was.get(what) == Some(now);
        let words = match (what.as_str(), was.get(what)) {
            _ if same => continue,
            ("sql", _) => "SQL changed".to_owned(),
            ("head", _) => "key, period or row-moving checks changed".to_owned(),
            ("time zone", _) => "time zone changed".to_owned(),
            ("functions", _) => "the engine's functions changed".to_owned(),
            (param, Some(old)) if param.starts_with('$') => format!("{param} was {old}, is {now}"),
            (param, None) if param.starts_with('$') => format!("{param} is new"),
            (input, Some(_)) => format!("{input} changed"),
            (input, None) => format!("reads {input} now"),
        };
        changed.push(words);
    }
    if changed.is_empty() { "not made for this instant yet".to_owned() } else { changed.join(", ") }
}
