//! A test of a stage → what is made for it, in order: the tables it gives, and the stages that stand between them and what it
//! expects. Does no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, PackName, ParamName, Place, SourceText, TableName};
use crate::config::{GivenFrom, Pack, ParamValue, Project, Stage, StageTest, core_table};
use crate::plan::Node;
use crate::plan::closed::last_closed;
use crate::plan::graph::node;
use crate::sql::{Bindings, Query, Statements};

/// What a test takes to be run.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Each after what it reads; the last is the table that is tested.
    pub made: Vec<Made>,
    /// The stages that make the given tables in a pipeline, each after what it reads: they say which columns and types those have.
    pub models: Vec<Node>,
    pub bindings: Bindings,
    /// Of stages that see closed months only.
    pub of_month: Bindings,
    /// Whether the order of the expected rows counts.
    pub ordered: bool,
}

/// A table as it is made for a test.
#[derive(Debug, Clone)]
pub struct Made {
    pub table: TableName,
    pub maker: Maker,
    /// Made as of the end of the last closed month: by a stage that says so, or for one.
    pub closed: bool,
    /// What it reads, and whether as of then.
    pub reads: Vec<(TableName, bool)>,
}

#[derive(Debug, Clone)]
pub enum Maker {
    /// Given rows.
    Rows,
    /// A given statement, and where it stands.
    Statement(Arc<Query>, Place),
    Stage(Arc<Node>),
}

/// Follows what the tested stage reads down to what is given.
///
/// A table that is not given is made by its stage: that of the test's own pack, else of the pack that is nearest by its path. A
/// table of the core contract is another company's in every other pack, so there it must be given.
pub fn trial(project: &Project, test: &StageTest, statements: &mut Statements) -> (Option<Trial>, Diagnostics) {
    let mut walk = Walk {
        project,
        test,
        statements,
        made: Vec::new(),
        seen: BTreeMap::new(),
        given: BTreeMap::new(),
        told: BTreeSet::new(),
        out: Diagnostics::default(),
    };
    walk.visit(&test.table, false, None);
    let mut models = Vec::new();
    let mut known = BTreeSet::new();
    for table in test.given.keys() {
        walk.model(table, &mut known, &mut models);
    }
    let Some(tested) = walk.tested() else { return (None, walk.out) };
    walk.unread();
    walk.columns(&tested);
    let params = walk.params(&models);
    let interval = &test.interval;
    let trial = Trial {
        models,
        bindings: Bindings::of(&params, interval),
        of_month: Bindings::of_month(&params, &last_closed(interval, chrono::Days::new(0)), interval),
        ordered: test.ordered.unwrap_or_else(|| tested.query.is_ordered()),
        made: walk.made,
    };
    (Some(trial), walk.out)
}

struct Walk<'a> {
    project: &'a Project,
    test: &'a StageTest,
    statements: &'a mut Statements,
    made: Vec<Made>,
    /// Whether it is made already, or still being followed.
    seen: BTreeMap<(TableName, bool), bool>,
    /// The given statements; none for one that cannot be read, which has been told.
    given: BTreeMap<TableName, Option<Arc<Query>>>,
    told: BTreeSet<TableName>,
    out: Diagnostics,
}

impl<'a> Walk<'a> {
    /// Adds a table after all it reads, and says as of when it is made. None where that cannot be, which has been told.
    fn visit(&mut self, table: &TableName, closed: bool, reader: Option<&TableName>) -> Option<bool> {
        let test = self.test;
        let (maker, closed, needs) = match test.given.get(table).map(|given| &given.from) {
            Some(GivenFrom::Rows(_)) => (Maker::Rows, false, Vec::new()),
            Some(GivenFrom::Sql(file, place)) => {
                let query = self.statement(table, file, place)?;
                let needs = query.reads.keys().cloned().collect();
                (Maker::Statement(query, place.clone()), false, needs)
            }
            None => {
                let stage = self.stage(table, reader)?;
                let mut mistakes = Diagnostics::default();
                let found = node(stage, self.statements, &mut mistakes);
                if self.told.insert(table.clone()) {
                    self.out.extend(mistakes);
                }
                let found = found?;
                let mut needs: Vec<TableName> = found.query.reads.keys().cloned().collect();
                if reader.is_none() {
                    // A check may look into a table that nothing else reads: only where it is given.
                    needs.extend(found.check_reads.keys().filter(|t| test.given.contains_key(t)).cloned());
                }
                let closed = closed || found.stage.head.closed;
                (Maker::Stage(Arc::new(found)), closed, needs)
            }
        };
        let key = (table.clone(), closed);
        match self.seen.get(&key) {
            Some(true) => return Some(closed),
            Some(false) => {
                let message = format!("what makes `{table}` reads it");
                let help = "give one of the tables that go round in a circle as rows";
                self.out.push(Diagnostic::error("cycle", message).at(self.place_of(table)).help(help));
                return None;
            }
            None => {
                self.seen.insert(key.clone(), false);
            }
        }
        let mut reads: Vec<(TableName, bool)> = Vec::with_capacity(needs.len());
        for need in needs {
            let as_of = self.visit(&need, closed, Some(table));
            reads.extend(as_of.map(|as_of| (need, as_of)));
        }
        self.seen.insert(key, true);
        self.made.push(Made { table: table.clone(), maker, closed, reads });
        Some(closed)
    }

    fn place_of(&self, table: &TableName) -> Place {
        self.test.given.get(table).map_or_else(|| self.test.place.clone(), |given| given.place.clone())
    }

    /// A given statement; what is wrong in it is told where it stands.
    fn statement(&mut self, table: &TableName, file: &Arc<SourceText>, place: &Place) -> Option<Arc<Query>> {
        if let Some(known) = self.given.get(table) {
            return known.clone();
        }
        let query = match crate::sql::parse(file) {
            Ok(query) => Some(Arc::new(query)),
            Err(mistakes) => {
                self.out.0.extend(mistakes.0.into_iter().map(|mistake| mistake.at(place.clone())));
                None
            }
        };
        self.given.insert(table.clone(), query.clone());
        query
    }

    /// The stage that makes a table for this test.
    fn stage(&mut self, table: &TableName, reader: Option<&TableName>) -> Option<&'a Stage> {
        let makers = makers(self.project, &self.test.pack, table);
        if let [stage] = makers.as_slice() {
            return Some(stage);
        }
        if self.told.insert(table.clone()) {
            let message = match reader {
                Some(reader) => format!("`{reader}` reads `{table}`, which is not given"),
                None => format!("no stage makes `{table}`"),
            };
            let empty = format!("give its rows; `{table}: []` is an empty table");
            let help = match makers.as_slice() {
                [] => empty,
                many => {
                    let packs: Vec<String> = many.iter().map(|s| format!("`{}`", s.pack)).collect();
                    format!("{} make it, and none is nearer: {empty}", packs.join(" and "))
                }
            };
            self.out.push(Diagnostic::error("not-given", message).at(self.test.place.clone()).help(help));
        }
        None
    }

    /// The stages a table comes from in a pipeline, for its columns and types only.
    fn model(&mut self, table: &TableName, known: &mut BTreeSet<TableName>, models: &mut Vec<Node>) {
        if !known.insert(table.clone()) {
            return;
        }
        let makers = makers(self.project, &self.test.pack, table);
        let [stage] = makers.as_slice() else { return };
        // What is wrong with it is told where it is checked.
        let Some(found) = node(stage, self.statements, &mut Diagnostics::default()) else { return };
        for need in found.query.reads.keys() {
            self.model(need, known, models);
        }
        models.push(found);
    }

    fn tested(&self) -> Option<Arc<Node>> {
        match &self.made.last()?.maker {
            Maker::Stage(node) if *node.table() == self.test.table => Some(Arc::clone(node)),
            _ => None,
        }
    }

    /// What is given and nothing reads is most likely a name that is not written right.
    fn unread(&mut self) {
        let read: BTreeSet<&TableName> = self.made.iter().map(|made| &made.table).collect();
        let mut names: BTreeSet<String> = self.made.iter().flat_map(|m| &m.reads).map(|(t, _)| t.to_string()).collect();
        names.extend(self.told.iter().map(ToString::to_string));
        for (table, given) in self.test.given.iter().filter(|(table, _)| !read.contains(table)) {
            let message = format!("`{table}` is given, and nothing that is made here reads it");
            let mistake = Diagnostic::error("given-unread", message).at(given.place.clone());
            self.out.push(mistake.one_of(&table.to_string(), names.iter().map(String::as_str)));
        }
    }

    /// Expected columns that the stage does not make, as far as its text tells which it does.
    fn columns(&mut self, tested: &Node) {
        let Some(output) = &tested.query.output else { return };
        let names: Vec<&str> = output.iter().map(|(name, _)| name.as_str()).collect();
        for (wrong, place) in self.test.expect.columns.iter().filter(|(c, _)| !names.contains(&c.as_str())) {
            self.out.push(
                Diagnostic::error("unknown-column", format!("`{}` has no column `{wrong}`", self.test.table))
                    .at(place.clone())
                    .help(format!("its columns are {}", names.join(", ")))
                    .did_you_mean(wrong, names.iter().copied()),
            );
        }
    }

    /// The test's own parameters, and those of the packs whose stages are made or looked at, its own pack first.
    fn params(&mut self, models: &[Node]) -> BTreeMap<ParamName, ParamValue> {
        let test = self.test;
        let mut packs: Vec<&PackName> = vec![&test.pack];
        let mut used: BTreeMap<ParamName, TableName> = BTreeMap::new();
        for made in &self.made {
            let query = match &made.maker {
                Maker::Rows => continue,
                Maker::Statement(query, _) => query,
                Maker::Stage(node) => {
                    packs.push(&node.stage.pack);
                    &node.query
                }
            };
            for name in query.params.keys() {
                used.entry(name.clone()).or_insert_with(|| made.table.clone());
            }
        }
        packs.extend(models.iter().map(|node| &node.stage.pack));
        let mut params: BTreeMap<_, _> =
            test.params.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect();
        for (name, (value, _)) in packs.iter().filter_map(|pack| self.project.packs.get(*pack)).flat_map(of_pack) {
            params.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let known = Bindings::of(&params, &test.interval);
        let wanting: Vec<_> = used.iter().filter(|(name, _)| !known.0.contains_key(*name)).collect();
        for (name, table) in wanting {
            let message = format!("`{table}` uses `${name}`, which has no value here");
            let help = format!("no pack says it: add `{name}` to `params` of the test");
            self.out.push(Diagnostic::error("unknown-parameter", message).at(test.place.clone()).help(help));
        }
        for (name, (_, place)) in test.params.iter().filter(|(name, _)| !used.contains_key(*name)) {
            let message = format!("nothing that is made here uses `${name}`");
            let mistake = Diagnostic::error("unused-parameter", message).at(place.clone());
            self.out.push(mistake.one_of(name.as_str(), used.keys().map(ParamName::as_str)));
        }
        params
    }
}

fn of_pack(pack: &Pack) -> impl Iterator<Item = (&ParamName, &(ParamValue, Place))> {
    pack.params.iter()
}

/// The stages that may make a table for a pack: its own, else those of the packs that have the most folders in common with it.
fn makers<'p>(project: &'p Project, pack: &PackName, table: &TableName) -> Vec<&'p Stage> {
    let all = || project.packs.values().flat_map(|p| &p.stages).filter(|s| s.table == *table);
    if let Some(own) = all().find(|s| s.pack == *pack) {
        return vec![own];
    }
    if core_table(table).is_some() {
        return Vec::new();
    }
    let folders = |s: &Stage| {
        let pairs = s.pack.as_str().split('/').zip(pack.as_str().split('/'));
        pairs.take_while(|(theirs, ours)| theirs == ours).count()
    };
    let nearest = all().map(folders).max();
    all().filter(|s| Some(folders(s)) == nearest).collect()
}
