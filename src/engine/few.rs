//! Joins without a key to a side of few rows, such as `CROSS JOIN totals`: that side is the one that is held.
//!
//! The engine holds the left side and makes a batch of each of its rows. Where its rows are a million and the other side is one
//! total, that is a million batches of one row, and the million in memory. Which side is larger it only knows of files.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder};

/// So many rows are few, where the other side may have any number.
const FEW: usize = 256;

/// The plan with the side of few rows on the left of every such join.
pub(super) fn replace(plan: LogicalPlan) -> Result<LogicalPlan> {
    // To look costs less than to walk through a plan that others hold too.
    if !plan.exists(|plan| Ok(to_be_turned(plan).is_some()))? {
        return Ok(plan);
    }
    let replaced = plan.transform_up(|plan| {
        let Some(join) = to_be_turned(&plan) else { return Ok(Transformed::no(plan)) };
        let columns = join.schema.columns().into_iter().map(Expr::Column);
        let turned = Join::try_new(
            Arc::clone(&join.right),
            Arc::clone(&join.left),
            vec![],
            join.filter.clone(),
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        )?;
        let turned = LogicalPlanBuilder::from(LogicalPlan::Join(turned)).project(columns)?.build()?;
        Ok(Transformed::yes(turned))
    })?;
    Ok(replaced.data)
}

fn to_be_turned(plan: &LogicalPlan) -> Option<&Join> {
    let LogicalPlan::Join(join) = plan else { return None };
    let few = |side: &LogicalPlan| side.max_rows().is_some_and(|rows| rows <= FEW);
    let turned = join.join_type == JoinType::Inner && join.on.is_empty() && !few(&join.left) && few(&join.right);
    turned.then_some(join)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn planned(sql: &str) -> LogicalPlan {
        let session = SessionContext::new();
        session
            .sql("CREATE TABLE t AS VALUES (1, 'a'), (2, 'b'), (3, 'c')")
            .await
            .expect("a table")
            .collect()
            .await
            .expect("made");
        let frame = session.sql(sql).await.expect("a statement");
        frame.into_optimized_plan().expect("a plan")
    }

    fn shown(plan: &LogicalPlan) -> String {
        plan.display_indent().to_string()
    }

    #[tokio::test]
    async fn a_total_is_held_and_the_rows_pass_by() {
        for sql in [
            "SELECT t.column2, s.total FROM t CROSS JOIN (SELECT sum(column1) AS total FROM t) AS s",
            "SELECT t.column2, s.total FROM t, (SELECT sum(column1) AS total FROM t) AS s WHERE t.column1 < s.total",
        ] {
            let plan = planned(sql).await;
            let turned = replace(plan.clone()).expect("turned");
            assert_ne!(shown(&turned), shown(&plan), "{sql}");
            let names = |plan: &LogicalPlan| plan.schema().columns();
            assert_eq!(names(&turned), names(&plan), "the columns keep their order and their tables");
            assert_eq!(shown(&replace(turned.clone()).expect("once")), shown(&turned), "it is at rest");
        }
    }

    #[tokio::test]
    async fn what_has_a_key_or_is_small_on_the_left_stays() {
        for sql in [
            "SELECT t.column2, s.total FROM (SELECT sum(column1) AS total FROM t) AS s CROSS JOIN t",
            "SELECT a.column2 FROM t AS a JOIN (SELECT max(column1) AS m FROM t) AS b ON a.column1 = b.m",
            "SELECT a.column2 FROM t AS a CROSS JOIN t AS b",
            "SELECT t.column2 FROM t LEFT JOIN (SELECT max(column1) AS m FROM t) AS b ON t.column1 < b.m",
        ] {
            let plan = planned(sql).await;
            assert_eq!(shown(&replace(plan.clone()).expect("kept")), shown(&plan), "{sql}");
        }
    }
}
