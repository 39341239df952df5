//! What a step does: lands an export, assembles a source, makes a part of a table. What it reads is here, as the engine takes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Fingerprint, SourceName, TableName};
use crate::engine::{Effort, EngineError, Layout, PartFile, PartsTable, Seen, Table, Tables, read_layout};
use crate::lake::{DataFile, RawExport, RawTable, TablePart};
use crate::plan::{At, Input, Plan, Step, Task, Wanted, WantedSource, WantedTable};
use crate::run::look::{Known, raw_export, with};
use crate::run::retry::retry;
use crate::run::slots::Slot;
use crate::run::turns::{Turns, output};
use crate::run::{RunError, Workshop};
use crate::source::{self, Landing};
use crate::stage::{self, Making, StageError};

/// Positions of rows to leave out, by file.
type Dropped = BTreeMap<String, Vec<u64>>;

/// What tasks share.
#[derive(Clone)]
pub(super) struct Bench {
    pub shop: Workshop,
    pub wanted: Arc<Wanted>,
    known: Arc<Mutex<Known>>,
    pub turns: Turns,
    dropped: Arc<Mutex<BTreeMap<Fingerprint, Arc<Dropped>>>>,
    /// Parts whose rows can be read though they may not be durable yet. Nothing but this run's own steps relies on them.
    written: Arc<Mutex<BTreeMap<Fingerprint, TablePart>>>,
    /// What was seen of tables that are one part, until their checks.
    pub seen: Arc<Mutex<BTreeMap<Fingerprint, Seen>>>,
    /// How the files that were read are laid out, by path.
    layouts: Arc<Mutex<HashMap<String, Layout>>>,
}

/// How a step ended.
pub(super) enum Done {
    Ok {
        rows: u64,
        warnings: Vec<String>,
    },
    /// Another interval that is worked on at the same time has made it.
    Found,
    /// Made again alone, with joins that spill.
    OutOfMemory,
    Failed(RunError),
}

pub(super) type Made = Result<(u64, Vec<String>), RunError>;

impl Bench {
    pub fn new(shop: &Workshop, plan: &Plan, known: &Arc<Mutex<Known>>, turns: &Turns) -> Self {
        Self {
            shop: shop.clone(),
            wanted: Arc::new(plan.wanted.clone()),
            known: Arc::clone(known),
            turns: turns.clone(),
            dropped: Arc::default(),
            written: Arc::default(),
            seen: Arc::default(),
            layouts: Arc::default(),
        }
    }

    pub async fn execute(&self, step: &Step, effort: Effort, slot: &Slot) -> Done {
        let done = match &step.task {
            Task::Land { source, export, at, .. } => self.land(source, *at, *export, slot).await,
            Task::Assemble { source, at } => self.assemble(source, *at).await,
            Task::Make { table, at, part, .. } => self.make(table, *at, *part, effort, slot).await,
            Task::Check { table } => self.check(table, slot).await,
        };
        match done {
            Ok((rows, warnings)) => Done::Ok { rows, warnings },
            Err(RunError::Stage(StageError::Engine { cause: EngineError::Memory { .. }, .. }))
                if effort != Effort::Frugal =>
            {
                Done::OutOfMemory
            }
            Err(error) => Done::Failed(error),
        }
    }

    pub fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        with(&self.known, look)
    }

    /// Whether what a step makes is there by now.
    pub fn has(&self, step: &Step) -> bool {
        let made = &step.fingerprint;
        self.known(|k| match &step.task {
            Task::Land { .. } => k.landed.contains_key(made),
            Task::Assemble { .. } => k.raws.contains_key(made),
            Task::Make { .. } => k.parts.contains_key(made),
            Task::Check { .. } => k.checks.contains_key(&output(step, &self.wanted)),
        })
    }

    async fn land(&self, name: &SourceName, at: At, export: usize, slot: &Slot) -> Made {
        let shop = &self.shop;
        let (source, wanted) = (&shop.pipeline.sources[name], &self.source(name, at).exports[export]);
        let Some(export) = &wanted.listed else {
            return Err(RunError::Usage(format!("`{}` has vanished and its landed rows are gone too", wanted.path)));
        };
        let store = &shop.stores[&source.store];
        let what = format!("landing {}", export.path);
        let landed = retry(&shop.system, &shop.observer, &what, || async {
            let attempt = shop.system.ids.next();
            let landing = Landing {
                lake: &shop.lake.store(),
                exports: &store.store,
                source,
                attempt: &attempt,
                cores: shop.engine.cores(),
            };
            let landed = source::land(&landing, export, wanted.landed).await?;
            slot.give_back();
            Ok(shop.lake.put_landed(landed).await?)
        })
        .await?;
        let warnings: Vec<String> = landed.warnings.iter().map(|w| format!("{}: {w}", export.path)).collect();
        let rows = landed.rows_landed;
        self.known(|k| {
            k.made(&wanted.landed);
            k.landed.insert(wanted.landed, raw_export(landed))
        });
        Ok((rows, warnings))
    }

    async fn assemble(&self, name: &SourceName, at: At) -> Made {
        let shop = &self.shop;
        let (source, wanted) = (&shop.pipeline.sources[name], self.source(name, at));
        let landed: Option<Vec<RawExport>> =
            self.known(|k| wanted.exports.iter().map(|e| k.landed.get(&e.landed).cloned()).collect());
        let landed = landed.ok_or_else(|| RunError::Usage(format!("an export of `{name}` has not landed")))?;
        let raw = retry(&shop.system, &shop.observer, &format!("assembling raw.{name}"), || async {
            let attempt = shop.system.ids.next();
            let raw = source::assemble(&shop.lake.store(), source, wanted.raw, &attempt, &landed).await?;
            Ok(shop.lake.put_raw_table(raw).await?)
        })
        .await?;
        let rows = raw.balance.landed;
        self.known(|k| k.raws.insert(wanted.raw, raw));
        Ok((rows, vec![]))
    }

    async fn make(&self, name: &TableName, at: At, part: usize, effort: Effort, slot: &Slot) -> Made {
        let shop = &self.shop;
        let table = self.table(name, at)?;
        let part = &table.parts[part];
        let whole = table.parts.len() == 1;
        let (made, seen) = retry(&shop.system, &shop.observer, &format!("making {name}"), || async {
            let mut tables = Tables::new();
            for (read, input) in &part.reads {
                tables.insert(read.clone(), self.provider(read, input).await?);
            }
            let attempt = shop.system.ids.next();
            let making = Making {
                engine: &shop.engine,
                lake: &shop.lake.store(),
                node: &table.node,
                part,
                bindings: &table.bindings,
                tables: &tables,
                attempt: &attempt,
                effort,
                whole,
            };
            let late = self.late(table, part).await?;
            let (made, seen) = stage::make(&making).await?;
            let made = TablePart { late, ..made };
            self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(part.fingerprint, made.clone());
            slot.give_back();
            let files = made.files.clone();
            let put = shop.lake.put_part(made).await?;
            // Another run may have been first, and then its files are the table.
            let seen = (whole && put.files == files).then_some(seen);
            Ok((put, seen))
        })
        .await?;
        if let Some(seen) = seen {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(part.fingerprint, seen);
        }
        let rows = made.rows;
        self.known(|k| {
            k.made(&part.fingerprint);
            k.parts.insert(part.fingerprint, made)
        });
        Ok((rows, vec![]))
    }

    /// The rows of some landed exports.
    pub fn landed(&self, source: &SourceName, landed: &[Fingerprint]) -> Result<PartsTable, RunError> {
        let missing = || RunError::Usage(format!("an export of `{source}` has not landed"));
        let files = self.known(|k| {
            let exports = landed.iter().map(|f| k.landed.get(f)).collect::<Option<Vec<_>>>()?;
            Some(exports.into_iter().flat_map(|e| &e.files).map(|f| part_file(f, vec![])).collect())
        });
        let source = self.shop.pipeline.sources.get(source).ok_or_else(missing)?;
        Ok(PartsTable::new(source::schema(source), files.ok_or_else(missing)?))
    }

    pub fn table(&self, name: &TableName, at: At) -> Result<&WantedTable, RunError> {
        let table = self.wanted.of(at.is_closed()).table(name);
        table.ok_or_else(|| RunError::Usage(format!("no stage makes `{name}`")))
    }

    pub fn source(&self, name: &SourceName, at: At) -> &WantedSource {
        &self.wanted.of(at.is_closed()).sources[name]
    }

    pub async fn provider(&self, name: &TableName, input: &Input) -> Result<Table, RunError> {
        let files: Vec<PartFile> = match input {
            Input::Raw(source, raw) => {
                let raw = self.known(|k| k.raws.get(raw).cloned());
                let raw = raw.ok_or_else(|| RunError::Usage(format!("raw.{source} is not assembled")))?;
                self.raw_files(&raw).await?
            }
            Input::Landed(source, landed) => return Ok(Arc::new(self.landed(source, landed)?)),
            Input::Timed(timed) => {
                let (landed, span) = (self.landed(&timed.source, &timed.landed)?, timed.span);
                return Ok(self.shop.engine.between(name, landed, &timed.column, (span.from, span.until))?);
            }
            Input::Parts(parts) => {
                let parts: Option<Vec<TablePart>> = parts.iter().map(|part| self.part(part)).collect();
                let parts = parts.ok_or_else(|| RunError::Usage(format!("a part of `{name}` is not made")))?;
                parts.iter().flat_map(|part| &part.files).map(|f| part_file(f, vec![])).collect()
            }
        };
        let layout = match name.source().and_then(|s| self.shop.pipeline.sources.get(&s)) {
            Some(source) => source::schema(source).into(),
            None => {
                // Of a table without this part any other says what its columns are, at whatever time.
                let any = || {
                    let tables = [false, true].into_iter().filter_map(|closed| self.wanted.of(closed).table(name));
                    let part = tables.flat_map(WantedTable::made).find_map(|part| self.part(&part))?;
                    part.files.first().map(|f| part_file(f, vec![]))
                };
                let file = files.first().cloned().or_else(any);
                let file = file.ok_or_else(|| RunError::Usage(format!("`{name}` has no file")))?;
                self.layout(&file).await?
            }
        };
        Ok(Arc::new(PartsTable::new(layout, files)))
    }

    /// Files do not change, and many steps read the same.
    async fn layout(&self, file: &PartFile) -> Result<Layout, RunError> {
        let held = self.layouts.lock().unwrap_or_else(PoisonError::into_inner).get(&file.path).cloned();
        if let Some(layout) = held {
            return Ok(layout);
        }
        let layout = read_layout(&self.shop.lake.store(), file).await?;
        self.layouts.lock().unwrap_or_else(PoisonError::into_inner).insert(file.path.clone(), layout.clone());
        Ok(layout)
    }

    /// How much a step reads, as far as that is there. What brings rows into the lake comes before everything that reads them.
    pub fn bytes(&self, step: &Step) -> u64 {
        match &step.task {
            Task::Land { .. } | Task::Assemble { .. } => u64::MAX,
            Task::Make { table, at, part, .. } => self
                .table(table, *at)
                .map_or(0, |table| table.parts[*part].reads.values().map(|input| self.bytes_of(input)).sum()),
            Task::Check { table } => self.table(table, At::Run).map_or(0, |table| self.bytes_of(&table.whole())),
        }
    }

    fn bytes_of(&self, input: &Input) -> u64 {
        let bytes = |files: &[DataFile]| files.iter().map(|f| f.size_bytes).sum::<u64>();
        let landed = |landed: &[Fingerprint]| {
            self.known(|k| landed.iter().filter_map(|f| k.landed.get(f)).map(|e| bytes(&e.files)).sum())
        };
        match input {
            Input::Raw(_, raw) => {
                self.known(|k| k.raws.get(raw).map_or(0, |raw| raw.exports.iter().map(|e| bytes(&e.files)).sum()))
            }
            Input::Landed(_, exports) => landed(exports),
            Input::Timed(timed) => landed(&timed.landed),
            Input::Parts(parts) => parts.iter().filter_map(|part| self.part(part)).map(|part| bytes(&part.files)).sum(),
        }
    }

    /// A part, if its rows can be read.
    fn part(&self, made: &Fingerprint) -> Option<TablePart> {
        let known = self.known(|k| k.parts.get(made).cloned());
        known.or_else(|| self.written.lock().unwrap_or_else(PoisonError::into_inner).get(made).cloned())
    }

    async fn raw_files(&self, raw: &RawTable) -> Result<Vec<PartFile>, RunError> {
        let held = self.dropped.lock().unwrap_or_else(PoisonError::into_inner).get(&raw.fingerprint).cloned();
        let dropped = match (held, &raw.dropped) {
            (Some(dropped), _) => dropped,
            (None, None) => Arc::default(),
            (None, Some(file)) => {
                let rows = Arc::new(source::dropped_rows(&self.shop.lake.store(), file).await?);
                self.dropped.lock().unwrap_or_else(PoisonError::into_inner).insert(raw.fingerprint, Arc::clone(&rows));
                rows
            }
        };
        let files = raw.exports.iter().flat_map(|e| &e.files);
        Ok(files.map(|f| part_file(f, dropped.get(&f.path).cloned().unwrap_or_default())).collect())
    }
}

pub(super) fn part_file(file: &DataFile, dropped: Vec<u64>) -> PartFile {
    PartFile { path: file.path.clone(), size_bytes: file.size_bytes, rows: file.rows, dropped }
}
