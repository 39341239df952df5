//! Which of the steps that can run begins first: the one with most to do in it and in the longest row of steps after it. What begins
//! last is what one core is left with while the others have nothing to do.

use crate::plan::{Plan, Step, Task};

pub(super) struct Urgency {
    /// What steps read, known when they can run.
    reads: Vec<Option<u64>>,
    /// What is left to read from a step on, known when all exports have landed.
    left: Option<Vec<u64>>,
}

impl Urgency {
    pub(super) fn new(steps: usize) -> Self {
        Self { reads: vec![None; steps], left: None }
    }

    /// The greater, the sooner. `bytes` says what a step reads, as far as that is there.
    pub(super) fn of(&mut self, at: usize, all_landed: bool, plan: &Plan, bytes: impl Fn(&Step) -> u64) -> u64 {
        if all_landed {
            self.left.get_or_insert_with(|| left(plan, bytes))[at]
        } else {
            *self.reads[at].get_or_insert_with(|| bytes(&plan.steps[at]))
        }
    }
}

/// Bytes that a step and the longest row of those that wait for it read. Of a table that is not made yet nobody knows the size: it is
/// taken for half of what it is made from.
fn left(plan: &Plan, bytes: impl Fn(&Step) -> u64) -> Vec<u64> {
    let mut reads: Vec<u64> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let makes = |need: &&usize| matches!(plan.steps[**need].task, Task::Make { .. });
        let to_come = step.needs.iter().filter(makes).map(|need| reads[*need] / 2);
        reads.push(to_come.fold(bytes(step), u64::saturating_add));
    }
    let mut left = reads;
    let mut after = vec![0; left.len()];
    for (at, step) in plan.steps.iter().enumerate().rev() {
        left[at] = left[at].saturating_add(after[at]);
        for need in &step.needs {
            after[*need] = after[*need].max(left[at]);
        }
    }
    left
}
