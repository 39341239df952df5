//! `crm/basket` on what was sold and came back, and on which category follows which, told by hand.

use crate::crm::lines;
use crate::segments::stages;

/// Many customers who bought the same: lamps after beds, rugs and lamps after beds on one day, cups after beds, beds and lamps on one
/// day, rugs after lamps, and rugs after beds that were refunded in full.
const CATEGORIES: &str = "
    SELECT concat(who, n, bdate, category) AS order_id, CAST(1 AS BIGINT) AS line_id, concat(who, n) AS customer_key,
           category AS product_id, category, CAST(bdate AS DATE) AS bdate, CAST(1 AS BIGINT) AS quantity,
           CAST(10 AS DECIMAL(18, 4)) AS net, TRUE AS valid
    FROM (SELECT who, category, bdate, unnest(generate_series(1, customers)) AS n
          FROM (VALUES ('a', 24, 'beds', '2024-01-05'), ('a', 24, 'lamps', '2024-02-05'), ('a', 24, 'beds', '2024-03-05'),
                       ('b', 12, 'beds', '2024-01-05'), ('b', 12, 'rugs', '2024-02-05'), ('b', 12, 'lamps', '2024-02-05'),
                       ('c', 4, 'beds', '2024-01-05'), ('c', 4, 'cups', '2024-02-05'), ('d', 10, 'lamps', '2024-01-05'),
                       ('d', 10, 'beds', '2024-01-05'), ('e', 20, 'lamps', '2024-01-05'), ('e', 20, 'rugs', '2024-04-05'),
                       ('f', 30, 'beds', '2024-01-05'), ('f', 30, 'rugs', '2024-02-05'))
               AS t (who, customers, category, bdate)) AS each";

#[test]
fn the_next_category_is_one_that_was_never_bought() {
    let kept = "SELECT order_id, customer_key, bdate, net FROM core.order_lines
                WHERE NOT (starts_with(customer_key, 'f') AND category = 'rugs')";
    let project = stages(
        &["basket/basket/next_category.sql"],
        &[("core/order_lines", CATEGORIES.to_owned()), ("core/valid_orders", kept.to_owned())],
    );
    // Of 80 with beds 40 went on, 36 of them to lamps and 12 to rugs; the four with cups are too few, and so are the 20 who went on
    // from lamps, who count among all 60.
    assert_eq!(
        lines(
            &project,
            "category; place; next_category; customers; went_on; moved; round(share, 4); round(base_share, 4); round(lift, 4)",
            "FROM basket.next_category ORDER BY category, place"
        ),
        ["beds 1 lamps 80 40 36 0.9 0.6 1.5", "beds 2 rugs 80 40 12 0.3 0.5333 0.5625"]
    );
}

/// 160 orders of a cup, 30 of two rugs, 29 of a bed, and one of a cup and a rug; and what the lines say that came back.
fn sold(back: &str) -> String {
    format!(
        "SELECT concat(product_id, n) AS order_id, CAST(1 AS BIGINT) AS line_id, 'ann' AS customer_key, product_id,
                DATE '2024-03-01' AS bdate, CAST(quantity AS BIGINT) AS quantity, CAST(net AS DECIMAL(18, 4)) AS net, quantity > 0 AS valid
         FROM (SELECT product_id, quantity, net, unnest(generate_series(first, last)) AS n
               FROM (VALUES ('cup', 1, 1, 160, 10), ('rug', 2, 1, 30, 20), ('bed', 1, 1, 29, 30){back})
                    AS t (product_id, quantity, first, last, net)) AS each
         UNION ALL
         SELECT 'both' AS order_id, CAST(line_id AS BIGINT) AS line_id, 'ann' AS customer_key, product_id,
                DATE '2024-03-01' AS bdate, CAST(1 AS BIGINT) AS quantity, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
         FROM (VALUES (1, 'cup', 30), (2, 'rug', 10)) AS t (line_id, product_id, net)"
    )
}

/// Of a cup for 10, of one more than it cost, of a bed, of nobody knows what, and half of the order with two lines.
const REFUNDS: &str = "
    SELECT refund_id, order_id, DATE '2024-04-01' AS bdate, CAST(amount AS DECIMAL(18, 4)) AS amount
    FROM (VALUES ('r1', 'cup1', 4), ('r2', 'cup2', 25), ('r3', 'bed1', 30), ('r4', NULL, 99), ('r5', 'both', 20))
         AS t (refund_id, order_id, amount)";

#[test]
fn what_came_back_of_each_product() {
    let told = |back: &str| {
        let project = stages(
            &["basket/basket/returned_goods.sql"],
            &[("core/order_lines", sold(back)), ("core/refunds", REFUNDS.to_owned())],
        );
        let units = "product_id; orders; units; units_back; round(unit_rate, 4); round(unit_base_rate, 4); notable";
        let value = "basis; net; net_back; round(value_rate, 4); round(value_base_rate, 4)";
        lines(&project, &format!("{units}; {value}"), "FROM basket.returned_goods ORDER BY product_id")
    };
    // 4 cups, 16 times two rugs and a bed came back, 37 of 251; beds were on 29 orders only.
    assert_eq!(
        told(", ('cup', -1, 201, 204, -10), ('rug', -2, 101, 116, -20), ('bed', -1, 101, 101, -30)"),
        [
            "cup 161 161 4 0.0248 0.1474 false lines 1630.0000 40.0000 0.0245 0.1254",
            "rug 31 61 32 0.5246 0.1474 true lines 610.0000 320.0000 0.5246 0.1254",
        ]
    );
    // 4, 10 and three quarters of 20 for cups, a quarter for the rug, 30 for the bed: 64 of 3,110.
    assert_eq!(
        told(""),
        [
            "cup 161 161 null null null null refunds 1630.0000 29.0000 0.0178 0.0206",
            "rug 31 61 null null null null refunds 610.0000 5.0000 0.0082 0.0206",
        ]
    );
}

#[test]
fn what_was_paid_back_of_what_was_sold() {
    let project = stages(
        &[
            "basket/kpi/return_rate_value.sql",
            "core/core/valid_orders.sql",
            "core/core/customer_months.sql",
            "core/core/months.sql",
        ],
        &[
            (
                "core/orders",
                "SELECT order_id, 'ann' AS customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
                 FROM (VALUES ('1', '2024-01-05', 50), ('2', '2024-01-20', 150), ('3', '2024-05-02', 30)) AS t (order_id, bdate, net)"
                    .to_owned(),
            ),
            (
                "core/refunds",
                "SELECT refund_id, order_id, CAST(bdate AS DATE) AS bdate, CAST(amount AS DECIMAL(18, 4)) AS amount
                 FROM (VALUES ('r1', '1', '2024-01-06', 30), ('r2', '1', '2024-02-06', 40), ('r3', '2', '2024-02-06', 10),
                              ('r4', NULL, '2024-02-06', 5)) AS t (refund_id, order_id, bdate, amount)"
                    .to_owned(),
            ),
        ],
    );
    // Of the first order 70 went back, of which its 50 count.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 4); numerator; denominator; n",
            "FROM kpi.return_rate_value WHERE period NOT IN (DATE '2024-03-01', DATE '2024-04-01') ORDER BY period"
        ),
        [
            "2024-01-01 0.3 60.0000 200.0000 2",
            "2024-02-01 null 0.0000 0.0000 0",
            "2024-05-01 0.0 0.0000 30.0000 1",
            "2024-06-01 null 0.0000 0.0000 0",
        ]
    );
}
