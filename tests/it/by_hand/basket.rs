//! `crm/basket` on orders whose shares can be counted. Wilson's intervals are those of statsmodels' `proportion_confint`.

use super::{and_core, orders, refunds};
use crate::crm::lines;
use crate::segments::{stages, unmade};

/// 40 orders of a cup and a saucer, ten of which have two lines of cups, 60 of a cup, five of a saucer, 29 of a cup and a
/// rug, 51 of a rug and a cup that does not count; seven were refunded in full, nine are a day too old, and one lies on the
/// first day of the twelve months.
#[test]
fn what_chance_explains_is_not_offered() {
    let project = stages(
        &["basket/basket/affinity.sql", "basket/basket/next_product.sql"],
        &[
            (
                "core/order_lines",
                "SELECT concat(kind, n) AS order_id, CAST(line AS BIGINT) AS line_id, product_id, valid,
                      'ann' AS customer_key, DATE '2024-03-01' AS bdate, CAST(1 AS BIGINT) AS quantity,
                      CAST(10 AS DECIMAL(18, 4)) AS net
                 FROM (SELECT kind, line, product_id, valid, unnest(generate_series(1, orders)) AS n
                 FROM (VALUES ('a', 1, 'cup', TRUE, 40), ('a', 2, 'saucer', TRUE, 40), ('a', 3, 'cup', TRUE, 10),
                      ('b', 1, 'cup', TRUE, 60), ('c', 1, 'saucer', TRUE, 5), ('d', 1, 'cup', TRUE, 29),
                      ('d', 2, 'rug', TRUE, 29), ('e', 1, 'rug', TRUE, 51), ('e', 2, 'cup', FALSE, 51),
                      ('gone', 1, 'cup', TRUE, 7), ('gone', 2, 'saucer', TRUE, 7), ('old', 1, 'cup', TRUE, 9),
                      ('old', 2, 'saucer', TRUE, 9)) AS t (kind, line, product_id, valid, orders)) AS each"
                    .to_owned(),
            ),
            (
                "core/valid_orders",
                "SELECT DISTINCT order_id, customer_key,
                      CASE WHEN starts_with(order_id, 'old') THEN DATE '2023-06-30' WHEN order_id = 'a1' THEN DATE
                      '2023-07-01' ELSE bdate END AS bdate, net
                 FROM core.order_lines
                 WHERE NOT starts_with(order_id, 'gone')"
                    .to_owned(),
            ),
        ],
    );
    // Of 185 baskets 40 + 60 + 29 hold a cup and 45 a saucer; 29 with a rug are too few. 40 · 185 / (129 · 45) is 1.274763.
    assert_eq!(
        lines(
            &project,
            "product_a; product_b; together; baskets_a; baskets_b; baskets; round(support, 6); round(confidence, 6); round(lift, 6)",
            "FROM basket.affinity ORDER BY product_a"
        ),
        ["cup saucer 40 129 45 185 0.216216 0.310078 1.274763", "saucer cup 40 45 129 185 0.216216 0.888889 1.274763"]
    );
    // 40 of 45 are at least 0.7650 by Wilson, more than the 129 of 185 that hold a cup; 40 of 129 at least 0.2367, which is
    // less than 45 of 185.
    assert_eq!(
        lines(&project, "product_id; place; offer; together; round(confidence_low, 4)", "FROM basket.next_product"),
        ["saucer 1 cup 40 0.765"]
    );
}

/// Thirty baskets of a cup and a saucer, and others of nails.
#[test]
fn a_pair_is_in_a_thousandth_of_all_baskets() {
    let pairs = |baskets: u32| {
        let lines_of = format!(
            "SELECT CAST(n AS VARCHAR) AS order_id, CAST(line AS BIGINT) AS line_id, 'ann' AS customer_key,
                    CASE WHEN n > 30 THEN 'nail' WHEN line = 1 THEN 'cup' ELSE 'saucer' END AS product_id,
                    DATE '2024-03-01' AS bdate, CAST(1 AS BIGINT) AS quantity, CAST(1 AS DECIMAL(18, 4)) AS net, TRUE AS valid
             FROM (SELECT unnest(generate_series(1, {baskets})) AS n) AS o CROSS JOIN (VALUES (1), (2)) AS l (line)"
        );
        let project = stages(
            &["basket/basket/affinity.sql"],
            &[
                ("core/order_lines", lines_of),
                (
                    "core/valid_orders",
                    "SELECT DISTINCT order_id, customer_key, bdate, net FROM core.order_lines".to_owned(),
                ),
            ],
        );
        lines(&project, "product_a; product_b; together", "FROM basket.affinity ORDER BY product_a")
    };
    assert_eq!(pairs(30_000), ["cup saucer 30", "saucer cup 30"]);
    assert_eq!(pairs(30_001), [""; 0]);
}

/// Of 30 orders with a cup twelve are refunded, four of them twice; of 100 with a rug two, and nine on the day of the
/// moment. 40 refunds do not say their order, and beds are on 29 orders.
#[test]
fn on_how_many_orders_of_a_product_something_came_back() {
    let project = stages(
        &["basket/basket/returns.sql"],
        &[
            (
                "core/order_lines",
                "SELECT concat(kind, n) AS order_id, CAST(line AS BIGINT) AS line_id, product_id, valid,
                      'ann' AS customer_key, DATE '2024-03-01' AS bdate, CAST(1 AS BIGINT) AS quantity,
                      CAST(10 AS DECIMAL(18, 4)) AS net
                 FROM (SELECT kind, line, product_id, valid, unnest(generate_series(1, orders)) AS n
                 FROM (VALUES ('cup', 1, 'cup', TRUE, 30), ('rug', 1, 'rug', TRUE, 100),
                      ('bed', 1, 'bed', TRUE, 29), ('rug', 2, 'rug', TRUE, 50),
                      ('odd', 1, 'cup', FALSE, 20)) AS t (kind, line, product_id, valid, orders)) AS each"
                    .to_owned(),
            ),
            (
                "core/refunds",
                "SELECT concat('r', order_id, n) AS refund_id,
                      CASE WHEN order_id <> 'none' THEN order_id END AS order_id, CAST(bdate AS DATE) AS bdate,
                      CAST(5 AS DECIMAL(18, 4)) AS amount
                 FROM (SELECT CASE WHEN kind = 'none' THEN kind ELSE concat(kind, n) END AS order_id, bdate, n
                 FROM (SELECT kind, bdate, unnest(generate_series(1, orders)) AS n
                 FROM (VALUES ('cup', '2024-04-01', 12), ('cup', '2024-04-02', 4), ('rug', '2024-06-30', 2),
                      ('rug', '2024-07-01', 9), ('none', '2024-04-01', 40)) AS t (kind, bdate, orders)) AS e) AS f"
                    .to_owned(),
            ),
        ],
    );
    // Fourteen of 159 orders are 0.08805. 12 of 30 are at least 0.2459, more than twice that.
    assert_eq!(
        lines(
            &project,
            "product_id; orders; paid_back; return_rate; round(low, 4); round(high, 4); round(base_rate, 6); notable",
            "FROM basket.returns ORDER BY product_id"
        ),
        ["cup 30 12 0.4 0.2459 0.5768 0.08805 true", "rug 100 2 0.02 0.0055 0.07 0.08805 false"]
    );
}

/// The second order has a cup twice, the line of a rug on the third does not count, and the fifth has no lines.
#[test]
fn an_order_of_two_products_and_refunds_that_say_no_order() {
    let project = unmade(
        &and_core(&["basket/kpi/cross_sell.sql", "basket/kpi/return_rate.sql"]),
        &[
            orders(
                "('1', 'ann', '2024-01-05', 50), ('2', 'ann', '2024-01-06', 50), ('3', 'bob', '2024-01-07', 50),
                 ('4', 'bob', '2024-03-07', 50), ('5', 'cid', '2024-03-08', 50)",
            ),
            refunds("('r1', NULL, '2024-03-09', 10)"),
            (
                "core/order_lines",
                "SELECT order_id, CAST(line_id AS BIGINT) AS line_id, 'ann' AS customer_key, product_id,
                      DATE '2024-01-01' AS bdate, CAST(1 AS BIGINT) AS quantity, CAST(5 AS DECIMAL(18, 4)) AS net,
                      valid
                 FROM (VALUES ('1', 1, 'cup', TRUE), ('1', 2, 'rug', TRUE), ('2', 1, 'cup', TRUE),
                      ('2', 2, 'cup', TRUE), ('3', 1, 'cup', TRUE), ('3', 2, 'rug', FALSE),
                      ('4', 1, 'cup', TRUE)) AS t (order_id, line_id, product_id, valid)"
                    .to_owned(),
            ),
        ],
    );
    project.matins(&["run", "--as-of", "2024-04-01"]).ok();
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); numerator; denominator; round(low, 4); round(high, 4)",
            "FROM kpi.cross_sell ORDER BY period"
        ),
        ["2024-01-01 0.333333 1 3 0.0615 0.7923", "2024-02-01 null 0 0 null null", "2024-03-01 0.0 0 1 0.0 0.7935"]
    );
    // Nobody knows what was paid back of which order.
    assert_eq!(
        lines(&project, "period; value; numerator; denominator", "FROM kpi.return_rate ORDER BY period"),
        ["2024-01-01 null null 3", "2024-02-01 null null 0", "2024-03-01 null null 2"]
    );
}
