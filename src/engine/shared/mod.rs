//! What a statement asks for more than once is computed once. Never changes what a statement means.
//!
//! The planner writes a common table expression out at every place that names it, so one that counts all orders is counted as
//! often as it is read, and what it reads as well. Here equal parts of an optimized plan that are worth it are found and
//! planned once; all their readers get the same rows. Readers that need other columns or other rows read other parts.

mod find;
mod rows;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use datafusion::catalog::Session;
use datafusion::common::DFSchemaRef;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::PhysicalPlanner;
use tokio::sync::Mutex;

pub(super) use find::share;
use rows::{SharedExec, SharedRows};

/// A part of a plan that several others read.
#[derive(Debug)]
struct Part {
    plan: LogicalPlan,
    readers: AtomicUsize,
    planned: Mutex<Option<Arc<SharedRows>>>,
}

/// One of its readers. It has no inputs, so that nobody changes the part for one reader alone.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    part: Arc<Part>,
    /// Which of the readers.
    at: usize,
}

impl Reader {
    fn new(part: &Arc<Part>) -> Self {
        Self { part: Arc::clone(part), at: part.readers.fetch_add(1, Relaxed) }
    }

    /// Plans the part when its first reader is planned.
    pub(super) async fn plan(
        &self,
        planner: &dyn PhysicalPlanner,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut planned = self.part.planned.lock().await;
        let rows = match &*planned {
            Some(rows) => Arc::clone(rows),
            None => {
                let plan = planner.create_physical_plan(&self.part.plan, session).await?;
                Arc::clone(planned.insert(Arc::new(SharedRows::new(plan, self.part.readers.load(Relaxed)))))
            }
        };
        Ok(Arc::new(SharedExec::new(rows, self.at)))
    }

    fn identity(&self) -> (usize, usize) {
        (Arc::as_ptr(&self.part).addr(), self.at)
    }
}

impl PartialEq for Reader {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Reader {}

impl PartialOrd for Reader {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.identity().partial_cmp(&other.identity())
    }
}

impl Hash for Reader {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl UserDefinedLogicalNodeCore for Reader {
    fn name(&self) -> &'static str {
        "Shared"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.part.plan.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Shared: reader {} of {}", self.at + 1, self.part.readers.load(Relaxed))
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}

#[cfg(test)]
mod tests;
