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
            self.left.get_or_insert_with(|| left(&plan.steps, bytes))[at]
        } else {
            *self.reads[at].get_or_insert_with(|| bytes(&plan.steps[at]))
        }
    }
}

/// Bytes that a step and the longest row of those that wait for it read. Of a table that is not made yet nobody knows the size: it is
/// taken for half of what it is made from.
fn left(steps: &[Step], bytes: impl Fn(&Step) -> u64) -> Vec<u64> {
    let mut reads: Vec<u64> = Vec::with_capacity(steps.len());
    for step in steps {
        let makes = |need: &&usize| matches!(steps[**need].task, Task::Make { .. });
        let to_come = step.needs.iter().filter(makes).map(|need| reads[*need] / 2);
        reads.push(to_come.fold(bytes(step), u64::saturating_add));
    }
    let mut left = reads;
    let mut after = vec![0; left.len()];
    for (at, step) in steps.iter().enumerate().rev() {
        left[at] = left[at].saturating_add(after[at]);
        for need in &step.needs {
            after[*need] = after[*need].max(left[at]);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::{Fingerprint, TableName};
    use crate::plan::At;

    fn step(table: &str, needs: &[usize]) -> Step {
        let table = TableName::new("s", table).expect("a name");
        Step {
            fingerprint: Fingerprint::of_bytes(table.table().as_bytes()),
            task: Task::Make { table, part: 0, period: None, at: At::Run },
            why: String::new(),
            needs: needs.to_vec(),
        }
    }

    /// `large` reads most and nothing waits for it; `narrow` reads little and gates what reads much.
    #[test]
    fn what_a_long_row_waits_for_comes_before_what_is_large() {
        let steps = [step("large", &[]), step("narrow", &[]), step("states", &[1]), step("moves", &[2])];
        let reads = BTreeMap::from([("large", 100), ("narrow", 20), ("states", 70), ("moves", 0)]);
        let bytes = |step: &Step| match &step.task {
            Task::Make { table, .. } => reads[table.table()],
            _ => 0,
        };
        // Of `narrow` half is read again, and of what `states` makes half of that.
        assert_eq!(left(&steps, bytes), [100, 20 + 80 + 40, 80 + 40, 40]);
    }

    #[test]
    fn what_cannot_be_added_up_is_as_urgent_as_can_be() {
        assert_eq!(left(&[step("a", &[]), step("b", &[0])], |_| u64::MAX), [u64::MAX; 2]);
    }
}
