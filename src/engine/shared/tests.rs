//! Through SQL: equal parts run once, and the rows are those of a plan that shares nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::engine::planner::Planner;

const ROWS: i64 = 20_000;

/// Orders of a thousand customers, on so many cores.
fn session(shares: bool, cores: usize, memory: usize) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(memory))).build_arc();
    let mut state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(cores))
        .with_runtime_env(runtime.expect("a runtime"))
        .with_default_features();
    if shares {
        state = state.with_query_planner(Arc::new(Planner { holds: true }));
    }
    let session = SessionContext::new_with_state(state.build());
    let batches: Vec<Vec<RecordBatch>> = (0..4).map(|part| vec![orders(part)]).collect();
    let table = MemTable::try_new(batches[0][0].schema(), batches).expect("a table");
    session.register_table("orders", Arc::new(table)).expect("registered");
    session
}

fn orders(part: i64) -> RecordBatch {
    let ids = || (part..ROWS).step_by(4);
    let customers: ArrayRef = Arc::new(StringArray::from_iter_values(ids().map(|i| format!("c{}", i * 7 % 1000))));
    let days: ArrayRef = Arc::new(Int64Array::from_iter_values(ids().map(|i| i * 13 % 365)));
    RecordBatch::try_from_iter([("customer", customers), ("day", days)]).expect("a batch")
}

async fn rows(session: &SessionContext, sql: &str) -> String {
    let batches = session.sql(sql).await.expect("planned").collect().await.expect("run");
    pretty_format_batches(&batches).expect("printed").to_string()
}

async fn plan(session: &SessionContext, sql: &str) -> String {
    let plan = session.sql(sql).await.expect("planned").create_physical_plan().await.expect("a plan");
    displayable(plan.as_ref()).indent(false).to_string()
}

const READ_TWICE: &str = "
    WITH firsts AS (SELECT customer, min(day) AS day, count(*) AS n FROM orders GROUP BY customer),
         early AS (SELECT customer, day, n FROM firsts WHERE day < 30)
    SELECT a.day, count(*) AS pairs, sum(a.n + b.n) AS n
    FROM early AS a JOIN early AS b ON a.day = b.day
    JOIN (SELECT max(day + n) AS c FROM firsts) AS t ON t.c > a.day
    GROUP BY a.day ORDER BY a.day";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_twice_is_made_once_and_has_the_same_rows() {
    for cores in [1, 3] {
        let (ours, theirs) = (session(true, cores, 1 << 30), session(false, cores, 1 << 30));
        let (shared, apart) = (plan(&ours, READ_TWICE).await, plan(&theirs, READ_TWICE).await);
        assert!(shared.contains("SharedExec: reader 2 of"), "{shared}");
        let scans = |text: &str| text.matches("DataSourceExec").count();
        assert_eq!((scans(&apart), scans(&shared)), (3, 1), "{shared}");
        assert_eq!(rows(&ours, READ_TWICE).await, rows(&theirs, READ_TWICE).await);
    }
}

#[tokio::test]
async fn a_plain_scan_is_not_held_in_memory() {
    let sql = "SELECT count(*) FROM orders a JOIN orders b ON a.day = b.day WHERE a.customer = 'c1'";
    let shared = plan(&session(true, 2, 1 << 30), sql).await;
    assert!(!shared.contains("SharedExec"), "{shared}");
}

#[tokio::test]
async fn a_reader_that_has_had_enough_stops_nobody() {
    let sql = "WITH f AS (SELECT customer, count(*) AS n FROM orders GROUP BY customer)
        SELECT (SELECT count(*) FROM f) AS all_of_them, customer FROM (SELECT customer FROM f ORDER BY customer LIMIT 2) AS t
        ORDER BY customer";
    let ours = session(true, 2, 1 << 30);
    assert_eq!(rows(&ours, sql).await, rows(&session(false, 2, 1 << 30), sql).await);
}

#[tokio::test]
async fn what_is_held_counts_as_memory_and_is_given_back() {
    let wide = "WITH f AS (SELECT customer, day, count(*) AS n FROM orders GROUP BY customer, day)
        SELECT count(*) FROM f AS a JOIN f AS b ON a.customer = b.customer AND a.n > b.n";
    let tight = session(true, 1, 64 << 10);
    let error = tight.sql(wide).await.expect("planned").collect().await.expect_err("too little memory");
    assert!(error.to_string().contains("Resources exhausted"), "{error}");
    let enough = session(true, 1, 1 << 30);
    rows(&enough, wide).await;
    assert_eq!(enough.runtime_env().memory_pool.reserved(), 0);
}
