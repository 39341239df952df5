//! Executes the steps of a plan, as many computing side by side as there are cores, each after the steps it needs: a table can
//! be read as soon as its rows are written, while they are made durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::base::{Event, Fingerprint, SourceName, StepOutcome, TableName};
use crate::config::Check;
use crate::engine::{Effort, EngineError, PartFile, PartsTable, Seen, Table, Tables, read_schema};
use crate::lake::{CheckOutcome, Late, RawExport, StepRecord, TablePart};
use crate::plan::{At, Input, Own, Plan, Span, Step, Task, Timed, Wanted, WantedPart, WantedSource, WantedTable};
use crate::run::error::describe;
use crate::run::look::{Known, raw_export, with};
use crate::run::retry::retry;
use crate::run::slots::{Slot, Slots};
use crate::run::turns::{Turns, output};
use crate::run::{RunError, Workshop};
use crate::source::{self, Landing};
use crate::sql::Bindings;
use crate::stage::{self, Making, StageError, Window};

/// An export of this size is decoded on all cores. Two at once, and those that only wait for the disk beside them.
const LARGE_EXPORT: u64 = 32 << 20;
const LARGE_AT_ONCE: usize = 2;
/// Steps that only wait for the disk, beside those that compute.
const PUTTING_DOWN: usize = 16;

/// What working came to.
#[derive(Debug, Default)]
pub struct Work {
    pub records: Vec<StepRecord>,
    pub warnings: Vec<String>,
    /// Of the first step that failed.
    pub failure: Option<RunError>,
    pub failed: usize,
    /// Steps that ran and whose output a later plan of the same interval counts as there.
    pub counted: usize,
}

/// Positions of rows to leave out, by file.
type Dropped = BTreeMap<String, Vec<u64>>;

/// What tasks share.
#[derive(Clone)]
struct Bench {
    shop: Workshop,
    wanted: Arc<Wanted>,
    known: Arc<Mutex<Known>>,
    turns: Turns,
    dropped: Arc<Mutex<BTreeMap<Fingerprint, Arc<Dropped>>>>,
    /// Parts whose rows can be read though they may not be durable yet. Nothing but this run's own steps relies on them.
    written: Arc<Mutex<BTreeMap<Fingerprint, TablePart>>>,
    /// What was seen of tables that are one part, until their checks.
    seen: Arc<Mutex<BTreeMap<Fingerprint, Seen>>>,
}

enum Done {
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

/// Executes every step. A step that fails leaves the others their work, except those that need it.
pub async fn work(shop: &Workshop, plan: &Plan, known: &Arc<Mutex<Known>>, turns: &Turns) -> Work {
    let bench = Bench {
        shop: shop.clone(),
        wanted: Arc::new(plan.wanted.clone()),
        known: Arc::clone(known),
        turns: turns.clone(),
        dropped: Arc::default(),
        written: Arc::default(),
        seen: Arc::default(),
    };
    let mut work = Work::default();
    let mut state: Vec<State> = vec![State::Waiting; plan.steps.len()];
    let large: Vec<bool> = plan.steps.iter().map(|step| is_large(step, &plan.wanted)).collect();
    let one_core = one_core(plan);
    let slots = Slots::new(shop.engine.cores());
    let mut put_down: Vec<Arc<AtomicBool>> = plan.steps.iter().map(|_| Arc::default()).collect();
    let mut running = JoinSet::new();
    // Which step a task works on: after a panic its id is all there is.
    let mut tasks = HashMap::new();
    let mut alone = false;
    loop {
        for (state, put_down) in state.iter_mut().zip(&put_down) {
            if *state == State::Running && put_down.load(Ordering::SeqCst) {
                *state = State::Written;
            }
        }
        while !alone && running.len() < shop.engine.cores() + PUTTING_DOWN {
            let landing = (0..state.len()).filter(|at| large[*at] && state[*at] == State::Running).count();
            let ready = (0..state.len()).filter(|at| {
                state[*at].is_ready(&plan.steps[*at], plan, &state) && !(large[*at] && landing >= LARGE_AT_ONCE)
            });
            // What cannot use more cores later, or only at a price, begins first. Otherwise steps are in an order that can be
            // made, so the first that is ready is a good one to start.
            let Some(next) = ready.min_by_key(|at| (!one_core[*at], *at)) else { break };
            let frugal = state[next] == State::Again;
            if frugal && !running.is_empty() {
                break;
            }
            let Some(slot) = slots.take() else { break };
            alone = frugal;
            state[next] = State::Running;
            put_down[next] = slot.put_down();
            let (bench, step) = (bench.clone(), plan.steps[next].clone());
            shop.observer.see(&Event::StepStarted { step: step.task.to_string() });
            let effort = match frugal {
                true => Effort::Frugal,
                false if turns.several => Effort::Beside,
                false if cores_will_be_free(&state, plan, shop.engine.cores()) => Effort::Alone,
                false => Effort::Beside,
            };
            let (limit, key) = limit(shop, plan, &step);
            let task = running.spawn(async move {
                let _turn = bench.turns.make(output(&step, &bench.wanted)).await;
                slot.holds(bench.turns.core(effort == Effort::Frugal).await);
                let started = Instant::now();
                if bench.has(&step) {
                    return (Done::Found, started.elapsed());
                }
                let done = tokio::time::timeout(limit, execute(&bench, &step, effort, &slot)).await;
                let late = |_| Done::Failed(RunError::TimedOut { what: step.task.to_string(), limit, key });
                (done.unwrap_or_else(late), started.elapsed())
            });
            tasks.insert(task.id(), next);
        }
        let joined = tokio::select! {
            joined = running.join_next_with_id() => joined,
            () = slots.freed.notified() => continue,
        };
        let Some(joined) = joined else { break };
        alone = false;
        let (task, done, took) = match joined {
            Ok((task, (done, took))) => (task, done, took),
            Err(panic) => (panic.id(), Done::Failed(RunError::Panicked(panic.to_string())), Duration::ZERO),
        };
        let Some(at) = tasks.remove(&task) else { continue };
        settle(shop, plan, &mut state, &mut work, at, done, took);
    }
    for (at, step) in plan.steps.iter().enumerate() {
        if state[at] == State::Waiting {
            shop.observer.see(&Event::StepFinished {
                step: step.task.to_string(),
                outcome: StepOutcome::Skipped,
                took: Duration::ZERO,
            });
            work.records.push(record(step, "skipped", 0, Duration::ZERO, Some("a step it needs failed".to_owned())));
        }
    }
    // Steps end in the order of their length; people read them in the order of the plan.
    let place: BTreeMap<String, usize> =
        plan.steps.iter().enumerate().map(|(at, s)| (s.task.to_string(), at)).collect();
    work.records.sort_by_key(|r| place.get(&r.step).copied());
    work
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Again,
    Running,
    /// Its rows are there; they and their marker are being made durable.
    Written,
    Done,
    Failed,
}

impl State {
    /// A table may be made of tables that are written: where one of them cannot be made durable, the run fails and publishes
    /// nothing, and what was made of it is still what its fingerprint says. Everything else is made of what is durable.
    fn is_ready(self, step: &Step, plan: &Plan, all: &[State]) -> bool {
        let there = |need: usize| match all[need] {
            State::Done => true,
            State::Written => is_make(step) && is_make(&plan.steps[need]),
            _ => false,
        };
        matches!(self, State::Waiting | State::Again) && step.needs.iter().all(|need| there(*need))
    }
}

fn settle(shop: &Workshop, plan: &Plan, state: &mut [State], work: &mut Work, at: usize, done: Done, took: Duration) {
    let step = &plan.steps[at];
    let name = step.task.to_string();
    match done {
        Done::Ok { rows, warnings } => {
            state[at] = State::Done;
            work.counted += usize::from(step.task.is_counted());
            work.warnings.extend(warnings);
            work.records.push(record(step, "ran", rows, took, None));
            shop.observer.see(&Event::StepFinished { step: name, outcome: StepOutcome::Made { rows }, took });
        }
        Done::Found => {
            state[at] = State::Done;
            shop.observer.see(&Event::StepFinished { step: name, outcome: StepOutcome::Reused, took });
        }
        Done::OutOfMemory => {
            state[at] = State::Again;
            let why = "the engine's memory was used up; again alone, with joins that spill".to_owned();
            shop.observer.see(&Event::Retrying { what: name, attempt: 1, wait: Duration::ZERO, why });
        }
        Done::Failed(error) => {
            state[at] = State::Failed;
            let message = describe(&error);
            work.failed += 1;
            work.records.push(record(step, "failed", 0, took, Some(message.clone())));
            shop.observer.see(&Event::StepFinished { step: name, outcome: StepOutcome::Failed { message }, took });
            work.failure.get_or_insert(error);
        }
    }
}

fn record(step: &Step, outcome: &str, rows: u64, took: Duration, message: Option<String>) -> StepRecord {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    StepRecord {
        step: step.task.to_string(),
        outcome: outcome.to_owned(),
        why: step.why.clone(),
        rows,
        took_ms,
        message,
    }
}

/// Whether a statement that starts now will find cores that no other uses: it is the only one that can run, or fewer wait
/// than there are cores, so that those beside it end and leave theirs.
fn cores_will_be_free(state: &[State], plan: &Plan, cores: usize) -> bool {
    let makes = || (0..state.len()).filter(|at| is_make(&plan.steps[*at]));
    let waiting = makes().filter(|at| state[*at] == State::Waiting).count();
    let could_run =
        makes().filter(|at| state[*at] == State::Running || state[*at].is_ready(&plan.steps[*at], plan, state)).count();
    could_run <= 1 || waiting < cores
}

/// How long a step may last, and the setting that says so.
fn limit(shop: &Workshop, plan: &Plan, step: &Step) -> (Duration, &'static str) {
    let of_stage = match &step.task {
        Task::Make { table, at, .. } => plan.wanted.of(at.is_closed()).table(table),
        _ => None,
    };
    match of_stage.and_then(|t| t.node.stage.head.timeout) {
        Some(limit) => (limit, "`timeout` in the head of its stage"),
        None => (shop.pipeline.timeouts.step, "`timeouts: {step: …}`"),
    }
}

/// Which steps make a table by work that more cores than one do not make shorter.
fn one_core(plan: &Plan) -> Vec<bool> {
    let tables = plan.wanted.tables.iter().filter(|t| t.node.query.one_core);
    let tables: BTreeSet<&TableName> = tables.map(|t| t.node.table()).collect();
    let of = |step: &Step| matches!(&step.task, Task::Make { table, .. } if tables.contains(table));
    plan.steps.iter().map(of).collect()
}

fn is_make(step: &Step) -> bool {
    matches!(step.task, Task::Make { .. })
}

fn is_large(step: &Step, wanted: &Wanted) -> bool {
    let Task::Land { source, export, at, .. } = &step.task else { return false };
    let export = wanted
        .of(at.is_closed())
        .sources
        .get(source)
        .and_then(|s| s.exports.get(*export))
        .and_then(|e| e.listed.as_ref());
    export.is_some_and(|e| e.size_bytes >= LARGE_EXPORT)
}

async fn execute(bench: &Bench, step: &Step, effort: Effort, slot: &Slot) -> Done {
    let done = match &step.task {
        Task::Land { source, export, at, .. } => bench.land(source, *at, *export, slot).await,
        Task::Assemble { source, at } => bench.assemble(source, *at).await,
        Task::Make { table, at, part, .. } => bench.make(table, *at, *part, effort, slot).await,
        Task::Check { table } => bench.check(table, slot).await,
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

type Made = Result<(u64, Vec<String>), RunError>;

impl Bench {
    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        with(&self.known, look)
    }

    /// Whether what a step makes is there by now.
    fn has(&self, step: &Step) -> bool {
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

    async fn check(&self, name: &TableName, slot: &Slot) -> Made {
        let shop = &self.shop;
        let mut tables = Tables::new();
        let mut seen = None;
        let whole;
        let (fingerprint, checks_name, checks, bindings): (Fingerprint, Fingerprint, &[Check], &Bindings) =
            match name.source() {
                Some(source) => {
                    let wanted = self.source(&source, At::Run);
                    let checks = &shop.pipeline.sources[&source].checks;
                    whole = Input::Raw(source, wanted.raw);
                    (wanted.raw, wanted.checks, checks, &self.wanted.bindings)
                }
                None => {
                    let table = self.table(name, At::Run)?;
                    for (read, input) in &table.check_reads {
                        tables.insert(read.clone(), self.provider(read, input).await?);
                    }
                    whole = table.whole();
                    if let [part] = table.parts.as_slice() {
                        seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&part.fingerprint);
                    }
                    (table.fingerprint, table.checks, &table.node.stage.head.checks, &table.bindings)
                }
            };
        let mut outcomes = Vec::new();
        if !checks.is_empty() {
            tables.insert(name.clone(), self.provider(name, &whole).await?);
            outcomes = stage::check(&shop.engine, name, checks, bindings, &tables, seen).await?;
        }
        outcomes.extend(self.quarantine(name, checks));
        outcomes.extend(self.late_rows(name));
        slot.give_back();
        let outcomes = shop.lake.put_check_outcomes(name, &fingerprint, &checks_name, outcomes).await?;
        let rows = outcomes.first().map_or(0, |o| o.rows);
        self.known(|k| k.checks.insert((fingerprint, checks_name), outcomes));
        Ok((rows, vec![]))
    }

    /// The outcome of what was taken out of the flow: of a source always, of a stage when a check of its moves rows.
    fn quarantine(&self, name: &TableName, checks: &[Check]) -> Option<CheckOutcome> {
        if let Some(source) = name.source() {
            let balance = self.known(|k| k.raws.get(&self.wanted.sources[&source].raw).map(|r| r.balance))?;
            let limit = self.shop.pipeline.sources[&source].quarantine_limit;
            return Some(stage::quarantine_outcome(
                name,
                Some(limit),
                balance.quarantined,
                balance.landed + balance.deduplicated,
            ));
        }
        let moving = checks.iter().find(|c| c.severity == crate::config::Severity::Quarantine)?;
        let table = self.table(name, At::Run).ok()?;
        let (quarantined, kept) = self.known(|k| {
            let parts = table.parts.iter().filter_map(|p| k.parts.get(&p.fingerprint));
            parts.fold((0, 0), |(q, r), p| (q + p.rows_quarantined, r + p.rows))
        });
        Some(stage::quarantine_outcome(name, moving.limit.share, quarantined, kept))
    }

    /// Counts what the exports dated in a part brought that no part holds.
    async fn late(&self, table: &WantedTable, part: &WantedPart) -> Result<Option<Late>, RunError> {
        let mut windows = Vec::new();
        for timed in part.reads.values().filter_map(|input| if let Input::Timed(t) = input { Some(t) } else { None }) {
            // Exports of one part may end and begin to be read by others at different times.
            let mut alike: BTreeMap<Span, Vec<&Own>> = BTreeMap::new();
            for own in &timed.own {
                alike.entry(own.times).or_default().push(own);
            }
            for (times, own) in alike {
                windows.push(self.window(timed, times, &own)?);
            }
        }
        if table.node.stage.head.incremental.as_ref().is_none_or(|i| i.by.is_none()) {
            return Ok(None);
        }
        let failed = |cause| StageError::Check { table: table.node.table().clone(), check: "late".to_owned(), cause };
        Ok(Some(stage::late(&self.shop.engine, windows).await.map_err(failed)?))
    }

    fn window(&self, timed: &Timed, times: Span, own: &[&Own]) -> Result<Window, RunError> {
        let landed: Vec<Fingerprint> = own.iter().map(|o| o.landed).collect();
        Ok(Window {
            source: TableName::raw(&timed.source),
            table: self.landed(&timed.source, &landed)?,
            column: timed.column.clone(),
            times,
            dates: own.iter().map(|o| (o.path.clone(), o.date)).collect(),
        })
    }

    /// The outcome of rows that are in no part, where parts go by a time of the rows.
    fn late_rows(&self, name: &TableName) -> Option<CheckOutcome> {
        let table = self.table(name, At::Run).ok()?;
        let incremental = table.node.stage.head.incremental.as_ref()?;
        let by = incremental.by.as_ref()?;
        let late: Vec<Late> = self.known(|k| {
            let parts = table.parts.iter().filter_map(|p| k.parts.get(&p.fingerprint));
            parts.filter_map(|p| p.late.clone()).collect()
        });
        Some(stage::late_outcome(name, incremental, by, late.iter()))
    }

    /// The rows of some landed exports.
    fn landed(&self, source: &SourceName, landed: &[Fingerprint]) -> Result<PartsTable, RunError> {
        let missing = || RunError::Usage(format!("an export of `{source}` has not landed"));
        let files = self.known(|k| {
            let exports = landed.iter().map(|f| k.landed.get(f)).collect::<Option<Vec<_>>>()?;
            Some(exports.into_iter().flat_map(|e| &e.files).map(|f| part_file(f, vec![])).collect())
        });
        let source = self.shop.pipeline.sources.get(source).ok_or_else(missing)?;
        Ok(PartsTable::new(source::schema(source), files.ok_or_else(missing)?))
    }

    fn table(&self, name: &TableName, at: At) -> Result<&WantedTable, RunError> {
        let table = self.wanted.of(at.is_closed()).table(name);
        table.ok_or_else(|| RunError::Usage(format!("no stage makes `{name}`")))
    }

    fn source(&self, name: &SourceName, at: At) -> &WantedSource {
        &self.wanted.of(at.is_closed()).sources[name]
    }

    async fn provider(&self, name: &TableName, input: &Input) -> Result<Table, RunError> {
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
        let schema = match name.source().and_then(|s| self.shop.pipeline.sources.get(&s)) {
            Some(source) => source::schema(source),
            None => {
                // Of a table without this part any other says what its columns are, at whatever time.
                let any = || {
                    let tables = [false, true].into_iter().filter_map(|closed| self.wanted.of(closed).table(name));
                    let part = tables.flat_map(WantedTable::made).find_map(|part| self.part(&part))?;
                    part.files.first().map(|f| part_file(f, vec![]))
                };
                let file = files.first().cloned().or_else(any);
                let file = file.ok_or_else(|| RunError::Usage(format!("`{name}` has no file")))?;
                read_schema(&self.shop.lake.store(), &file).await?
            }
        };
        Ok(Arc::new(PartsTable::new(schema, files)))
    }

    /// A part, if its rows can be read.
    fn part(&self, made: &Fingerprint) -> Option<TablePart> {
        let known = self.known(|k| k.parts.get(made).cloned());
        known.or_else(|| self.written.lock().unwrap_or_else(PoisonError::into_inner).get(made).cloned())
    }

    async fn raw_files(&self, raw: &crate::lake::RawTable) -> Result<Vec<PartFile>, RunError> {
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

pub(super) fn part_file(file: &crate::lake::DataFile, dropped: Vec<u64>) -> PartFile {
    PartFile { path: file.path.clone(), size_bytes: file.size_bytes, rows: file.rows, dropped }
}
