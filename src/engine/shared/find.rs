//! Finds equal parts of a plan. Plans and runs nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::mem::discriminant;
use std::sync::Arc;

use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Extension, LogicalPlan};
use foldhash::fast::FixedState;
use tokio::sync::Mutex;

use super::{Part, Reader};

/// The plan, with every part that is worth it and read more than once planned as one.
pub(in crate::engine) fn share(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let mut parts = Parts::default();
    let root = parts.count(plan)?;
    parts.nodes[root].readers = 1;
    parts.decide();
    let nodes = parts.nodes;
    let mut made = vec![None; nodes.len()];
    Rebuild { nodes: &nodes, made: &mut made }.rebuild(plan, root)
}

/// The distinct parts of a plan: equal ones are one.
#[derive(Default)]
struct Parts<'p> {
    /// By their hashes, since a plan's own walks through all that is below it.
    ids: HashMap<u64, Vec<(&'p LogicalPlan, usize)>>,
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
    /// Whether it or anything below it is shared.
    shares: bool,
}

impl<'p> Parts<'p> {
    fn count(&mut self, plan: &'p LogicalPlan) -> Result<usize> {
        let inputs: Vec<usize> = plan.inputs().into_iter().map(|input| self.count(input)).collect::<Result<_>>()?;
        let alike = self.ids.entry(hash(plan, &inputs)?).or_default();
        if let Some((_, id)) = alike.iter().find(|(other, id)| self.nodes[*id].inputs == inputs && *other == plan) {
            return Ok(*id);
        }
        let id = self.nodes.len();
        alike.push((plan, id));
        for input in &inputs {
            self.nodes[*input].readers += 1;
        }
        self.nodes.push(Node { inputs, readers: 0, heavy: is_heavy(plan), shared: false, shares: false });
        Ok(id)
    }

    /// What reads a shared part and does little itself is cheap, however much the part costs.
    fn decide(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let heavy = node.heavy || node.inputs.iter().any(|i| self.nodes[*i].heavy && !self.nodes[*i].shared);
            let below = node.inputs.iter().any(|i| self.nodes[*i].shares);
            let node = &mut self.nodes[at];
            node.heavy = heavy;
            node.shared = heavy && node.readers > 1;
            node.shares = node.shared || below;
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

/// Of equal plans equal; of most others not.
fn hash(plan: &LogicalPlan, inputs: &[usize]) -> Result<u64> {
    let mut hasher = FixedState::default().build_hasher();
    if inputs.is_empty() {
        plan.hash(&mut hasher);
        return Ok(hasher.finish());
    }
    discriminant(plan).hash(&mut hasher);
    inputs.hash(&mut hasher);
    plan.apply_expressions(|expr| {
        expr.hash(&mut hasher);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(hasher.finish())
}

struct Rebuild<'a> {
    nodes: &'a [Node],
    made: &'a mut Vec<Option<Arc<Part>>>,
}

impl Rebuild<'_> {
    fn rebuild(&mut self, plan: &LogicalPlan, id: usize) -> Result<LogicalPlan> {
        if !self.nodes[id].shares {
            return Ok(plan.clone());
        }
        if !self.nodes[id].shared {
            return self.with_inputs(plan, id);
        }
        let part = match &self.made[id] {
            Some(part) => Arc::clone(part),
            None => {
                let plan = self.with_inputs(plan, id)?;
                let part = Arc::new(Part { plan, readers: 0.into(), planned: Mutex::new(None) });
                self.made[id] = Some(Arc::clone(&part));
                part
            }
        };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(Reader::new(&part)) }))
    }

    fn with_inputs(&mut self, plan: &LogicalPlan, id: usize) -> Result<LogicalPlan> {
        // In the order in which they were counted.
        let mut inputs = self.nodes[id].inputs.clone().into_iter();
        let rebuilt = plan.clone().map_children(|input| match inputs.next() {
            Some(id) => Ok(Transformed::yes(self.rebuild(&input, id)?)),
            None => internal_err!("a plan has more inputs than were counted"),
        })?;
        Ok(rebuilt.data)
    }
}
