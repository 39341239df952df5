//! What the rows of a file are sorted by, as Parquet says it: where the engine knows, it sorts no more what is sorted, and groups
//! without a table of all groups.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};
use parquet::file::metadata::{ParquetMetaData, SortingColumn};

/// The order of what a plan gives, as far as it is one of columns; none where it comes in partitions.
pub(super) fn of(plan: &Arc<dyn ExecutionPlan>) -> Vec<SortingColumn> {
    // Of a nested column Parquet counts the leaves.
    if plan.output_partitioning().partition_count() > 1
        || plan.schema().fields().iter().any(|f| f.data_type().is_nested())
    {
        return vec![];
    }
    let sorted = plan.output_ordering().into_iter().flatten().map_while(|sort| {
        let column = sort.expr.downcast_ref::<Column>()?.index();
        let SortOptions { descending, nulls_first } = sort.options;
        Some(SortingColumn { column_idx: i32::try_from(column).ok()?, descending, nulls_first })
    });
    sorted.collect()
}

/// Whether rows come in the order that they are grouped by, or in that of the first columns of it.
pub fn is_grouped_by(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let grouped = |node: &Arc<dyn ExecutionPlan>| {
        node.downcast_ref::<AggregateExec>().is_some_and(|group| *group.input_order_mode() != InputOrderMode::Linear)
    };
    plan.exists(|node| Ok(grouped(node))).unwrap_or(false)
}

/// The order of a file, if all its rows are in it. It ends before a time: the engine takes every cast of one for a cast that keeps the order, and
/// that to a time of day or to another zone does not.
pub(super) fn read(file: &ParquetMetaData, schema: &Schema) -> Vec<PhysicalSortExpr> {
    let mut groups = file.row_groups().iter().map(|group| group.sorting_columns());
    let Some(Some(order)) = groups.next() else { return vec![] };
    if groups.any(|other| other != Some(order)) {
        return vec![];
    }
    let columns = file.file_metadata().schema_descr();
    let sorted = order.iter().map_while(|sorting| {
        let at = usize::try_from(sorting.column_idx).ok().filter(|at| *at < columns.num_columns())?;
        let column = Column::new_with_schema(columns.column(at).name(), schema).ok()?;
        if matches!(schema.field(column.index()).data_type(), DataType::Timestamp(..)) {
            return None;
        }
        let options = SortOptions { descending: sorting.descending, nulls_first: sorting.nulls_first };
        Some(PhysicalSortExpr::new(Arc::new(column), options))
    });
    sorted.collect()
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::SessionContext;
    use object_store::ObjectStore;
    use object_store::memory::InMemory;

    use super::*;
    use crate::base::TableName;
    use crate::engine::{
        Destination, Effort, Engine, PartFile, PartsTable, Settings, Tables, Watch, read_layout, write,
    };

    /// The rows of a statement as a table, and a session that knows it as `s.t`.
    async fn written(effort: Effort, sql: &str, read: Effort) -> (SessionContext, usize) {
        let lake: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let engine = Engine::new(Settings { memory_bytes: 1 << 28, cores: 2 }, Arc::clone(&lake)).expect("an engine");
        let session = engine.session(&Tables::new(), effort).expect("a session");
        let plan = session.sql(sql).await.expect("a plan").create_physical_plan().await.expect("a plan");
        let to = Destination { lake: Arc::clone(&lake), folder: "t".to_owned() };
        let (files, _) =
            write(plan, session.task_ctx(), &to, &Watch::default(), |e| engine.error(e)).await.expect("written");
        let files: Vec<PartFile> = files
            .into_iter()
            .map(|f| PartFile { path: f.path, size_bytes: f.size_bytes, rows: f.rows, dropped: vec![] })
            .collect();
        let layout = read_layout(&lake, &files[0]).await.expect("a layout");
        let count = files.len();
        let name = TableName::new("s", "t").expect("a name");
        let tables = Tables::from([(name, Arc::new(PartsTable::new(layout, files)) as _)]);
        (engine.session(&tables, read).expect("a session"), count)
    }

    async fn plan_of(session: &SessionContext, sql: &str) -> String {
        let plan = session.sql(sql).await.expect("a plan").create_physical_plan().await.expect(sql);
        displayable(plan.as_ref()).indent(false).to_string()
    }

    #[tokio::test]
    async fn what_is_sorted_is_not_sorted_again() {
        let rows = "(VALUES (2, 'x'), (1, 'y'), (NULL, 'z'), (2, 'a'), (3, NULL)) AS v (a, b)";
        let order = "ORDER BY a DESC NULLS LAST, b NULLS FIRST";
        let (session, _) =
            written(Effort::Beside, &format!("SELECT a + 1 AS c, a, b FROM {rows} {order}"), Effort::Beside).await;
        for (columns, order, is_known) in [
            ("b, a", order, true),
            ("a", "ORDER BY a DESC NULLS LAST", true),
            ("a", "ORDER BY a DESC NULLS FIRST", false),
            ("a", "ORDER BY a", false),
            ("b", "ORDER BY b", false),
            ("b, a", "ORDER BY a DESC NULLS LAST, b NULLS LAST", false),
        ] {
            let sql = format!("SELECT {columns} FROM s.t {order}");
            let plan = plan_of(&session, &sql).await;
            assert_eq!(!plan.contains("SortExec"), is_known, "{order}\n{plan}");
            let sorted = session.sql(&sql).await.expect("a plan").collect().await.expect("rows");
            let expected = session.sql(&format!("SELECT {columns} FROM {rows} {order}")).await.expect("a plan");
            let expected = expected.collect().await.expect("rows");
            let shown = |rows| pretty_format_batches(rows).expect("a table").to_string();
            assert_eq!(shown(&sorted), shown(&expected), "{order}");
        }
    }

    #[tokio::test]
    async fn what_is_in_order_of_days_is_in_that_of_months() {
        let rows = "SELECT customer, DATE '2024-01-01' + CAST(n * 17 AS INT) AS day \
                    FROM unnest(['a', 'b', 'c']) AS c (customer), unnest(range(0, 30)) AS r (n) ORDER BY customer, day";
        let (session, _) = written(Effort::Beside, rows, Effort::Beside).await;
        let by_month =
            "SELECT customer, CAST(date_trunc('month', day) AS DATE) AS month, count(*) AS n FROM s.t GROUP BY 1, 2";
        let windowed = format!(
            "SELECT customer, month, lag(month) OVER (PARTITION BY customer ORDER BY month) AS b FROM ({by_month}) AS m"
        );
        let plan = plan_of(&session, &windowed).await;
        assert!(plan.contains("ordering_mode=Sorted") && !plan.contains("SortExec"), "{plan}");
        for (sql, expected) in [(windowed.as_str(), true), ("SELECT day, count(*) FROM s.t GROUP BY day", false)] {
            let plan = session.sql(sql).await.expect("a plan").create_physical_plan().await.expect(sql);
            assert_eq!(is_grouped_by(&plan), expected, "{sql}");
        }
        let count = format!("SELECT count(*), sum(n) FROM ({by_month}) AS m");
        let rows = session.sql(&count).await.expect("a plan").collect().await.expect("rows");
        assert!(pretty_format_batches(&rows).expect("a table").to_string().contains("| 51       | 90 "), "{rows:?}");
    }

    /// Each of several partitions may be sorted; the table is not.
    #[tokio::test]
    async fn of_several_partitions_no_order_is_known() {
        let rows = "SELECT n, sum(1) OVER (PARTITION BY n % 7 ORDER BY n) AS s FROM unnest(range(0, 200000)) AS r (n)";
        let (session, files) = written(Effort::Alone, rows, Effort::Beside).await;
        assert_eq!(files, 2);
        let plan = plan_of(&session, "SELECT n FROM s.t ORDER BY n % 7, n").await;
        assert!(plan.contains("SortExec") && !plan.contains("output_ordering"), "{plan}");
    }

    /// A file of several row groups, read in parts by two cores: nothing is grouped twice, and nothing left out.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_grouped_in_order_is_what_is_grouped_by_hashes() {
        // Long keys, or the file would be too small for two.
        let key = "concat(pseudonym(x, 'a'), pseudonym(x, 'b'), pseudonym(x, 'c'))";
        let rows = format!(
            "SELECT CASE WHEN n % 10 > 0 THEN {key} END AS k, n \
             FROM (SELECT n, CAST(n % 150000 AS VARCHAR) AS x FROM unnest(range(0, 400000)) AS r (n)) AS t"
        );
        let grouped = |from: &str| format!("SELECT k, count(*) AS c, sum(n) AS s FROM ({from}) AS t GROUP BY k");
        for read in [Effort::Beside, Effort::Alone] {
            let (session, files) = written(Effort::Beside, &format!("{rows} ORDER BY k, n"), read).await;
            assert_eq!(files, 1);
            let (ordered, hashed) = (grouped("SELECT * FROM s.t"), grouped(&rows));
            let plan = plan_of(&session, &ordered).await;
            assert!(plan.contains("ordering_mode=Sorted"), "{plan}");
            assert_eq!(plan.contains("2 groups"), read == Effort::Alone, "{plan}");
            for (one, other) in [(&ordered, &hashed), (&hashed, &ordered)] {
                let different = format!("SELECT count(*) AS n FROM ({one} EXCEPT ALL {other}) AS d");
                let count = session.sql(&different).await.expect("a plan").collect().await.expect("rows");
                assert!(pretty_format_batches(&count).expect("a table").to_string().contains("| 0 "), "{read:?}");
            }
            let last = "SELECT k, n FROM s.t WHERE n % 7 = 0 ORDER BY k DESC NULLS FIRST, n DESC LIMIT 3";
            let expected = last.replace("s.t", &format!("({rows}) AS t"));
            let both = [session.sql(last).await, session.sql(&expected).await].map(|frame| frame.expect("a plan"));
            let [last, expected] = both.map(datafusion::dataframe::DataFrame::collect);
            let shown = |rows: Vec<_>| pretty_format_batches(&rows).expect("a table").to_string();
            assert_eq!(shown(last.await.expect("rows")), shown(expected.await.expect("rows")), "{read:?}");
        }
    }

    /// The engine would take the rows for sorted by their time of day.
    #[tokio::test]
    async fn of_times_no_order_is_known() {
        let rows = "SELECT CASE WHEN n < 5 THEN 'a' ELSE 'b' END AS k, CAST(1704139200 + n * 25200 AS TIMESTAMP) AS at \
                    FROM unnest(range(0, 9)) AS r (n) ORDER BY k, at";
        let (session, _) = written(Effort::Beside, rows, Effort::Beside).await;
        let plan = plan_of(&session, "SELECT k, CAST(at AS TIME) AS t, count(*) FROM s.t GROUP BY 1, 2").await;
        assert!(plan.contains("PartiallySorted([0])"), "{plan}");
    }

    #[tokio::test]
    async fn beside_nested_columns_no_order_is_told() {
        let nested = "SELECT [1, 2] AS l, column1 AS a FROM (VALUES (1), (2)) ORDER BY a";
        let (session, _) = written(Effort::Beside, nested, Effort::Beside).await;
        let plan = plan_of(&session, "SELECT a FROM s.t ORDER BY a").await;
        assert!(plan.contains("SortExec"), "{plan}");
    }
}
