//! What a run at one instant would stand on and make, every thing named by its fingerprint. Nothing is asked of the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::base::{Fingerprint, Interval, Recipe, SourceName, TableName};
use crate::config::{ByTime, Check, Incremental, Mode, ParamValue, Pipeline, Rule, Severity, Source};
use crate::plan::closed::closed;
use crate::plan::periods::{Cut, Span, exports_of, parts_of, times_of};
use crate::plan::{Export, Graph, Inventory, Node, contract_fingerprint, raw_fingerprint};
use crate::sql::{Bindings, functions};

/// Everything a run at one instant stands on and makes.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub interval: Interval,
    pub bindings: Arc<Bindings>,
    pub sources: BTreeMap<SourceName, WantedSource>,
    /// In the order they can be made.
    pub tables: Vec<WantedTable>,
    pub warnings: Vec<String>,
    /// What stages that see closed months only are made from, as of the end of the last closed month. Their own tables are
    /// among those above too; of the others only what has to be made is looked at, and nothing is published.
    pub closed: Option<Box<Wanted>>,
}

impl Wanted {
    /// Where a step belongs.
    pub fn of(&self, closed: bool) -> &Self {
        self.closed.as_deref().filter(|_| closed).unwrap_or(self)
    }

    pub fn table(&self, name: &TableName) -> Option<&WantedTable> {
        self.tables.iter().find(|t| t.node.table() == name)
    }

    /// Landed exports, raw tables and parts, of this instant alone.
    pub fn outputs(&self) -> impl Iterator<Item = Fingerprint> {
        self.sources.values().flat_map(WantedSource::outputs).chain(self.tables.iter().flat_map(WantedTable::made))
    }
}

/// The exports of a source that a run sees.
#[derive(Debug, Clone)]
pub struct WantedSource {
    pub contract: Fingerprint,
    pub store_url: String,
    /// By date, then path.
    pub exports: Vec<WantedExport>,
    pub raw: Fingerprint,
    pub checks: Fingerprint,
    /// Exports without a date are what they are when one looks.
    pub reproducible: bool,
}

impl WantedSource {
    /// Its landed exports, and what they are together.
    pub fn outputs(&self) -> impl Iterator<Item = Fingerprint> {
        self.exports.iter().map(|e| e.landed).chain([self.raw])
    }
}

#[derive(Debug, Clone)]
pub struct WantedExport {
    pub path: String,
    pub date: Option<NaiveDate>,
    pub landed: Fingerprint,
    /// As the store lists it; none when it has vanished and only its landed rows are left.
    pub listed: Option<Export>,
}

/// One stage's table.
#[derive(Debug, Clone)]
pub struct WantedTable {
    pub node: Node,
    /// Of all its parts.
    pub fingerprint: Fingerprint,
    pub parts: Vec<WantedPart>,
    pub checks: Fingerprint,
    /// What its checks read besides itself.
    pub check_reads: BTreeMap<TableName, Input>,
    pub bindings: Arc<Bindings>,
    /// What it is made from, in words and short fingerprints, to say later what changed.
    pub made_from: BTreeMap<String, String>,
}

impl WantedTable {
    /// The fingerprints of its parts.
    pub fn made(&self) -> impl Iterator<Item = Fingerprint> {
        self.parts.iter().map(|p| p.fingerprint)
    }

    pub fn whole(&self) -> Input {
        Input::Parts(self.made().collect())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPart {
    /// `2011-12`, for a part of an incremental stage.
    pub period: Option<String>,
    /// Of a part of an incremental stage that has any export.
    pub span: Option<Span>,
    pub fingerprint: Fingerprint,
    pub reads: BTreeMap<TableName, Input>,
}

/// What one table gives to one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A raw table, whole.
    Raw(SourceName, Fingerprint),
    /// The landed exports of a source whose date lies in the part's period.
    Landed(SourceName, Vec<Fingerprint>),
    /// The rows of a source whose time lies in the part's period.
    Timed(Timed),
    /// These parts of a stage's table.
    Parts(Vec<Fingerprint>),
}

impl Input {
    /// What must have been made before.
    pub fn made(&self) -> &[Fingerprint] {
        match self {
            Self::Raw(_, raw) => std::slice::from_ref(raw),
            Self::Timed(timed) => &timed.landed,
            Self::Landed(_, made) | Self::Parts(made) => made,
        }
    }
}

/// The rows of these exports whose time lies in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    pub source: SourceName,
    pub column: String,
    pub span: Span,
    /// Those dated near enough.
    pub landed: Vec<Fingerprint>,
    /// Those dated in the part itself: which of their rows no part reads is counted with this one.
    pub own: Vec<Own>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub landed: Fingerprint,
    pub path: String,
    pub date: NaiveDate,
    /// The times of its rows that are in some part.
    pub times: Span,
}

/// An export that a run before this one landed, and that its store lists no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub path: String,
    pub date: Option<NaiveDate>,
    pub landed: Fingerprint,
}

/// What the newest snapshot knew of a source.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub contract: Option<Fingerprint>,
    pub exports: Vec<Remembered>,
}

/// An export that may not be missing is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source `{source_name}`: {count} of its exports have vanished from {store_url}, the first `{path}`; {why}")]
pub struct Vanished {
    pub source_name: SourceName,
    pub store_url: String,
    pub path: String,
    pub count: usize,
    pub why: &'static str,
}

/// Works out what a run for this interval stands on and makes.
pub fn wanted(
    pipeline: &Pipeline,
    graph: &Graph,
    interval: Interval,
    inventories: &BTreeMap<SourceName, Inventory>,
    memories: &BTreeMap<SourceName, Memory>,
) -> Result<Wanted, Vanished> {
    let mut warnings = Vec::new();
    let mut sources = BTreeMap::new();
    for source in pipeline.sources.values() {
        let inventory = inventories.get(&source.name).cloned().unwrap_or_default();
        let memory = memories.get(&source.name).cloned().unwrap_or_default();
        sources.insert(source.name.clone(), see(source, &interval, &inventory, &memory, &mut warnings)?);
    }
    let closed = closed(pipeline, graph, &interval, &sources, inventories, memories).map(Box::new);
    let bindings = Arc::new(Bindings::of(&pipeline.params, &interval));
    let at = Instant { pipeline, bindings: &bindings, as_of: &interval.as_of().to_string(), sources: &sources };
    let mut tables: Vec<WantedTable> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let as_closed = closed.as_ref().filter(|_| node.stage.head.closed).and_then(|c| c.table(node.table())).cloned();
        let table = as_closed.unwrap_or_else(|| want(&at, node, &tables));
        tables.push(table);
    }
    Ok(Wanted { interval, bindings, sources, tables, warnings, closed })
}

/// What the tables of one instant are made with.
pub(super) struct Instant<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) bindings: &'a Arc<Bindings>,
    pub(super) as_of: &'a str,
    pub(super) sources: &'a BTreeMap<SourceName, WantedSource>,
}

/// A run sees the exports dated before its `as_of`; of full dumps the latest such; of undated ones what is there.
fn see(
    source: &Source,
    interval: &Interval,
    inventory: &Inventory,
    memory: &Memory,
    warnings: &mut Vec<String>,
) -> Result<WantedSource, Vanished> {
    let contract = contract_fingerprint(source);
    let as_of = interval.as_of().to_string();
    let visible = |date: Option<NaiveDate>| {
        date.is_none_or(|d| crate::base::start_of_day(d, interval.end.timezone()) < interval.end)
    };
    let mut exports: Vec<WantedExport> = inventory
        .exports
        .iter()
        .filter(|export| visible(export.date))
        .map(|export| WantedExport {
            path: export.path.clone(),
            date: export.date,
            landed: export.fingerprint(&source.name, &contract, &inventory.store_url),
            listed: Some(export.clone()),
        })
        .collect();
    let listed: BTreeSet<&str> = inventory.exports.iter().map(|e| e.path.as_str()).collect();
    // A full dump that a later one replaces is not missed.
    let latest = exports.iter().map(|e| (e.date, e.path.as_str())).max().filter(|_| source.mode == Mode::Full);
    let missed = |e: &Remembered| latest.is_none_or(|latest| (e.date, e.path.as_str()) > latest);
    let vanished: Vec<&Remembered> =
        memory.exports.iter().filter(|e| visible(e.date) && !listed.contains(e.path.as_str()) && missed(e)).collect();
    if let Some(first) = vanished.first() {
        let fail = |why| Vanished {
            source_name: source.name.clone(),
            store_url: inventory.store_url.clone(),
            path: first.path.clone(),
            count: vanished.len(),
            why,
        };
        if source.on_vanish == crate::config::OnVanish::Refuse {
            return Err(fail("`on_vanish: refuse` wants them back; put them back, or set `on_vanish: keep`"));
        }
        if memory.contract != Some(contract) {
            return Err(fail("the contract has changed since they landed, so they must be read again; put them back"));
        }
        warnings.push(format!(
            "source `{}`: {} vanished from {}; {} landed rows stay in use",
            source.name,
            if vanished.len() == 1 {
                format!("`{}` has", first.path)
            } else {
                format!("{} exports, the first `{}`, have", vanished.len(), first.path)
            },
            inventory.store_url,
            if vanished.len() == 1 { "its" } else { "their" },
        ));
        exports.extend(vanished.iter().map(|e| WantedExport {
            path: e.path.clone(),
            date: e.date,
            landed: e.landed,
            listed: None,
        }));
    }
    exports.sort_by(|a, b| (a.date, &a.path).cmp(&(b.date, &b.path)));
    if source.mode == Mode::Full {
        exports.drain(..exports.len().saturating_sub(1));
    }
    let landed: Vec<Fingerprint> = exports.iter().map(|e| e.landed).collect();
    Ok(WantedSource {
        contract,
        store_url: inventory.store_url.clone(),
        raw: raw_fingerprint(source, &landed),
        // How much may be set aside is judged with the checks, so another limit is another set.
        checks: Recipe::new("source-checks/1")
            .made_from("checks", &checks_fingerprint(&source.checks, &as_of))
            .text("quarantine limit", &source.quarantine_limit.to_string())
            .finish(),
        reproducible: source.pattern.date_format.is_some(),
        exports,
    })
}

pub(super) fn want(at: &Instant<'_>, node: &Node, made: &[WantedTable]) -> WantedTable {
    let Instant { pipeline, bindings, as_of, sources } = at;
    let head = &node.stage.head;
    let moving: Vec<&Check> = head.checks.iter().filter(|c| c.severity == Severity::Quarantine).collect();
    let versions = functions::versions(&node.query.functions);
    let mut made_from = BTreeMap::from([
        ("sql".to_owned(), Recipe::new("sql/1").text("sql", &node.query.canonical).finish().short()),
        ("head".to_owned(), head_meaning(node, &moving).short()),
        ("time zone".to_owned(), pipeline.time_zone.name().to_owned()),
        ("functions".to_owned(), versions.clone()),
    ]);
    for name in node.query.params.keys() {
        made_from.insert(format!("${name}"), bindings.0.get(name).map(value_text).unwrap_or_default());
    }
    // With its name, because two stages may say the same.
    let mut recipe = Recipe::new("table/2")
        .text("table", &node.table().to_string())
        .text("sql", &node.query.canonical)
        .made_from("head", &head_meaning(node, &moving))
        .text("zone", pipeline.time_zone.name())
        .text("functions", &versions);
    for name in node.query.params.keys() {
        recipe = recipe.text("param", name.as_str()).text("value", &made_from[&format!("${name}")]);
    }
    let base = recipe.finish();
    let parts: Vec<WantedPart> = periods(node, pipeline, sources, made)
        .into_iter()
        .map(|(period, span)| {
            let mut recipe =
                Recipe::new("part/1").made_from("base", &base).text("period", period.as_deref().unwrap_or(""));
            let mut reads = BTreeMap::new();
            for table in node.query.reads.keys() {
                let (input, fingerprints) = input(table, node, period.as_deref(), span, pipeline, sources, made);
                recipe = recipe.text("reads", &table.to_string());
                for fingerprint in &fingerprints {
                    recipe = recipe.made_from("input", fingerprint);
                }
                if let Input::Timed(timed) = &input {
                    for own in &timed.own {
                        recipe = recipe.text("of its own date", &own.date.to_string()).made_from("export", &own.landed);
                    }
                }
                reads.insert(table.clone(), input);
            }
            WantedPart { period, span, fingerprint: recipe.finish(), reads }
        })
        .collect();
    let whole = |table: &TableName| match table.source().and_then(|s| sources.get(&s)) {
        Some(source) => Some(source.raw),
        None => made.iter().find(|t| t.node.table() == table).map(|t| t.fingerprint),
    };
    for table in node.query.reads.keys() {
        made_from.insert(table.to_string(), whole(table).map(|f| f.short()).unwrap_or_default());
    }
    // What a check looks into decides its outcome as much as the table does.
    let late = by_time(node).map(|by| format!("{:?}", by.late));
    let looks_at = node.check_reads.keys().filter_map(|table| Some((table, whole(table)?)));
    let checks = looks_at
        .fold(
            late.iter().fold(
                Recipe::new("table-checks/1").made_from("checks", &checks_fingerprint(&head.checks, as_of)),
                |recipe, severity| recipe.text("late", severity),
            ),
            |recipe, (table, fingerprint)| recipe.text("looks at", &table.to_string()).made_from("as", &fingerprint),
        )
        .finish();
    let fingerprint = parts
        .iter()
        .fold(Recipe::new("parts/1").made_from("base", &base), |r, part| r.made_from("part", &part.fingerprint))
        .finish();
    let whole = |table: &TableName| match table.source().and_then(|name| sources.get_key_value(&name)) {
        Some((name, source)) => Some(Input::Raw(name.clone(), source.raw)),
        None => made.iter().find(|t| t.node.table() == table).map(WantedTable::whole),
    };
    let check_reads = node.check_reads.keys().filter_map(|table| Some((table.clone(), whole(table)?))).collect();
    WantedTable {
        node: node.clone(),
        fingerprint,
        parts,
        checks,
        check_reads,
        bindings: Arc::clone(bindings),
        made_from,
    }
}

fn head_meaning(node: &Node, moving: &[&Check]) -> Fingerprint {
    let head = &node.stage.head;
    let mut recipe = Recipe::new("head/1")
        .text("key", &head.key.join("\u{1f}"))
        .text("incremental", &incremental_meaning(head.incremental.as_ref()));
    for check in moving {
        recipe = recipe.text("moves", &format!("{:?} {:?}", check.rule, check.limit));
    }
    recipe.finish()
}

/// Those by the date of exports are named as they always were.
fn incremental_meaning(incremental: Option<&Incremental>) -> String {
    match incremental {
        Some(Incremental { every, by: Some(by) }) => {
            format!("by {} every {every:?} lookback {} lookahead {}", by.column, by.lookback_days, by.lookahead_days)
        }
        other => format!("{:?}", other.map(|i| i.every)),
    }
}

fn by_time(node: &Node) -> Option<&ByTime> {
    node.stage.head.incremental.as_ref()?.by.as_ref()
}

/// Names a set of checks, so that their outcomes are found again beside the table they were evaluated on.
pub fn checks_fingerprint(checks: &[Check], as_of: &str) -> Fingerprint {
    let recipe = checks.iter().fold(Recipe::new("checks/1"), |recipe, check| {
        recipe
            .text("name", &check.name)
            .text("rule", &format!("{:?} {:?} {:?}", check.rule, check.severity, check.limit))
    });
    // How fresh a table is depends on when one looks.
    let looks_at_clock = checks.iter().any(|c| matches!(c.rule, Rule::Freshness { .. } | Rule::Query { .. }));
    if looks_at_clock { recipe.text("as_of", as_of).finish() } else { recipe.finish() }
}

/// The periods of an incremental stage: those that the exports it reads have rows for, and those of the tables it reads that are
/// cut alike. A plain stage has one part and no period.
fn periods(
    node: &Node,
    pipeline: &Pipeline,
    sources: &BTreeMap<SourceName, WantedSource>,
    made: &[WantedTable],
) -> Vec<(Option<String>, Option<Span>)> {
    let Some(cut) = node.cut else { return vec![(None, None)] };
    let every = cut.every();
    let dated = node.query.reads.keys().filter_map(TableName::source).filter(|s| is_parted(pipeline, s));
    let mut all = BTreeSet::new();
    for date in dated.filter_map(|s| sources.get(&s)).flat_map(|source| source.exports.iter().filter_map(|e| e.date)) {
        match by_time(node) {
            Some(by) => all.extend(parts_of(every, by, date)),
            None => all.extend([Span::of(every, date).from]),
        }
    }
    let alike = made.iter().filter(|t| t.node.cut == Some(cut) && node.query.reads.contains_key(t.node.table()));
    all.extend(alike.flat_map(|t| t.parts.iter().filter_map(|part| part.span)).map(|span| span.from));
    if all.is_empty() {
        // Before the first export the table is there, and empty.
        return vec![(Some("none".to_owned()), None)];
    }
    let named = |from| {
        let span = Span::of(every, from);
        (Some(span.name(every)), Some(span))
    };
    all.into_iter().map(named).collect()
}

/// Whether parts can be made of a source's exports.
pub(super) fn is_parted(pipeline: &Pipeline, source: &SourceName) -> bool {
    pipeline.sources.get(source).is_some_and(|s| s.pattern.date_format.is_some() && s.mode == Mode::Append)
}

fn input(
    table: &TableName,
    node: &Node,
    period: Option<&str>,
    span: Option<Span>,
    pipeline: &Pipeline,
    sources: &BTreeMap<SourceName, WantedSource>,
    made: &[WantedTable],
) -> (Input, Vec<Fingerprint>) {
    if let Some((name, source)) = table.source().and_then(|name| sources.get_key_value(&name)) {
        if period.is_none() || !is_parted(pipeline, name) {
            return (Input::Raw(name.clone(), source.raw), vec![source.raw]);
        }
        if let (Some(span), Some(cut), Some(by)) = (span, node.cut, by_time(node)) {
            let timed = timed(name, source, cut, by, span);
            let landed = timed.landed.clone();
            return (Input::Timed(timed), landed);
        }
        let in_period = |e: &&WantedExport| e.date.is_some_and(|d| span.is_some_and(|span| span.holds(d)));
        let landed: Vec<Fingerprint> = source.exports.iter().filter(in_period).map(|e| e.landed).collect();
        return (Input::Landed(name.clone(), landed.clone()), landed);
    }
    let Some(read) = made.iter().find(|t| t.node.table() == table) else { return (Input::Parts(vec![]), vec![]) };
    let alike = period.is_some() && read.node.cut == node.cut;
    let parts: Vec<Fingerprint> =
        read.parts.iter().filter(|p| !alike || p.period.as_deref() == period).map(|p| p.fingerprint).collect();
    (Input::Parts(parts.clone()), parts)
}

fn timed(name: &SourceName, source: &WantedSource, cut: Cut, by: &ByTime, span: Span) -> Timed {
    let near = exports_of(by, span);
    let dated = source.exports.iter().filter_map(|e| Some((e, e.date?)));
    let own = dated.clone().filter(|(_, date)| span.holds(*date)).map(|(export, date)| Own {
        landed: export.landed,
        path: export.path.clone(),
        date,
        times: times_of(cut.every(), by, date),
    });
    Timed {
        source: name.clone(),
        column: by.column.clone(),
        span,
        landed: dated.filter(|(_, date)| near.holds(*date)).map(|(export, _)| export.landed).collect(),
        own: own.collect(),
    }
}

pub(super) fn value_text(value: &ParamValue) -> String {
    match value {
        ParamValue::Integer(n) => n.to_string(),
        ParamValue::Decimal(text) | ParamValue::Text(text) => text.clone(),
        ParamValue::Boolean(yes) => yes.to_string(),
        ParamValue::Date(date) => date.to_string(),
        ParamValue::Timestamp(at) => at.to_string(),
    }
}
