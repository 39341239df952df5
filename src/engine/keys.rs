//! What the engine believes of keys is forgotten. It holds that columns which told the rows of a part of a statement apart still do so
//! after a join, an `unnest` or a grouping that made more rows of each, and then leaves out a DISTINCT, a key of ORDER BY or GROUP BY, or
//! a join that was needed: of six pairs two are counted. (`DataFusion` 55; apache/datafusion issues 23634, 23818, 23819 and 23820 and the
//! tests below are cases of it.) Nothing here declares a key, so all it knows of them it has inferred from groups: it is taken from what
//! a statement reads before that is planned, and from the plan before every rule that asks for it.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, FunctionalDependencies, Result};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Join, LogicalPlan, Projection, SubqueryAlias, Unnest, Window,
};
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::sql::sqlparser::ast::TableFactor;

/// The rules that ask what tells rows apart; one that does so right after the first needs no other.
const ASKING: [&str; 3] = ["replace_distinct_aggregate", "eliminate_duplicated_expr", "optimize_projections"];

/// The engine's own rules, with nothing known of keys.
pub(super) fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let own = Optimizer::new().rules.into_iter();
    own.flat_map(|rule| {
        let first = ASKING.contains(&rule.name()).then(|| Arc::new(Forget) as Arc<dyn OptimizerRule + Send + Sync>);
        first.into_iter().chain([rule])
    })
    .collect()
}

#[derive(Debug)]
struct Forget;

impl OptimizerRule for Forget {
    fn name(&self) -> &'static str {
        "forget_keys"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut any = false;
        plan.apply_with_subqueries(|node| {
            any = knows(node) || matches!(node, LogicalPlan::Distinct(Distinct::All(_)));
            Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        if any { plan.transform_up_with_subqueries(forget) } else { Ok(Transformed::no(plan)) }
    }
}

fn knows(plan: &LogicalPlan) -> bool {
    !plan.schema().functional_dependencies().is_empty()
}

/// A node whose inputs know nothing any more.
fn forget(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Distinct(Distinct::All(input)) = node {
        // The engine makes groups of all of them in one go, and would look at one for what it has inferred from another.
        let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        if columns.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
        }
        let groups = LogicalPlan::Aggregate(Aggregate::try_new(input, columns, vec![])?);
        return Ok(Transformed::yes(forget(groups)?.data));
    }
    if !knows(&node) {
        return Ok(Transformed::no(node));
    }
    let schema = forgotten(node.schema())?;
    Ok(Transformed::yes(match node {
        LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => {
            LogicalPlan::Aggregate(Aggregate::try_new_with_schema(input, group_expr, aggr_expr, schema)?)
        }
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            LogicalPlan::Projection(Projection::try_new_with_schema(expr, input, schema)?)
        }
        LogicalPlan::Window(Window { input, window_expr, .. }) => {
            LogicalPlan::Window(Window::try_new_with_schema(window_expr, input, schema)?)
        }
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => {
            LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(input, alias)?)
        }
        LogicalPlan::Join(join) => LogicalPlan::Join(Join { schema, ..join }),
        LogicalPlan::Unnest(unnest) => LogicalPlan::Unnest(Unnest { schema, ..unnest }),
        other => return Ok(Transformed::no(other)),
    }))
}

fn forgotten(schema: &DFSchemaRef) -> Result<DFSchemaRef> {
    let schema = schema.as_ref().clone();
    schema.with_functional_dependencies(FunctionalDependencies::empty()).map(Arc::new)
}

thread_local! {
    /// Whether the next relation is the one that is just being planned.
    static AGAIN: Cell<bool> = const { Cell::new(false) };
}

/// Plans what stands in FROM as the engine does, and forgets what it has inferred of keys: else a statement would be grouped by what is
/// taken to follow from its groups too.
#[derive(Debug)]
pub(super) struct Relations;

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if AGAIN.replace(false) {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        let (TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. }) = &mut relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let alias = alias.take();
        AGAIN.set(true);
        let planned = context.plan(relation);
        AGAIN.set(false);
        let mut plan = planned?;
        if knows(&plan) {
            let schema = forgotten(plan.schema())?;
            plan = LogicalPlan::Projection(Projection::new_from_schema(Arc::new(plan), schema));
        }
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Two groups `s` that are joined to three rows each, and `e`, where each has its rows again.
    const GROUPS: &str = "\
        WITH t AS (SELECT * FROM (VALUES ('b', 1), ('a', 1), ('a', 2)) AS t (k, x)),
             s AS (SELECT k, min(x) AS m FROM t GROUP BY k),
             d AS (SELECT s.k, u.v FROM s JOIN (VALUES (3), (1), (2)) AS u (v) ON u.v >= s.m),
             g AS (SELECT k, v, count(*) AS n FROM d GROUP BY k, v),
             a AS (SELECT k, array_agg(x ORDER BY x) AS xs FROM t GROUP BY k),
             e AS (SELECT k, unnest(xs) AS x FROM a) ";

    async fn rows(state: SessionStateBuilder, sql: &str) -> String {
        let context = SessionContext::new_with_state(state.with_default_features().build());
        let frame = context.sql(&format!("{GROUPS}{sql}")).await.expect("a plan");
        let table = pretty_format_batches(&frame.collect().await.expect("rows")).expect("a table").to_string();
        let rows = table.lines().skip(3).filter(|line| line.starts_with('|'));
        rows.map(|line| line.replace(['|', ' '], "")).collect::<Vec<_>>().join(" ")
    }

    fn forgetful() -> SessionStateBuilder {
        SessionStateBuilder::new().with_optimizer_rules(rules()).with_relation_planners(vec![Arc::new(Relations)])
    }

    #[tokio::test]
    async fn what_told_rows_apart_before_there_were_more_is_not_relied_on() {
        for (sql, expected) in [
            ("SELECT k, v FROM g ORDER BY k, v", "a1 a2 a3 b1 b2 b3"),
            ("SELECT DISTINCT k FROM g ORDER BY k", "a b"),
            ("SELECT count(*) FROM (SELECT DISTINCT k, v FROM g)", "6"),
            ("SELECT count(*) FROM (SELECT DISTINCT k FROM (SELECT DISTINCT k, v FROM d))", "2"),
            ("SELECT count(*) FROM (SELECT k FROM g GROUP BY k, v)", "6"),
            ("SELECT k, sum(n) FROM g GROUP BY k ORDER BY k", "a3 b3"),
            ("SELECT g.k, sum(g.n) AS n FROM g GROUP BY g.k ORDER BY n, k", "a3 b3"),
            ("SELECT count(*) FROM s JOIN g ON g.k = s.k", "6"),
            ("SELECT s.k FROM s JOIN g ON g.k = s.k ORDER BY s.k", "a a a b b b"),
            ("SELECT DISTINCT k FROM e ORDER BY k", "a b"),
            ("SELECT count(*) FROM (SELECT DISTINCT k, x FROM e)", "3"),
            ("SELECT k, x FROM e ORDER BY k, x DESC", "a2 a1 b1"),
            ("SELECT s.k FROM s LEFT JOIN e ON e.k = s.k ORDER BY s.k", "a a b"),
            ("SELECT k, count(*) FROM e GROUP BY k ORDER BY k", "a2 b1"),
            ("SELECT k, (SELECT count(DISTINCT e.x) FROM e WHERE e.k = s.k) FROM s ORDER BY k", "a2 b1"),
            ("SELECT k, m FROM (SELECT k, m FROM s GROUP BY k, m) AS x ORDER BY k, m", "a1 b1"),
        ] {
            assert_eq!(rows(forgetful(), sql).await, expected, "{sql}");
        }
    }

    /// When it is right by itself, this can go.
    #[tokio::test]
    async fn the_engine_alone_is_wrong() {
        let pairs = "SELECT count(*) FROM (SELECT DISTINCT k, x FROM e)";
        assert_ne!(rows(SessionStateBuilder::new(), pairs).await, "3");
    }
}
