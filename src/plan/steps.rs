//! Wanted minus what exists → the steps of a run, each with the reason it runs. Executors only visit them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::base::{AsOf, Fingerprint, SourceName, TableName};
use crate::plan::{Input, Wanted, WantedExport, WantedSource, WantedTable};

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
    Land { source: SourceName, export: usize, path: String, at: At },
    /// Put the landed exports of a source together: one row a key, and the balance.
    Assemble { source: SourceName, at: At },
    /// Make one part of a stage's table.
    Make { table: TableName, part: usize, period: Option<String>, at: At },
    /// Evaluate the checks of a table.
    Check { table: TableName },
}

impl Task {
    /// Whether its output is among what a plan counts as there: checks are not, nor is what only a closed month stands on.
    pub fn is_counted(&self) -> bool {
        match self {
            Self::Land { at, .. } | Self::Assemble { at, .. } | Self::Make { at, .. } => !at.is_closed(),
            Self::Check { .. } => false,
        }
    }
}

/// As of when a step's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Run,
    /// The end of the last closed month, for a stage that sees closed months only; not published.
    Closed(AsOf),
}

impl At {
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => Ok(()),
            Self::Closed(as_of) => write!(f, " as of {as_of}"),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Land { source, path, .. } => write!(f, "land {source} {path}"),
            Self::Assemble { source, at } => write!(f, "assemble raw.{source}{at}"),
            Self::Make { table, period: None, at, .. } => write!(f, "make {table}{at}"),
            Self::Make { table, period: Some(period), at, .. } => write!(f, "make {table} {period}{at}"),
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
    let plan = Plan { wanted, steps: vec![], reused: 0, publish };
    let wanted = plan.wanted.clone();
    let mut steps = Steps { plan, existing, done_by: BTreeMap::new(), of_table: BTreeMap::new() };
    for (name, source) in &wanted.sources {
        let seen = before.and_then(|b| b.exports.get(name));
        let (landed, raw) = steps.source(name, source, At::Run, |export| match seen {
            Some(exports) if exports.contains_key(&export.path) => "the export or its contract changed",
            Some(_) => "new export",
            None => "first run",
        });
        if let Some(raw) = raw {
            steps.plan.steps[raw].why = match (seen, landed) {
                (None, _) => "first run".to_owned(),
                (Some(_), 0) => "other exports than before".to_owned(),
                (Some(_), 1) => "1 export landed".to_owned(),
                (Some(_), n) => format!("{n} exports landed"),
            };
        }
        let table = TableName::raw(name);
        if !existing.checked.contains(&table) {
            steps.push(Task::Check { table }, source.checks, NEW.to_owned(), raw.into_iter().collect());
        }
    }
    let standing = standing(&wanted, existing);
    for table in &wanted.tables {
        let name = table.node.table();
        if let Some(closed) = wanted.closed.as_deref().filter(|_| table.node.stage.head.closed) {
            // What it is made from was made before it, if not as of the run then as of the end of that month.
            steps.behind(closed, name, &standing);
        }
        let why = reason(table, before.and_then(|b| b.made_from.get(name)), before.is_some());
        steps.table(table, At::Run, &why);
        if !existing.checked.contains(name) {
            let reads = table.check_reads.values().flat_map(Input::made).copied();
            let needs = steps.making(reads.chain(table.made()));
            steps.push(Task::Check { table: name.clone() }, table.checks, NEW.to_owned(), needs);
        }
    }
    steps.plan
}

const NEW: &str = "its rows or its checks are new";

/// Tables of closed months that have to be looked at, as they stood then: what the missing tables of stages are made from that
/// see closed months only. `existing` may know nothing yet of those it says, and then they count as missing too.
pub fn standing(wanted: &Wanted, existing: &Existing) -> BTreeSet<TableName> {
    let mut standing = BTreeSet::new();
    let Some(closed) = &wanted.closed else { return standing };
    let is_missing = |table: &WantedTable| table.made().any(|part| !existing.made.contains(&part));
    for table in closed.tables.iter().rev() {
        let name = table.node.table();
        let shown = table.node.stage.head.closed;
        if (shown || standing.contains(name)) && is_missing(table) {
            standing.extend(table.node.query.reads.keys().cloned());
        }
        if shown && !existing.checked.contains(name) {
            standing.extend(table.node.check_reads.keys().cloned());
        }
    }
    standing
}

/// A plan as it grows: every step after those it needs.
struct Steps<'a> {
    plan: Plan,
    existing: &'a Existing,
    done_by: BTreeMap<Fingerprint, usize>,
    of_table: BTreeMap<TableName, Vec<usize>>,
}

impl Steps<'_> {
    fn push(&mut self, task: Task, fingerprint: Fingerprint, why: String, needs: Vec<usize>) -> usize {
        self.plan.steps.push(Step { task, fingerprint, why, needs });
        self.plan.steps.len() - 1
    }

    /// The steps that make these.
    fn making(&self, made: impl Iterator<Item = Fingerprint>) -> Vec<usize> {
        made.filter_map(|f| self.done_by.get(&f).copied()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether this is not there and no step makes it yet.
    fn is_missing(&mut self, made: Fingerprint, at: At) -> bool {
        let exists = self.existing.made.contains(&made);
        self.plan.reused += usize::from(exists && at == At::Run);
        !exists && !self.done_by.contains_key(&made)
    }

    /// Lands and assembles what is missing of a source; how many exports, and the step that assembles.
    fn source(
        &mut self,
        name: &SourceName,
        source: &WantedSource,
        at: At,
        why: impl Fn(&WantedExport) -> &'static str,
    ) -> (usize, Option<usize>) {
        let before = self.plan.steps.len();
        for (export, seen) in source.exports.iter().enumerate() {
            if self.is_missing(seen.landed, at) {
                let task = Task::Land { source: name.clone(), export, path: seen.path.clone(), at };
                let step = self.push(task, seen.landed, why(seen).to_owned(), vec![]);
                self.done_by.insert(seen.landed, step);
            }
        }
        let landed = self.plan.steps.len() - before;
        if !self.is_missing(source.raw, at) {
            return (landed, self.done_by.get(&source.raw).copied());
        }
        let needs = self.making(source.exports.iter().map(|e| e.landed));
        let step = self.push(Task::Assemble { source: name.clone(), at }, source.raw, STANDING.to_owned(), needs);
        self.done_by.insert(source.raw, step);
        (landed, Some(step))
    }

    fn table(&mut self, table: &WantedTable, at: At, why: &str) {
        let name = table.node.table();
        for (position, part) in table.parts.iter().enumerate() {
            if !self.is_missing(part.fingerprint, at) {
                continue;
            }
            let mut needs: BTreeSet<usize> =
                self.making(part.reads.values().flat_map(Input::made).copied()).into_iter().collect();
            // What its columns are, another part of that table says.
            let empty = part.reads.iter().filter(|(_, input)| input.made().is_empty()).map(|(read, _)| read);
            needs.extend(empty.filter_map(|read| self.of_table.get(read)).flatten());
            let task = Task::Make { table: name.clone(), part: position, period: part.period.clone(), at };
            let step = self.push(task, part.fingerprint, why.to_owned(), needs.into_iter().collect());
            self.done_by.insert(part.fingerprint, step);
            self.of_table.entry(name.clone()).or_default().push(step);
        }
    }

    /// Makes what a stage that sees closed months only is made from, as it stood then.
    fn behind(&mut self, closed: &Wanted, name: &TableName, standing: &BTreeSet<TableName>) {
        let at = At::Closed(closed.interval.as_of());
        let mut needed: BTreeSet<&TableName> = BTreeSet::from([name]);
        for table in closed.tables.iter().rev().filter(|t| !t.node.stage.head.closed || t.node.table() == name) {
            if needed.contains(table.node.table()) {
                needed.extend(table.node.query.reads.keys().chain(table.node.check_reads.keys()));
            }
        }
        let is_needed = |table: &TableName| table != name && needed.contains(table) && standing.contains(table);
        for (source, seen) in closed.sources.iter().filter(|(source, _)| is_needed(&TableName::raw(source))) {
            self.source(source, seen, at, |_| STANDING);
        }
        for table in closed.tables.iter().filter(|t| is_needed(t.node.table()) && !t.node.stage.head.closed) {
            self.table(table, at, STANDING);
        }
    }
}

const STANDING: &str = "a stage of closed months is made from it";

impl Plan {
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
