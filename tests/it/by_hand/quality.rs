//! `crm/quality`: every dimension failed by rows that can be counted.

use super::refunds;
use crate::crm::lines;
use crate::segments::stages;

/// An order every Monday of the sixteen weeks before July 2024 but one of June, and on Fridays up to May; an order of a
/// stranger, one without a customer, one without a date, one of tomorrow without an amount, and a valid one for nothing. Of
/// names one was decoded wrongly; of lines one lacks product and amount, one belongs to no order; refunds lack order and
/// date, one is of nothing and one of tomorrow.
#[test]
fn what_fails_of_each_dimension() {
    let project = stages(
        &["quality/quality/dimensions.sql", "quality/quality/tables.sql", "quality/kpi/data_quality.sql"],
        &[
            (
                "core/customers",
                "SELECT customer_key, name, CAST(created_on AS DATE) AS created_on
                 FROM (VALUES ('ann', 'Ann', '2024-01-01'), ('bob', 'MÃ¼ller', '2024-07-01'), ('cid', NULL, NULL),
                      ('dan', 'Müller', '2024-06-30')) AS t (customer_key, name, created_on)"
                    .to_owned(),
            ),
            (
                "core/orders",
                "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
                      valid
                 FROM ( SELECT concat('w', n) AS order_id, 'ann' AS customer_key,
                      CAST(DATE '2024-03-11' + CAST(7 * n AS INT) AS VARCHAR) AS bdate, 10 AS net, TRUE AS valid
                 FROM (SELECT unnest(generate_series(0, 15)) AS n) AS w
                 WHERE n <> 13
                 UNION ALL
                 SELECT concat('f', n) AS order_id, 'bob' AS customer_key,
                      CAST(DATE '2024-03-15' + CAST(7 * n AS INT) AS VARCHAR) AS bdate, 10 AS net, TRUE AS valid
                 FROM (SELECT unnest(generate_series(0, 11)) AS n) AS w
                 UNION ALL
                 SELECT order_id, customer_key, bdate, net, valid
                 FROM (VALUES ('x1', 'eve', '2024-06-25', 5, TRUE), ('x2', NULL, '2024-06-25', 5, FALSE),
                      ('x3', 'ann', NULL, 0, FALSE), ('x4', 'ann', '2024-07-01', NULL, TRUE),
                      ('x5', 'ann', '2024-05-13', 0, TRUE)) AS t (order_id, customer_key, bdate, net, valid)) AS o"
                    .to_owned(),
            ),
            (
                "core/order_lines",
                "SELECT order_id, CAST(line_id AS BIGINT) AS line_id, 'ann' AS customer_key, product_id,
                      DATE '2024-06-01' AS bdate, CAST(quantity AS BIGINT) AS quantity,
                      CAST(net AS DECIMAL(18, 4)) AS net, valid
                 FROM (VALUES ('w1', 1, 'cup', 1, 10, TRUE), ('w1', 2, NULL, 0, NULL, TRUE),
                      ('nobody', 1, 'cup', -1, -5, FALSE),
                      ('w2', 1, 'cup', 1, -2, TRUE)) AS t (order_id, line_id, product_id, quantity, net, valid)"
                    .to_owned(),
            ),
            refunds(
                "('r1', 'w1', '2024-06-30', 5), ('r2', NULL, '2024-06-01', 0), ('r3', 'nobody', NULL, 3),
                 ('r4', 'w2', '2024-07-01', 3)",
            ),
        ],
    );
    // 32 orders have 96 key figures, of which three are missing. Of four Mondays and four Fridays of the last 28 days that
    // are usually busy one Monday and all Fridays have no order; nobody expects one on the Tuesday.
    assert_eq!(
        lines(
            &project,
            "table_name; dimension; checked; failing; round(score, 6)",
            "FROM quality.dimensions ORDER BY table_name, dimension"
        ),
        [
            "core.customers accuracy 3 1 0.666667",
            "core.customers uniqueness 4 0 1.0",
            "core.customers validity 3 1 0.666667",
            "core.order_lines completeness 12 2 0.833333",
            "core.order_lines consistency 4 1 0.75",
            "core.order_lines validity 4 2 0.5",
            "core.orders completeness 96 3 0.96875",
            "core.orders consistency 31 1 0.967742",
            "core.orders timeliness 8 5 0.375",
            "core.orders uniqueness 32 0 1.0",
            "core.orders validity 32 2 0.9375",
            "core.refunds completeness 8 2 0.75",
            "core.refunds consistency 3 1 0.666667",
            "core.refunds validity 4 2 0.5",
        ]
    );
    // (2/3 + 1 + 2/3) / 3; (10/12 + 3/4 + 2/4) / 3; (93/96 + 30/31 + 3/8 + 1 + 30/32) / 5; (6/8 + 2/3 + 2/4) / 3.
    assert_eq!(
        lines(
            &project,
            "table_name; dimensions; round(score, 6); worst_dimension; light",
            "FROM quality.tables ORDER BY table_name"
        ),
        [
            "core.customers 3 0.777778 accuracy red",
            "core.order_lines 3 0.694444 validity red",
            "core.orders 5 0.849798 timeliness amber",
            "core.refunds 3 0.638889 validity red",
        ]
    );
    // 3 + 4 + 3, 12 + 4 + 4, 96 + 31 + 8 + 32 + 32 and 8 + 3 + 4 were checked.
    assert_eq!(
        lines(&project, "period; round(value, 6); n; provisional", "FROM kpi.data_quality"),
        ["2024-06-30 0.638889 244 false"]
    );
}

/// One refund, whose company never says of which order it is, and nothing else.
#[test]
fn what_was_not_checked_has_no_score() {
    let project = stages(
        &["quality/quality/dimensions.sql", "quality/quality/tables.sql", "quality/kpi/data_quality.sql"],
        &[
            (
                "core/customers",
                "SELECT 'a' AS customer_key, 'a' AS name, DATE '2024-01-01' AS created_on
                 WHERE FALSE"
                    .to_owned(),
            ),
            (
                "core/orders",
                "SELECT 'a' AS order_id, 'a' AS customer_key, DATE '2024-01-01' AS bdate,
                      CAST(1 AS DECIMAL(18, 4)) AS net, TRUE AS valid
                 WHERE FALSE"
                    .to_owned(),
            ),
            (
                "core/order_lines",
                "SELECT 'a' AS order_id, CAST(1 AS BIGINT) AS line_id, 'a' AS customer_key, 'a' AS product_id,
                      DATE '2024-01-01' AS bdate, CAST(1 AS BIGINT) AS quantity, CAST(1 AS DECIMAL(18, 4)) AS net,
                      TRUE AS valid
                 WHERE FALSE"
                    .to_owned(),
            ),
            (
                "core/refunds",
                "SELECT 'r' AS refund_id, CAST(NULL AS VARCHAR) AS order_id, DATE '2024-01-01' AS bdate,
                      CAST(1 AS DECIMAL(18, 4)) AS amount"
                    .to_owned(),
            ),
        ],
    );
    assert_eq!(
        lines(
            &project,
            "table_name; dimension; checked; failing; score",
            "FROM quality.dimensions WHERE checked > 0 OR score IS NOT NULL ORDER BY table_name, dimension"
        ),
        ["core.refunds completeness 1 0 1.0", "core.refunds validity 1 0 1.0"]
    );
    assert_eq!(
        lines(&project, "table_name; dimensions; score; light", "FROM quality.tables"),
        ["core.refunds 2 1.0 green"]
    );
    assert_eq!(lines(&project, "period; value; n", "FROM kpi.data_quality"), ["2024-06-30 1.0 2"]);
}
