//! Finds equal parts of a plan. Plans and runs nothing.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};
use tokio::sync::Mutex;

use super::{Part, Reader};

/// The plan, with every part that is worth it and read more than once planned as one.
pub(in crate::engine) fn share(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let mut parts = Parts::default();
    let root = parts.count(plan);
    parts.nodes[root].readers = 1;
    parts.decide();
    if parts.nodes.iter().all(|node| !node.shared) {
        return Ok(plan.clone());
    }
    let Parts { ids, nodes } = parts;
    let mut made = vec![None; nodes.len()];
    Rebuild { ids: &ids, nodes: &nodes, made: &mut made }.rebuild(plan)
}

/// The distinct parts of a plan: equal ones are one.
#[derive(Default)]
struct Parts<'p> {
    ids: HashMap<&'p LogicalPlan, usize>,
    /// Inputs come before what reads them.
    nodes: Vec<Node>,
}

struct Node {
    inputs: Vec<usize>,
    /// How many distinct parts read it, each as often as it does.
    readers: usize,
    /// Computing it costs more than handing out its rows.
    heavy: bool,
    shared: bool,
}

impl<'p> Parts<'p> {
    fn count(&mut self, plan: &'p LogicalPlan) -> usize {
        if let Some(id) = self.ids.get(plan) {
            return *id;
        }
        let inputs: Vec<usize> = plan.inputs().into_iter().map(|input| self.count(input)).collect();
        for input in &inputs {
            self.nodes[*input].readers += 1;
        }
        let id = self.nodes.len();
        self.nodes.push(Node { inputs, readers: 0, heavy: is_heavy(plan), shared: false });
        self.ids.insert(plan, id);
        id
    }

    /// What reads a shared part and does little itself is cheap, however much the part costs.
    fn decide(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let heavy = node.heavy || node.inputs.iter().any(|i| self.nodes[*i].heavy && !self.nodes[*i].shared);
            let node = &mut self.nodes[at];
            node.heavy = heavy;
            node.shared = heavy && node.readers > 1;
        }
    }
}

fn is_heavy(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            // Windows that are computed by columns.
            | LogicalPlan::Extension(_)
    )
}

struct Rebuild<'a, 'p> {
    ids: &'a HashMap<&'p LogicalPlan, usize>,
    nodes: &'a [Node],
    made: &'a mut Vec<Option<Arc<Part>>>,
}

impl Rebuild<'_, '_> {
    fn rebuild(&mut self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let id = self.ids.get(plan).copied().filter(|id| self.nodes[*id].shared);
        let Some(id) = id else { return self.with_inputs(plan) };
        let part = match &self.made[id] {
            Some(part) => Arc::clone(part),
            None => {
                let plan = self.with_inputs(plan)?;
                let part = Arc::new(Part { plan, readers: 0.into(), planned: Mutex::new(None) });
                self.made[id] = Some(Arc::clone(&part));
                part
            }
        };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(Reader::new(&part)) }))
    }

    fn with_inputs(&mut self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        Ok(plan.clone().map_children(|input| Ok(Transformed::yes(self.rebuild(&input)?)))?.data)
    }
}
