//! Through SQL: the engine's own windows give the same rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use crate::engine::planner::Planner;

/// Customer, day, orders, net: nulls and equal days among them.
type Row = (Option<u8>, Option<i32>, Option<i64>, Option<i64>);

fn state(ours: bool, cores: usize) -> SessionState {
    let config = SessionConfig::new().with_target_partitions(cores).with_batch_size(7);
    let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    for function in crate::engine::exact::functions() {
        datafusion::execution::FunctionRegistry::register_udaf(&mut state, function).expect("registered");
    }
    if !ours {
        return state;
    }
    SessionStateBuilder::new_from_existing(state).with_query_planner(Arc::new(Planner { holds: false })).build()
}

fn session(ours: bool, cores: usize, rows: &[Row]) -> SessionContext {
    let session = SessionContext::new_with_state(state(ours, cores));
    let batches: Vec<RecordBatch> = rows.chunks(5).map(batch).collect();
    let table = MemTable::try_new(batch(&[]).schema(), vec![batches]).expect("a table");
    session.register_table("t", Arc::new(table)).expect("registered");
    session
}

fn batch(rows: &[Row]) -> RecordBatch {
    let customers: ArrayRef = Arc::new(rows.iter().map(|r| r.0.map(|c| format!("c{c}"))).collect::<StringArray>());
    let days: ArrayRef = Arc::new(rows.iter().map(|r| r.1).collect::<Date32Array>());
    let orders: ArrayRef = Arc::new(rows.iter().map(|r| r.2).collect::<Int64Array>());
    let net = rows.iter().map(|r| r.3.map(i128::from)).collect::<Decimal128Array>();
    let net: ArrayRef = Arc::new(net.with_precision_and_scale(18, 4).expect("fits"));
    let columns = [("customer", customers), ("day", days), ("orders", orders), ("net", net)];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).expect("a batch")
}

async fn rows(session: &SessionContext, sql: &str) -> Result<String, String> {
    let batches = session.sql(sql).await.expect("planned").collect().await.map_err(|e| e.to_string())?;
    Ok(pretty_format_batches(&batches).expect("printed").to_string())
}

async fn is_ours(session: &SessionContext, sql: &str) -> bool {
    let plan = session.sql(sql).await.expect("planned").create_physical_plan().await.expect("a plan");
    displayable(plan.as_ref()).indent(false).to_string().contains("WindowColumnsExec")
}

/// Every function over every frame. Equal days stand in no order, so what depends on it is taken by all columns.
const EVERYTHING: &str = "
    SELECT customer, day, orders, net,
        row_number() OVER w AS a, lag(net) OVER w AS b, lead(day, 2) OVER w AS c, lag(customer, 3) OVER w AS d,
        first_value(orders) OVER w AS e, count(*) OVER w AS f, count(net) OVER w AS g, sum(orders) OVER w AS h,
        sum(net) OVER w AS i, min(day) OVER w AS j, max(net) OVER w AS k, max(customer) OVER w AS l,
        min(orders) OVER (PARTITION BY customer ORDER BY day, orders, net ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m,
        sum(net) OVER (PARTITION BY customer ORDER BY day, orders, net ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS n,
        count(orders) OVER (PARTITION BY customer ORDER BY day, orders, net ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS o,
        sum(net) OVER (PARTITION BY customer) AS p, max(day) OVER (PARTITION BY customer) AS q,
        sum(orders) OVER (PARTITION BY customer ORDER BY day DESC) AS r
    FROM t WINDOW w AS (PARTITION BY customer ORDER BY day, orders, net)
    ORDER BY customer, day, orders, net, a";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_same_as_the_engine(
        rows_in in prop::collection::vec(
            (prop::option::weighted(0.9, 0..6_u8), prop::option::weighted(0.9, 0..9_i32),
             prop::option::weighted(0.8, -3..9_i64), prop::option::weighted(0.8, -90_000..90_000_i64)), 0..90),
        cores in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (ours, theirs) = runtime.block_on(async {
            (rows(&session(true, cores, &rows_in), EVERYTHING).await, rows(&session(false, 1, &rows_in), EVERYTHING).await)
        });
        prop_assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn one_long_partition_among_many_short_ones() {
    let row = |i: i64| (Some(u8::from(i % 10 == 0)), Some(i32::try_from(i).expect("small")), Some(i), Some(i));
    let all: Vec<Row> = (0..100_000).map(row).collect();
    let sql = "SELECT customer, count(*) AS n, sum(h) AS h, max(b) AS b FROM (
        SELECT customer, sum(orders) OVER w AS h, lag(day) OVER w AS b FROM t
        WINDOW w AS (PARTITION BY customer ORDER BY day)) AS s GROUP BY customer ORDER BY customer";
    assert_eq!(rows(&session(true, 1, &all), sql).await, rows(&session(false, 1, &all), sql).await);
}

#[tokio::test]
async fn what_is_not_known_here_stays_the_engines() {
    let session = session(true, 2, &[]);
    let over = "(PARTITION BY customer ORDER BY day)";
    assert!(is_ours(&session, &format!("SELECT lag(day) OVER {over} FROM t")).await);
    for theirs in [
        format!("ntile(4) OVER {over}"),
        format!("lag(day, 1, DATE '2024-01-01') OVER {over}"),
        format!("avg(CAST(orders AS DOUBLE)) OVER {over}"),
        format!("count(*) FILTER (WHERE orders > 1) OVER {over}"),
        "count(*) OVER (PARTITION BY customer ORDER BY day ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)".to_owned(),
        "row_number() OVER (ORDER BY day)".to_owned(),
    ] {
        assert!(!is_ours(&session, &format!("SELECT {theirs} FROM t")).await, "{theirs}");
    }
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_an_error() {
    let rows_in: Vec<Row> = (0..2).map(|day| (Some(1), Some(day), Some(i64::MAX), None)).collect();
    let sql = "SELECT sum(orders) OVER (PARTITION BY customer ORDER BY day) FROM t";
    let error = rows(&session(true, 1, &rows_in), sql).await.expect_err("too large");
    assert!(error.contains("arithmetic overflow"), "{error}");
}
