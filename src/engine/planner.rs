//! From an optimized statement to operators: ours where they are faster, then the engine's planner for all the rest.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::engine::few;
use crate::engine::ranks::{self, Ranks};
use crate::engine::shared::{self, Reader};
use crate::engine::windows::{self, Windows};

/// Plans statements.
#[derive(Debug)]
pub(super) struct Planner {
    /// Whether rows may wait in memory: for a second reader, or for their places in an order.
    pub holds: bool,
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = few::replace(plan.clone())?;
        let plan = if self.holds {
            shared::share(&windows::replace(ranks::replace(plan)?)?)?
        } else {
            windows::replace(plan)?
        };
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Ours)]);
        planner.create_physical_plan(&plan, session).await
    }
}

/// Plans what the engine does not know.
struct Ours;

#[async_trait]
impl ExtensionPlanner for Ours {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(reader) = node.as_any().downcast_ref::<Reader>() {
            return reader.plan(planner, session).await.map(Some);
        }
        let [input] = inputs else { return Ok(None) };
        let node = node.as_any();
        if let Some(ranks) = node.downcast_ref::<Ranks>() {
            return ranks::plan(ranks, input, planner, session, context).map(Some);
        }
        let windows = node.downcast_ref::<Windows>();
        windows.map(|windows| windows::plan(windows, input, planner, session, context)).transpose()
    }
}
