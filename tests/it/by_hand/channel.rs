//! `crm/channel` and `crm/price`, told by hand; the regression is that of `SciPy`.

use super::{and_core, no_refunds, refunds};
use crate::crm::lines;
use crate::segments::{stages, unmade};

/// ann uses two channels within March 2023, bob one that is known; of cid none is. What dan bought in the second was
/// refunded beyond what he paid.
#[test]
fn a_second_channel_and_a_discount() {
    let project = unmade(
        &and_core(&["channel/kpi/multi_channel.sql", "price/kpi/discount_dependence.sql"]),
        &[
            (
                "core/orders",
                "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, channel,
                      CAST(net AS DECIMAL(18, 4)) AS net, CAST(discount AS DECIMAL(18, 4)) AS discount, TRUE AS valid
                 FROM (VALUES ('1', 'ann', '2023-01-05', 'web', 10, 0),
                      ('2', 'bob', '2023-01-06', 'web', 10, NULL), ('3', 'ann', '2023-03-05', 'shop', 30, 3),
                      ('4', 'bob', '2023-03-06', NULL, 20, 0), ('5', 'cid', '2023-03-07', NULL, 50, 1),
                      ('6', 'ann', '2023-03-08', 'web', 40, 0), ('7', 'dan', '2024-01-09', 'web', 10, 0),
                      ('8', 'dan', '2024-01-10', 'shop', 20, 2)) AS t (order_id, customer_key, bdate, channel, net,
                      discount)"
                    .to_owned(),
            ),
            refunds("('r1', '8', '2024-02-01', 25), ('r2', '5', '2023-04-01', 30)"),
        ],
    );
    project.matins(&["run", "--as-of", "2024-03-10"]).ok();
    // In the year to January 2024 are all four, in that to March only dan. 0 of 2, 1 of 3, 1 of 4 and 0 of 1 by Wilson
    // (statsmodels).
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); numerator; denominator; round(low, 4); round(high, 4); provisional",
            "FROM kpi.multi_channel
             WHERE period IN (DATE '2023-01-01', DATE '2023-03-01', DATE '2024-01-01', DATE '2024-03-01')
             ORDER BY period"
        ),
        [
            "2023-01-01 0.0 0 2 0.0 0.6576 false",
            "2023-03-01 0.333333 1 3 0.0615 0.7923 false",
            "2024-01-01 0.25 1 4 0.0456 0.6994 false",
            "2024-03-01 0.0 0 1 0.0 0.7935 true",
        ]
    );
    // In March 2023 the 30 of ann and the 20 that cid kept stand on a discount, of 30 + 20 + 20 + 40.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); numerator; denominator; n; provisional",
            "FROM kpi.discount_dependence
             WHERE period IN (DATE '2023-01-01', DATE '2023-02-01', DATE '2023-03-01', DATE '2024-01-01',
                  DATE '2024-03-01')
             ORDER BY period"
        ),
        [
            "2023-01-01 0.0 0.0000 20.0000 2 false",
            "2023-02-01 null 0.0000 0.0000 0 false",
            "2023-03-01 0.454545 50.0000 110.0000 4 false",
            "2024-01-01 0.0 0.0000 10.0000 1 false",
            "2024-03-01 null 0.0000 0.0000 0 true",
        ]
    );
}

/// ann buys in January and in February 2022, of another category and channel, bob in May 2023.
#[test]
fn a_year_of_silence_is_nobody_and_no_gap() {
    let project = unmade(
        &and_core(&[
            "channel/kpi/multi_channel.sql",
            "purchase/kpi/repeat_rate_12.sql",
            "basket/kpi/category_cross_sell.sql",
        ]),
        &[
            (
                "core/orders",
                "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, channel,
                      CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
                 FROM (VALUES ('1', 'ann', '2022-01-05', 'web', 10), ('2', 'ann', '2022-02-05', 'shop', 10),
                      ('3', 'bob', '2023-05-05', 'shop', 10)) AS t (order_id, customer_key, bdate, channel, net)"
                    .to_owned(),
            ),
            no_refunds(),
            (
                "core/order_lines",
                "SELECT order_id, CAST(1 AS BIGINT) AS line_id, customer_key, order_id AS product_id,
                      order_id AS category, bdate, CAST(1 AS BIGINT) AS quantity, net, TRUE AS valid
                 FROM core.orders"
                    .to_owned(),
            ),
        ],
    );
    project.matins(&["run", "--as-of", "2023-06-01"]).ok();
    // The twelve months to February 2022 hold ann twice, those to January 2023 once, those to February nobody. Wilson's
    // bound of 1 of 1 is 0.2065 (statsmodels).
    assert_eq!(
        lines(
            &project,
            "period; value; numerator; denominator; round(low, 4)",
            "FROM kpi.multi_channel
             WHERE period IN (DATE '2022-02-01', DATE '2023-01-01', DATE '2023-02-01', DATE '2023-04-01',
                  DATE '2023-05-01')
             ORDER BY period"
        ),
        [
            "2022-02-01 1.0 1 1 0.2065",
            "2023-01-01 0.0 0 1 0.0",
            "2023-02-01 null 0 0 null",
            "2023-04-01 null 0 0 null",
            "2023-05-01 0.0 0 1 0.0",
        ]
    );
    assert_eq!(
        lines(
            &project,
            "period; value; numerator; denominator; round(low, 4)",
            "FROM kpi.repeat_rate_12
             WHERE period IN (DATE '2022-02-01', DATE '2023-01-01', DATE '2023-02-01', DATE '2023-04-01',
                  DATE '2023-05-01')
             ORDER BY period"
        ),
        [
            "2022-02-01 1.0 1 1 0.2065",
            "2023-01-01 0.0 0 1 0.0",
            "2023-02-01 null 0 0 null",
            "2023-04-01 null 0 0 null",
            "2023-05-01 0.0 0 1 0.0",
        ]
    );
    assert_eq!(
        lines(
            &project,
            "period; value; numerator; denominator; round(low, 4)",
            "FROM kpi.category_cross_sell
             WHERE period IN (DATE '2022-02-01', DATE '2023-01-01', DATE '2023-02-01', DATE '2023-04-01',
                  DATE '2023-05-01')
             ORDER BY period"
        ),
        [
            "2022-02-01 1.0 1 1 0.2065",
            "2023-01-01 0.0 0 1 0.0",
            "2023-02-01 null 0 0 null",
            "2023-04-01 null 0 0 null",
            "2023-05-01 0.0 0 1 0.0",
        ]
    );
}

/// In May six customers buy twice on the web, five of them once in a shop, of whom one gets all back and another four of
/// what the web had; five say no channel.
#[test]
fn what_came_through_each_channel() {
    let project = stages(
        &and_core(&["channel/channel/mix.sql", "channel/channel/uplift.sql"]),
        &[
            (
                "core/orders",
                "SELECT concat(who, channel, n, bdate) AS order_id, concat(who, n) AS customer_key,
                      CAST(bdate AS DATE) AS bdate, channel, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
                 FROM (SELECT who, channel, bdate, net, unnest(generate_series(1, customers)) AS n
                 FROM (VALUES ('a', 'web', '2024-05-01', 10, 6), ('a', 'web', '2024-05-02', 5, 6),
                      ('a', 'shop', '2024-05-03', 20, 5), ('b', NULL, '2024-05-04', 7, 5),
                      ('c', 'web', '2023-06-30', 99, 8),
                      ('d', 'web', '2024-06-30', 3, 4)) AS t (who, channel, bdate, net, customers)) AS each"
                    .to_owned(),
            ),
            refunds("('r1', 'ashop12024-05-03', '2024-06-01', 20), ('r2', 'aweb22024-05-01', '2024-06-01', 4)"),
        ],
    );
    // Four are left in the shop, who are told with the next smallest, the five of whom nobody knows the channel: 4 · 20 + 5
    // · 7.
    assert_eq!(
        lines(&project, "month; channel; orders; customers; net", "FROM channel.mix ORDER BY month, channel"),
        ["2023-06-01 web 8 8 792.0000", "2024-05-01 few 9 9 115.0000", "2024-05-01 web 12 6 86.0000"]
    );
    // Two of the six and the four of June used one channel, 15 + 15 + 4 · 3 in 2 + 2 + 4 orders; the four who used both are
    // too few, and the eight of June 2023 a day too old.
    assert_eq!(
        lines(
            &project,
            "channels; customers; net_per_customer; round(orders_per_customer, 6)",
            "FROM channel.uplift ORDER BY channels"
        ),
        ["1 6 7.0 1.333333"]
    );
}

/// 24 weeks of five prices in turn, sold in two lines a week; a product of 19 weeks, and one of four prices.
#[test]
fn what_a_price_explains_of_what_is_sold() {
    let project = unmade(
        &["price/price/elasticity.sql"],
        &[(
            "core/order_lines",
            "SELECT concat(product_id, week, part) AS order_id, CAST(1 AS BIGINT) AS line_id,
                      'ann' AS customer_key, product_id,
                      CAST(DATE '2024-01-08' + CAST(7 * week + part AS INT) AS DATE) AS bdate,
                      CAST(CASE WHEN part = 0 THEN quantity - 10 ELSE 10 END AS BIGINT) AS quantity,
                      CAST(price * CASE WHEN part = 0 THEN quantity - 10 ELSE 10 END AS DECIMAL(18, 4)) AS net,
                      TRUE AS valid
                 FROM (SELECT product_id, week, price, 100 - 8 * price + week * 7 % 11 AS quantity
                 FROM (SELECT 'cup' AS product_id, week, [4, 5, 6, 8, 10][week % 5 + 1] AS price
                 FROM (SELECT unnest(generate_series(0, 23)) AS week) AS w
                 UNION ALL
                 SELECT 'few weeks' AS product_id, week, [4, 5, 6, 8, 10][week % 5 + 1] AS price
                 FROM (SELECT unnest(generate_series(0, 18)) AS week) AS w
                 UNION ALL
                 SELECT 'few prices' AS product_id, week, [4, 5, 6, 8][week % 4 + 1] AS price
                 FROM (SELECT unnest(generate_series(0, 23)) AS week) AS w) AS p) AS q
                 CROSS JOIN (VALUES (0), (6)) AS t (part)"
                .to_owned(),
        )],
    );
    project.matins(&["run", "--as-of", "2024-06-20"]).ok();
    // scipy.stats.linregress of ln(100 − 8 price + 7 week mod 11) on ln(price), its slope ± 1.959964 of its standard
    // errors: of the first 23 weeks on a Thursday of the last, when its Monday's line is there; of all; and of 23 again
    // where the 24 months begin with the Sunday of the first.
    assert_eq!(
        lines(
            &project,
            "weeks; prices; round(elasticity, 6); round(low, 6); round(high, 6); round(r_squared, 6)",
            "FROM price.elasticity WHERE product_id = 'cup'"
        ),
        ["23 5 -1.077732 -1.236667 -0.918797 0.893744"]
    );
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    assert_eq!(
        lines(
            &project,
            "product_id; weeks; prices; round(elasticity, 6); round(low, 6); round(high, 6); round(r_squared, 6)",
            "FROM price.elasticity"
        ),
        ["cup 24 5 -1.062945 -1.219836 -0.906055 0.889073"]
    );
    project.matins(&["run", "--as-of", "2026-01-14"]).ok();
    assert_eq!(lines(&project, "weeks; prices", "FROM price.elasticity WHERE product_id = 'cup'"), ["23 5"]);
}

/// At each of five prices one and two were sold in turn.
#[test]
fn a_price_that_explains_nothing_is_not_certain_to_explain_nothing() {
    let project = stages(
        &["price/price/elasticity.sql"],
        &[(
            "core/order_lines",
            "SELECT concat(price, n) AS order_id, CAST(1 AS BIGINT) AS line_id, 'ann' AS customer_key,
                      'cup' AS product_id, CAST(DATE '2024-01-01' + CAST(7 * (4 * price + n) AS INT) AS DATE) AS
                      bdate, CAST(n % 2 + 1 AS BIGINT) AS quantity,
                      CAST((n % 2 + 1) * price AS DECIMAL(18, 4)) AS net, TRUE AS valid
                 FROM (SELECT unnest(generate_series(1, 5)) AS price) AS p
                 CROSS JOIN (SELECT unnest(generate_series(0, 3)) AS n) AS w"
                .to_owned(),
        )],
    );
    // The slope is 0, and linregress has a standard error of 0.143712.
    assert_eq!(
        lines(&project, "weeks; prices; elasticity; round(low, 6); round(high, 6); r_squared", "FROM price.elasticity"),
        ["20 5 0.0 -0.28167 0.28167 0.0"]
    );
}
