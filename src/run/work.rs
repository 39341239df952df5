//! Executes the steps of a plan, as many computing side by side as there are cores, each after the steps it needs: a table can
//! be read as soon as its rows are written, while they are made durable.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::base::{Event, StepOutcome, TableName};
use crate::engine::Effort;
use crate::lake::StepRecord;
use crate::plan::{Plan, Step, Task, Wanted};
use crate::run::error::describe;
use crate::run::look::Known;
use crate::run::slots::Slots;
use crate::run::step::{Bench, Done};
use crate::run::turns::{Turns, output};
use crate::run::urgency::Urgency;
use crate::run::{RunError, Workshop};

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

/// Executes every step. A step that fails leaves the others their work, except those that need it.
pub async fn work(shop: &Workshop, plan: &Plan, known: &Arc<Mutex<Known>>, turns: &Turns) -> Work {
    let bench = Bench::new(shop, plan, known, turns);
    let mut work = Work::default();
    let mut state: Vec<State> = vec![State::Waiting; plan.steps.len()];
    let large: Vec<bool> = plan.steps.iter().map(|step| is_large(step, &plan.wanted)).collect();
    let one_core = one_core(plan);
    let mut urgency = Urgency::new(plan.steps.len());
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
        let mut began_now = Vec::new();
        while !alone && running.len() < shop.engine.cores() + PUTTING_DOWN {
            let landing = (0..state.len()).filter(|at| large[*at] && state[*at] == State::Running).count();
            let ready = (0..state.len()).filter(|at| {
                state[*at].is_ready(&plan.steps[*at], plan, &state) && !(large[*at] && landing >= LARGE_AT_ONCE)
            });
            // What cannot use more cores later begins first; then what most is left to do of, or at the end one core would do it.
            let all_landed = !plan.steps.iter().zip(&state).any(|(step, state)| lands(step) && state.is_to_come());
            let mut left = |at: usize| urgency.of(at, all_landed, plan, |step| bench.bytes(step));
            let Some(next) = ready.min_by_key(|at| (!one_core[*at], Reverse(left(*at)), *at)) else { break };
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
                false => effort(next, &state, plan, &slots, shop.engine.cores(), &began_now),
            };
            let (limit, key) = limit(shop, plan, &step);
            let task = running.spawn(async move {
                let _turn = bench.turns.make(output(&step, &bench.wanted)).await;
                slot.holds(bench.turns.core(effort == Effort::Frugal).await);
                let started = Instant::now();
                if bench.has(&step) {
                    return (Done::Found, started.elapsed());
                }
                let done = tokio::time::timeout(limit, bench.execute(&step, effort, &slot)).await;
                let late = |_| Done::Failed(RunError::TimedOut { what: step.task.to_string(), limit, key });
                (done.unwrap_or_else(late), started.elapsed())
            });
            tasks.insert(task.id(), next);
            began_now.push(next);
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
    fn is_to_come(self) -> bool {
        matches!(self, State::Waiting | State::Again | State::Running)
    }

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

/// What a statement that begins now may use: all cores where it is the only one that can run, or one of the last, and those that run
/// began before it, so that they end and leave theirs. Of two that begin together nobody knows which takes longer.
fn effort(of: usize, state: &[State], plan: &Plan, slots: &Slots, cores: usize, began_now: &[usize]) -> Effort {
    let makes = || (0..state.len()).filter(|at| is_make(&plan.steps[*at]));
    // What waits for it cannot run beside it.
    let mut after_it = vec![false; state.len()];
    for (at, step) in plan.steps.iter().enumerate().skip(of + 1) {
        after_it[at] = step.needs.iter().any(|need| *need == of || after_it[*need]);
    }
    let waiting = makes().filter(|at| state[*at] == State::Waiting && !after_it[*at]).count();
    let ready = makes().filter(|at| state[*at].is_ready(&plan.steps[*at], plan, state)).count();
    let running = makes().filter(|at| state[*at] == State::Running).count();
    let together = ready.min(slots.free()) + began_now.iter().filter(|at| is_make(&plan.steps[**at])).count();
    match running + ready {
        ..=1 => Effort::Alone,
        _ if waiting >= cores => Effort::Beside,
        _ if together > 0 => Effort::Last,
        _ => Effort::Alone,
    }
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

/// Whether a step brings rows into the lake.
fn lands(step: &Step) -> bool {
    matches!(step.task, Task::Land { .. } | Task::Assemble { .. })
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
