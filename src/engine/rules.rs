//! The engine's rules, less what changes nothing here: of a night of one new export, planning takes as long as reading and reckoning.
//! And our own, for when what runs.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::unnest::UnnestExec;

use super::keys;

type Logical = Arc<dyn OptimizerRule + Send + Sync>;
type Physical = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

const SET_COMPARISON: &str = "rewrite_set_comparison";

/// Rules for what a statement says.
pub(super) fn logical() -> Vec<Logical> {
    let rules = keys::rules().into_iter();
    rules.map(|rule| if rule.name() == SET_COMPARISON { Arc::new(IfCompared(rule)) } else { rule }).collect()
}

/// Rules for how it is done.
pub(super) fn physical() -> Vec<Physical> {
    let mut rules = PhysicalOptimizer::new().rules;
    // Files are given their filters when a table is planned (`parts.rs`), and nothing that is learned later rules one out.
    rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
    // Of the two passes the second does what the first leaves.
    if let Some(first) = rules.iter().position(|rule| rule.name() == "ProjectionPushdown") {
        rules.remove(first);
    }
    rules.push(Arc::new(Pauses));
    rules
}

/// Operators that make many rows of one pause between the batches they make. What feeds them pauses by itself, but a few rows may keep a
/// join busy for hours, and while no thread pauses no time limit passes, no lease is renewed and no signal is heard.
#[derive(Debug)]
struct Pauses;

impl PhysicalOptimizerRule for Pauses {
    fn name(&self) -> &'static str {
        "pauses"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if !plan.exists(|node| Ok(multiplies(node)))? {
            return Ok(plan);
        }
        let placed = plan.transform_up(|node| {
            if multiplies(&node) {
                Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
            } else {
                Ok(Transformed::no(node))
            }
        });
        placed.data()
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn multiplies(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<CrossJoinExec>()
        || node.is::<HashJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<UnnestExec>()
}

/// `= ANY (SELECT …)` and its like are rare, and to look for one is a sixth of the work of going to rewrite it.
#[derive(Debug)]
struct IfCompared(Logical);

impl OptimizerRule for IfCompared {
    fn name(&self) -> &'static str {
        SET_COMPARISON
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut any = false;
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                any = any || expression.exists(|part| Ok(matches!(part, Expr::SetComparison(_))))?;
                Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        if any { self.0.rewrite(plan, config) } else { Ok(Transformed::no(plan)) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::optimizer::Optimizer;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// A name the engine gives up would leave everything as it was, only slower.
    #[test]
    fn what_is_left_out_is_there() {
        assert!(Optimizer::new().rules.iter().any(|rule| rule.name() == SET_COMPARISON));
        let (all, ours) = (PhysicalOptimizer::new().rules, physical());
        let count = |rules: &[Physical], name: &str| rules.iter().filter(|rule| rule.name().starts_with(name)).count();
        assert_eq!((count(&all, "ProjectionPushdown"), count(&ours, "ProjectionPushdown")), (2, 1));
        assert_eq!((count(&all, "FilterPushdown"), count(&ours, "FilterPushdown")), (2, 0));
        assert_eq!(all.len() + 1 - ours.len(), 3, "one of them is ours");
    }

    #[tokio::test]
    async fn sets_are_compared_wherever_they_stand() {
        let state = SessionStateBuilder::new().with_default_features();
        let state = state.with_optimizer_rules(logical()).with_physical_optimizer_rules(physical()).build();
        let context = SessionContext::new_with_state(state);
        let values = "(SELECT * FROM (VALUES (1), (2)) AS v (x))";
        for (sql, expected) in [
            (format!("SELECT count(*) FROM {values} AS t WHERE x >= ALL {values}"), "1"),
            (format!("SELECT count(*) FROM {values} AS t WHERE x < ANY {values}"), "1"),
            (
                format!(
                    "SELECT count(*) FROM (SELECT x FROM {values} AS t WHERE x <= ALL {values}) AS u WHERE u.x > 0"
                ),
                "1",
            ),
            (
                format!(
                    "SELECT count(*) FROM {values} AS t WHERE EXISTS (SELECT 1 FROM {values} AS u WHERE u.x < ANY {values})"
                ),
                "2",
            ),
        ] {
            let rows = context.sql(&sql).await.expect("a plan").collect().await.expect(&sql);
            let table = pretty_format_batches(&rows).expect("a table").to_string();
            let cell = table.lines().nth(3).expect("a row").replace(['|', ' '], "");
            assert_eq!(cell, expected, "{sql}");
        }
    }

    /// Of two threads none would ever be free to see that the time is over, and this test would not end.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_join_without_end_lets_go() {
        let state = SessionStateBuilder::new().with_default_features();
        let config = SessionConfig::new().with_target_partitions(2);
        let state = state.with_config(config).with_physical_optimizer_rules(physical()).build();
        let context = SessionContext::new_with_state(state);
        let rows: Vec<String> = (1..=60).map(|n| format!("({n})")).collect();
        context.sql(&format!("CREATE TABLE t (x INT) AS VALUES {}", rows.join(", "))).await.expect("a table");
        let endless = "SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g, t h WHERE a.x + b.x + c.x + d.x + e.x + f.x + g.x + h.x > 1";
        let counted = context.sql(endless).await.expect("a plan").collect();
        let counted = tokio::spawn(tokio::time::timeout(Duration::from_millis(300), counted));
        assert!(counted.await.expect("no panic").is_err(), "it cannot have come to its end");
    }
}
