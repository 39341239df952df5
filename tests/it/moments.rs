//! A table may hold more than a moment knows: what happened at `$as_of` or later is in no figure, and a month closes on its day.

use crate::crm::{company, lines};

/// ann orders in both months and again after the moment; cid's second order is paid back after it.
const ORDERS: &str = "
    SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
    FROM (VALUES ('1', 'ann', '2024-01-05', 10), ('2', 'ann', '2024-02-03', 20), ('3', 'cid', '2024-02-01', 30),
                 ('4', 'cid', '2024-02-11', 40), ('5', 'ann', '2024-02-21', 50), ('6', 'ann', '2024-05-01', 60))
         AS t (order_id, customer_key, bdate, net)";

const REFUNDS: &str = "
    SELECT refund_id, order_id, CAST(bdate AS DATE) AS bdate, CAST(amount AS DECIMAL(18, 4)) AS amount
    FROM (VALUES ('r1', '3', '2024-02-14', 5), ('r2', '4', '2024-02-15', 40)) AS t (refund_id, order_id, bdate, amount)";

const LINES: &str = "
    SELECT order_id, CAST(1 AS BIGINT) AS line_id, customer_key, order_id AS product_id, order_id AS category, bdate,
           CAST(1 AS BIGINT) AS quantity, net, TRUE AS valid
    FROM core.orders";

#[test]
fn what_happens_later_is_in_no_figure() {
    let project = company(
        "interval: day\npacks: [shop, crm/core, crm/retention, crm/growth, crm/purchase, crm/basket]\n",
        &["core", "retention", "growth", "purchase", "basket"],
    )
    .with("sql/shop/core/orders.sql", ORDERS)
    .with("sql/shop/core/refunds.sql", REFUNDS)
    .with("sql/shop/core/order_lines.sql", LINES);
    project.matins(&["run", "--as-of", "2024-02-15"]).ok();
    assert_eq!(
        lines(&project, "order_id; refunded; net", "FROM core.valid_orders ORDER BY order_id"),
        ["1 0.0000 10.0000", "2 0.0000 20.0000", "3 5.0000 25.0000", "4 0.0000 40.0000"]
    );
    assert_eq!(
        lines(&project, "customer_key; month; orders; net; next_month", "FROM core.customer_months ORDER BY 1"),
        ["ann 2024-01-01 1 10.0000 2024-02-01", "ann 2024-02-01 1 20.0000 null", "cid 2024-02-01 2 65.0000 null"]
    );
    let february = |table: &str| {
        let of = format!("FROM {table} WHERE period = DATE '2024-02-01'");
        lines(&project, "CAST(value AS DOUBLE); numerator; denominator; n", &of).remove(0)
    };
    assert_eq!(february("kpi.net_revenue"), "85.0 null null 3");
    assert_eq!(february("kpi.average_order_value"), "28.333333333333332 85.0000 3 3");
    assert_eq!(february("kpi.return_rate"), "0.3333333333333333 1 3 3");
    // ann bought two products up to then, cid two.
    assert_eq!(february("kpi.category_cross_sell"), "1.0 2 2 2");
}

/// The 90 days of who was entered on 31 January end with 30 April.
#[test]
fn a_cohort_closes_when_its_last_contact_has_had_the_time() {
    let project = company(
        "interval: day\npacks: [shop, crm/core, crm/segment]\nkpis: [activation]\n",
        &["core", "segment"],
    )
    .with(
        "sql/shop/core/orders.sql",
        "SELECT '1' AS order_id, 'ann' AS customer_key, DATE '2024-01-20' AS bdate, CAST(10 AS DECIMAL(18, 4)) AS net, TRUE AS valid
         UNION ALL
         SELECT '2' AS order_id, 'bob' AS customer_key, DATE '2024-04-30' AS bdate, CAST(10 AS DECIMAL(18, 4)) AS net, TRUE AS valid",
    )
    .with(
        "sql/shop/core/customers.sql",
        "SELECT customer_key, CAST(created_on AS DATE) AS created_on
         FROM (VALUES ('ann', '2024-01-20'), ('bob', '2024-01-31'), ('cid', '2024-01-31')) AS t (customer_key, created_on)",
    )
    .with(
        "sql/shop/core/refunds.sql",
        "SELECT '' AS refund_id, '' AS order_id, DATE '2024-01-01' AS bdate, CAST(0 AS DECIMAL(18, 4)) AS amount WHERE FALSE",
    );
    let activation = |as_of: &str| {
        project.matins(&["run", "--as-of", as_of]).ok();
        let of = "FROM kpi.activation WHERE period = DATE '2024-01-01'";
        lines(&project, "round(value, 4); numerator; denominator; provisional", of).remove(0)
    };
    assert_eq!(activation("2024-04-30"), "null 1 3 true");
    assert_eq!(activation("2024-05-01"), "0.6667 2 3 false");
}
