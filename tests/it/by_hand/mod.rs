//! Figures of single stages on rows that meet their edges, told by hand or worked out by another program, which is named there:
//! nobody, one customer, ties, missing values, refunds beyond the order, months that are not over, nothing to divide by, few.

mod basket;
mod channel;
mod forecast;
mod growth;
mod quality;
mod retention;
mod segment;
mod service;
mod value;
mod voice;

/// These stages, and those that read months from orders.
fn and_core<'a>(files: &[&'a str]) -> Vec<&'a str> {
    let core = ["core/core/valid_orders.sql", "core/core/customer_months.sql", "core/core/months.sql"];
    [files, &core[..]].concat()
}

/// `core.orders`, all valid: order, customer, day and net.
fn orders(rows: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
         FROM (VALUES {rows}) AS t (order_id, customer_key, bdate, net)"
    );
    ("core/orders", sql)
}

/// The same with what the goods cost.
fn costly_orders(rows: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
                CAST(cost AS DECIMAL(18, 4)) AS cost, TRUE AS valid
         FROM (VALUES {rows}) AS t (order_id, customer_key, bdate, net, cost)"
    );
    ("core/orders", sql)
}

/// `core.valid_orders`: order, customer, day and net.
fn valid_orders(rows: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net
         FROM (VALUES {rows}) AS t (order_id, customer_key, bdate, net)"
    );
    ("core/valid_orders", sql)
}

/// `core.purchase_days`: customer, day and the purchase day before.
fn days(rows: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT customer_key, CAST(bdate AS DATE) AS bdate, CAST(previous AS DATE) AS previous_day
         FROM (VALUES {rows}) AS t (customer_key, bdate, previous)"
    );
    ("core/purchase_days", sql)
}

/// `core.refunds`: refund, order, day and amount.
fn refunds(rows: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT refund_id, order_id, CAST(bdate AS DATE) AS bdate, CAST(amount AS DECIMAL(18, 4)) AS amount
         FROM (VALUES {rows}) AS t (refund_id, order_id, bdate, amount)"
    );
    ("core/refunds", sql)
}

fn no_refunds() -> (&'static str, String) {
    let sql = "SELECT '' AS refund_id, '' AS order_id, DATE '2024-01-01' AS bdate, CAST(0 AS DECIMAL(18, 4)) AS amount
               WHERE FALSE";
    ("core/refunds", sql.to_owned())
}
