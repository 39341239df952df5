//! Through SQL: the engine's own windows give the same places.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use crate::engine::planner::Planner;

/// Region, customer, day, net: nulls and equal values among them.
type Row = (Option<u8>, Option<String>, Option<i32>, Option<f64>);

fn batch(rows: &[Row]) -> RecordBatch {
    let number: ArrayRef = Arc::new(Int64Array::from_iter_values((0_i64..).take(rows.len())));
    let regions: ArrayRef = Arc::new(rows.iter().map(|r| r.0.map(|c| format!("region-{c}"))).collect::<StringArray>());
    let customers: ArrayRef = Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringArray>());
    let days: ArrayRef = Arc::new(rows.iter().map(|r| r.2).collect::<Date32Array>());
    let net: ArrayRef = Arc::new(rows.iter().map(|r| r.3).collect::<Float64Array>());
    let columns = [("n", number), ("region", regions), ("customer", customers), ("day", days), ("net", net)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).expect("a batch")
}

fn session(ours: bool, cores: usize, rows: &[Row], memory: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(cores).with_batch_size(7);
    let pool = Arc::new(GreedyMemoryPool::new(memory));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().expect("a runtime");
    let mut state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    if ours {
        state = state.with_query_planner(Arc::new(Planner { holds: true }));
    }
    let session = SessionContext::new_with_state(state.build());
    let whole = batch(rows);
    let batches = (0..rows.len()).step_by(5).map(|at| whole.slice(at, (rows.len() - at).min(5))).collect();
    let table = MemTable::try_new(whole.schema(), vec![batches]).expect("a table");
    session.register_table("t", Arc::new(table)).expect("registered");
    session
}

async fn rows(session: &SessionContext, sql: &str) -> Result<String, String> {
    let batches = session.sql(sql).await.expect("planned").collect().await.map_err(|e| e.to_string())?;
    Ok(pretty_format_batches(&batches).expect("printed").to_string())
}

/// Every place in several orders; row numbers and tiles only where the order leaves nothing open.
const EVERYTHING: &str = "
    SELECT n, region, customer, day, net,
        row_number() OVER (ORDER BY net DESC, n) AS a, ntile(4) OVER (ORDER BY day NULLS FIRST, n DESC) AS b,
        rank() OVER (ORDER BY customer) AS c, dense_rank() OVER (ORDER BY customer) AS d,
        percent_rank() OVER (ORDER BY net) AS e, cume_dist() OVER (ORDER BY net) AS f,
        ntile(3) OVER (ORDER BY customer, n) AS g, rank() OVER (PARTITION BY region ORDER BY day, customer DESC) AS h,
        row_number() OVER (PARTITION BY region ORDER BY day, n) AS i, ntile(2) OVER (PARTITION BY region, day ORDER BY n) AS j,
        percent_rank() OVER (PARTITION BY region ORDER BY day) AS k, dense_rank() OVER (PARTITION BY region ORDER BY net) AS l
    FROM t ORDER BY n";

fn row() -> impl Strategy<Value = Row> {
    let customer = prop_oneof![
        4 => "customer-00000[0-3]", 1 => Just(String::new()), 1 => Just("customer-00000".to_owned()), 1 => "[a-c\u{0}]{0,20}"];
    let net = prop_oneof![6 => (-4..9_i32).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)];
    (
        prop::option::weighted(0.9, 0..4_u8),
        prop::option::weighted(0.9, customer),
        prop::option::weighted(0.8, 0..9_i32),
        prop::option::weighted(0.8, net),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_as_the_engine(rows_in in prop::collection::vec(row(), 0..70), cores in 1..4_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let expected = rows(&session(false, cores, &rows_in, usize::MAX), EVERYTHING).await;
            let found = rows(&session(true, cores, &rows_in, usize::MAX), EVERYTHING).await;
            prop_assert_eq!(found, expected);
            Ok(())
        })?;
    }
}

async fn plan(session: &SessionContext, sql: &str) -> String {
    let plan = session.sql(sql).await.expect("planned").create_physical_plan().await.expect("a plan");
    displayable(plan.as_ref()).indent(false).to_string()
}

#[tokio::test]
async fn orders_over_the_same_rows_are_one_operator_and_need_no_sort() {
    let ours = session(true, 2, &[], usize::MAX);
    let plan = plan(
        &ours,
        "SELECT ntile(5) OVER (ORDER BY day, n) AS r, ntile(5) OVER (ORDER BY net, n) AS m,
                rank() OVER (ORDER BY customer) AS c FROM t",
    )
    .await;
    assert_eq!(plan.matches("RanksExec").count(), 1, "{plan}");
    assert!(!plan.contains("SortExec"), "{plan}");
}

#[tokio::test]
async fn what_is_read_from_another_place_or_in_no_order_stays_right() {
    let all: Vec<Row> = (0..20).map(|i| (Some(1), None, Some(i % 7), Some(f64::from(i)))).collect();
    let nested = "SELECT n, rank() OVER (ORDER BY place % 3, n) AS again
                  FROM (SELECT n, row_number() OVER (ORDER BY net DESC) AS place FROM t) AS p ORDER BY n";
    let found = rows(&session(true, 2, &all, usize::MAX), nested).await;
    assert_eq!(found, rows(&session(false, 2, &all, usize::MAX), nested).await);
    let unordered = plan(&session(true, 2, &all, usize::MAX), "SELECT row_number() OVER () FROM t").await;
    assert!(!unordered.contains("RanksExec"), "{unordered}");
}

#[tokio::test]
async fn memory_is_asked_for() {
    let all: Vec<Row> = (0..5_000).map(|i| (None, Some(format!("customer-{i}")), None, None)).collect();
    let sql = "SELECT max(place) FROM (SELECT rank() OVER (ORDER BY customer) AS place FROM t) AS p";
    let message = rows(&session(true, 1, &all, 100_000), sql).await.expect_err("too little");
    assert!(message.contains("RanksExec"), "{message}");
}
