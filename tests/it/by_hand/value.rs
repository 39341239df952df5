//! `crm/value`: what customers brought and what is expected of them, by hand and by the Python package lifetimes 0.11.3.

use super::{and_core, costly_orders, orders, refunds, valid_orders};
use crate::crm::lines;
use crate::segments::{stages, unmade};

/// ann buys twice on a day 91 days ago and once 35 days later, of which ten are paid back; all of cid is paid back, dan
/// buys on the day of the moment, and nobody knows what the goods of bob cost.
#[test]
fn what_purchase_models_read() {
    let project = stages(
        &["value/value/customers.sql", "value/value/assumptions.sql", "core/core/valid_orders.sql"],
        &[
            costly_orders(
                "('1', 'ann', '2024-04-01', 100, 60), ('2', 'ann', '2024-04-01', 20, 10),
                 ('3', 'ann', '2024-05-06', 50, 20), ('4', 'cid', '2024-05-06', 50, NULL),
                 ('5', 'dan', '2024-07-01', 50, 1), ('6', 'bob', '2024-06-30', 30, NULL)",
            ),
            refunds("('r1', '3', '2024-05-07', 10), ('r2', '4', '2024-06-30', 50)"),
        ],
    );
    // 120 · 1.1^(91/365) + 40 · 1.1^(56/365), and 30 · 1.1^(1/365).
    assert_eq!(
        lines(
            &project,
            "customer_key; x; t_x; round(t, 6); repeat_mean; net; margin; round(net_compounded, 4)",
            "FROM value.customers ORDER BY customer_key"
        ),
        ["ann 1 5.0 13.0 40.0 160.0000 70.0000 163.4748", "bob 0 0.0 0.142857 null 30.0000 null 30.0078"]
    );
    // 1.1^(1/12) and 1.1^(1/4).
    assert_eq!(
        lines(
            &project,
            "basis; margin_share; yearly_rate; round(monthly_rate, 6); round(quarterly_rate, 6)",
            "FROM value.assumptions"
        ),
        ["net 1.0 0.1 0.007974 0.024114"]
    );
}

#[test]
fn the_share_of_margin_where_every_cost_is_known() {
    let project = stages(
        &["value/value/customers.sql", "value/value/assumptions.sql", "core/core/valid_orders.sql"],
        &[
            costly_orders(
                "('1', 'ann', '2024-04-01', 100, 60), ('2', 'ann', '2024-04-01', 20, 10),
                 ('3', 'ann', '2024-05-06', 50, 20), ('4', 'cid', '2024-05-06', 50, NULL),
                 ('5', 'dan', '2024-07-01', 50, 1)",
            ),
            refunds("('r1', '3', '2024-05-07', 10), ('r2', '4', '2024-06-30', 50)"),
        ],
    );
    // 160 less 60, 10 and 20.
    assert_eq!(lines(&project, "basis; margin_share", "FROM value.assumptions"), ["margin 0.4375"]);
}

#[test]
fn nobody_is_worth_nothing_known() {
    let project = stages(
        &[
            "value/value/customers.sql",
            "value/value/assumptions.sql",
            "core/core/valid_orders.sql",
            "core/core/purchase_days.sql",
            "value/kpi/clv.sql",
            "value/value/scores.sql",
            "value/value/fits.sql",
            "value/value/models.sql",
            "value/value/equity.sql",
            "value/kpi/customer_equity.sql",
            "value/value/simple_clv.sql",
        ],
        &[
            costly_orders("('5', 'dan', '2024-07-01', 50, 1)"),
            refunds("('r1', '3', '2024-05-07', 10), ('r2', '4', '2024-06-30', 50)"),
        ],
    );
    assert_eq!(lines(&project, "basis; margin_share", "FROM value.assumptions"), ["net 1.0"]);
    assert_eq!(lines(&project, "value; n", "FROM kpi.clv"), ["null 0"]);
    assert_eq!(lines(&project, "value; n", "FROM kpi.customer_equity"), ["null 0"]);
    assert_eq!(
        lines(&project, "customers; yearly_value; retention; clv; clv_of_one_point", "FROM value.simple_clv"),
        ["0 null null null null"]
    );
}

/// Four of the five customers of the earlier year came again; windows begin on 1 July. One bought before both, and one on
/// the day of the moment.
#[test]
fn value_by_yearly_retention_as_gupta_and_lehmann_have_it() {
    let project = stages(
        &["value/value/simple_clv.sql"],
        &[
            valid_orders(
                "('0', 'a', '2023-06-30', 70), ('1', 'a', '2024-06-30', 100), ('2', 'b', '2022-07-01', 70),
                 ('3', 'b', '2023-07-01', 100), ('4', 'c', '2022-07-01', 70), ('5', 'c', '2023-07-01', 100),
                 ('6', 'd', '2022-07-01', 70), ('7', 'd', '2023-07-01', 100), ('8', 'e', '2023-01-01', 70),
                 ('9', 'f', '2024-01-01', 90), ('10', 'f', '2024-02-01', 70), ('11', 'g', '2024-03-01', 40),
                 ('12', 'h', '2022-06-30', 500), ('13', 'i', '2024-07-01', 900)",
            ),
            (
                "value/assumptions",
                "SELECT 'margin' AS basis, 0.5 AS margin_share, 0.12 AS yearly_rate, 0.0 AS monthly_rate,
                      0.0 AS quarterly_rate"
                    .to_owned(),
            ),
        ],
    );
    // Six brought 600 in the year, half of it margin. At 0.8 and 12 % the published multiple is 2.5 (catalogue, part C8);
    // 0.81 / 0.31 − 2.5 is 0.112903.
    assert_eq!(
        lines(
            &project,
            "basis; customers; yearly_value; at_risk; retained; retention; round(clv, 6); round(clv_of_one_point, 6); first_order",
            "FROM value.simple_clv"
        ),
        ["margin 6 50.0 5 4 0.8 125.0 5.645161 2022-06-30"]
    );
}

#[test]
fn value_without_an_earlier_year_is_not_known() {
    let project = stages(
        &["value/value/simple_clv.sql"],
        &[
            valid_orders("('1', 'ann', '2024-01-01', 50)"),
            (
                "value/assumptions",
                "SELECT 'margin' AS basis, 0.5 AS margin_share, 0.12 AS yearly_rate, 0.0 AS monthly_rate,
                      0.0 AS quarterly_rate"
                    .to_owned(),
            ),
        ],
    );
    assert_eq!(
        lines(&project, "customers; yearly_value; at_risk; retention; clv; clv_of_one_point", "FROM value.simple_clv"),
        ["1 25.0 0 null null null"]
    );
}

#[test]
fn value_where_all_came_again() {
    let project = stages(
        &["value/value/simple_clv.sql"],
        &[
            valid_orders("('1', 'ann', '2024-01-01', 60), ('2', 'ann', '2023-01-01', 60)"),
            (
                "value/assumptions",
                "SELECT 'margin' AS basis, 0.5 AS margin_share, 0.12 AS yearly_rate, 0.0 AS monthly_rate,
                      0.0 AS quarterly_rate"
                    .to_owned(),
            ),
        ],
    );
    // 1 / 0.12 of 30, and no point more can stay.
    assert_eq!(
        lines(&project, "retention; round(clv, 6); clv_of_one_point", "FROM value.simple_clv"),
        ["1.0 250.0 0.0"]
    );
}

#[test]
fn expectations_as_lifetimes_has_them() {
    let project = stages(
        &["value/value/scores.sql", "value/kpi/clv.sql", "value/value/equity.sql", "value/kpi/customer_equity.sql"],
        &[
            (
                "value/models",
                "SELECT model, r, alpha, a, b, p, q, gamma, TRUE AS knows_loss
                 FROM (VALUES ('MBG/NBD', 0.525, 6.183, 0.891, 1.614, NULL, NULL, NULL),
                      ('Gamma-Gamma', NULL, NULL, NULL, NULL, 6.25, 3.74, 15.44)) AS t (model, r, alpha, a, b, p, q,
                      gamma)"
                    .to_owned(),
            ),
            (
                "value/customers",
                "SELECT customer_key, CAST(first_order AS DATE) AS first_order, DATE '2024-06-01' AS last_order,
                      CAST(x AS BIGINT) AS x, t_x, t, repeat_mean
                 FROM (VALUES ('ann', '2023-07-01', 2, 30.43, 38.86, 20.0),
                      ('bob', '2023-06-30', 0, 0.0, 38.86, NULL),
                      ('cid', '2024-01-01', 7, 29.43, 38.86, 70.0)) AS t (customer_key, first_order, x, t_x, t,
                      repeat_mean)"
                    .to_owned(),
            ),
            (
                "value/assumptions",
                "SELECT 'margin' AS basis, 0.4 AS margin_share, 0.1 AS yearly_rate,
                      power(1.1, 1.0 / 12) - 1 AS monthly_rate, power(1.1, 0.25) - 1 AS quarterly_rate"
                    .to_owned(),
            ),
        ],
    );
    // ModifiedBetaGeoFitter with these parameters: P(alive) and purchases in 52 weeks; the mean by Fader & Hardie's note
    // 025, (gamma + x m) p / (p x + q − 1); values are sums over twelve months, and quarters, of 365.25 / 84 and 365.25 /
    // 28 weeks, of 0.4 of the mean, discounted by 10 % a year.
    assert_eq!(
        lines(
            &project,
            "customer_key; round(alive, 4); round(expected_purchases, 4); round(expected_mean, 4); round(clv_12, 3); round(clv_36, 3); basis",
            "FROM value.scores ORDER BY customer_key"
        ),
        [
            "ann 0.7062 1.5972 22.7362 13.89 28.315 margin",
            "bob 0.3897 0.1977 35.219 2.661 5.838 margin",
            "cid 0.6227 3.9647 67.9501 103.117 200.944 margin",
        ]
    );
    assert_eq!(
        lines(&project, "period; round(value, 3); round(numerator, 3); denominator; n; provisional", "FROM kpi.clv"),
        ["2024-06-30 39.889 119.668 3 3 false"]
    );
    // A new one: 35.219 · 0.4 at once, and what expected_number_of_purchases_up_to_time has in twelve quarters. Two came in
    // the last year, half a customer a quarter.
    assert_eq!(
        lines(
            &project,
            "basis; customers; round(present, 3); new_a_quarter; round(clv_of_new, 3); round(future, 3); round(equity, 3)",
            "FROM value.equity"
        ),
        ["margin 3 235.096 0.5 46.954 242.121 477.217"]
    );
    assert_eq!(
        lines(&project, "period; round(value, 3); n; provisional", "FROM kpi.customer_equity"),
        ["2024-06-30 477.217 3 false"]
    );
}

/// 900 customers of five rhythms and four kinds of loyalty, well mixed and always the same.
#[test]
fn what_models_expected_beside_what_came_as_lifetimes_has_it() {
    let project = stages(
        &["value/value/backtest.sql"],
        &[(
            "core/valid_orders",
            "WITH customers AS (
                 SELECT i, [3.0, 8.0, 20.0, 60.0, 180.0][i % 5 + 1] AS gap, [0.02, 0.1, 0.3, 0.6][i % 4 + 1] AS leaves
                 FROM (SELECT unnest(generate_series(1, 900)) AS i) AS numbers ),
                 steps AS (
                 SELECT i, k, -ln((i * 7919 + k * 104729) % 1009 / 1009.0 + 0.0005) * gap AS days,
                      CASE WHEN (i * 6007 + k * 35317) % 997 / 997.0 < leaves THEN 1 ELSE 0 END AS ends
                 FROM customers
                 CROSS JOIN (SELECT unnest(generate_series(0, 60)) AS k) AS k ),
                 walks AS (
                 SELECT i, k, coalesce(sum(days) OVER (PARTITION BY i
                 ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING
                      AND 1 PRECEDING), 0) AS at, coalesce(sum(ends) OVER (PARTITION BY i
                 ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS ended
                 FROM steps )
                 SELECT concat(i, ' ', k) AS order_id, CAST(i AS VARCHAR) AS customer_key,
                      CAST(DATE '2023-06-01' + CAST(i % 61 + floor(at) AS INT) AS DATE) AS bdate,
                      CAST(10 AS DECIMAL(18, 4)) AS net
                 FROM walks
                 WHERE ended = 0 AND at < 500"
                .to_owned(),
        )],
    );
    // BetaGeoFitter and ModifiedBetaGeoFitter, without penalty, of what was known on 1 January: r 0.3024, alpha 0.8241, a
    // 0.4139, b 1.2350, and 0.5518, 1.1880, 0.6820, 2.0349; the means by class, with pandas, of
    // conditional_expected_number_of_purchases_up_to_time 26 weeks on, and of the days that came.
    assert_eq!(
        lines(
            &project,
            "x; customers; round(bought, 4); round(bgnbd_expected, 3); round(mbgnbd_expected, 3); round(bgnbd_loss, 3); round(mbgnbd_loss, 3)",
            "FROM value.backtest ORDER BY x"
        ),
        [
            "0 318 0.2201 0.258 0.163 0.251 0.251",
            "1 220 0.3318 0.288 0.364 0.251 0.251",
            "2 70 1.3571 1.106 1.177 0.251 0.251",
            "3 55 1.3818 1.787 1.763 0.251 0.251",
            "4 41 1.1707 1.945 1.826 0.251 0.251",
            "5 32 0.75 1.342 1.191 0.251 0.251",
            "6 31 1.3226 1.662 1.485 0.251 0.251",
            "7 133 6.2256 9.453 8.335 0.251 0.251",
        ]
    );
}

/// bob gets 20 of 50 back in March; cid more than he paid, which is known on the day after.
#[test]
fn what_a_customer_has_brought_so_far() {
    let project = unmade(
        &and_core(&["value/kpi/value_to_date.sql"]),
        &[
            orders(
                "('1', 'ann', '2024-01-05', 100), ('2', 'bob', '2024-01-20', 50), ('3', 'ann', '2024-03-02', 30),
                 ('4', 'cid', '2024-04-02', 30)",
            ),
            refunds("('r1', '2', '2024-03-01', 20), ('r2', '4', '2024-04-10', 40)"),
        ],
    );
    project.matins(&["run", "--as-of", "2024-04-10"]).ok();
    assert_eq!(
        lines(&project, "period; value; numerator; n; provisional", "FROM kpi.value_to_date ORDER BY period"),
        [
            "2024-01-01 65.0 130.0000 2 false",
            "2024-02-01 65.0 130.0000 2 false",
            "2024-03-01 80.0 160.0000 2 false",
            "2024-04-01 63.333333333333336 190.0000 3 true",
        ]
    );
    project.matins(&["run", "--as-of", "2024-04-11"]).ok();
    // 110 + 30 + 20 of ann and bob.
    assert_eq!(
        lines(&project, "period; value; numerator; n", "FROM kpi.value_to_date WHERE period = DATE '2024-04-01'"),
        ["2024-04-01 80.0 160.0000 2"]
    );
}

/// ann is as probably lost as not, dan a little less; bob came once, cid is not of the top fifth; eve was gold a month ago.
#[test]
fn who_is_worth_a_call() {
    let project = unmade(
        &["value/value/at_risk.sql", "value/kpi/valuable_at_risk.sql"],
        &[
            (
                "segment/rfm",
                "SELECT customer_key, segment, DATE '2024-01-01' AS last_order,
                      CAST(frequency AS BIGINT) AS frequency, CAST(m AS BIGINT) AS m,
                      CAST(net AS DECIMAL(18, 4)) AS net
                 FROM (VALUES ('ann', 'At risk', 2, 5, 100), ('bob', 'Lost', 1, 5, 900),
                      ('cid', 'At risk', 5, 4, 900), ('dan', 'Champions', 9, 5, 900), ('eve', 'Lost', 3, 5, 90),
                      ('fay', 'At risk', 3, 5, 40)) AS t (customer_key, segment, frequency, m, net)"
                    .to_owned(),
            ),
            (
                "segment/tiers",
                "SELECT as_of, customer_key, tier
                 FROM (VALUES ($as_of, 'ann', 'gold'), ($prev_as_of, 'eve', 'gold')) AS t (as_of, customer_key, tier)"
                    .to_owned(),
            ),
            (
                "value/scores",
                "SELECT customer_key, alive, 7.0 AS clv_12
                 FROM (VALUES ('ann', 0.5), ('bob', 0.1), ('cid', 0.1), ('dan', 0.51), ('eve', 0.09),
                      ('fay', 0.1)) AS t (customer_key, alive)"
                    .to_owned(),
            ),
        ],
    );
    project.edit("pipelines/shop.yaml", "packs:", "params: {pseudonym_key: secret}\npacks:");
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    // 90 · 0.91, 100 · 0.5 and 40 · 0.9 are at stake; ann's pseudonym is that of Python's hmac.
    assert_eq!(
        lines(
            &project,
            "customer; segment; tier; net; alive; action; reason",
            "FROM value.at_risk ORDER BY net * (1 - alive) DESC"
        ),
        [
            "f8966c8cce Lost null 90.0000 0.09 offer silent for longer than the own rhythm explains",
            "aad4e6199b At risk gold 100.0000 0.5 call silent for longer than the own rhythm explains",
            "fc63c8341d At risk null 40.0000 0.1 call silent for longer than the own rhythm explains",
        ]
    );
    // 3 of 4 by Wilson (statsmodels).
    assert_eq!(
        lines(&project, "period; value; numerator; n; round(low, 4); round(high, 4)", "FROM kpi.valuable_at_risk"),
        ["2024-06-30 0.75 3 4 0.3006 0.9544"]
    );
}

/// Two of platinum, six of gold, sixteen of iron, three of lead. All of gold ordered a year and two years ago, of the
/// others every second. Of iron five would recommend the company (one had thought otherwise), four are passive and six
/// would not; the last answer is a day too old. Four of gold would not, one of lead has no score, one answers on the day of
/// the moment.
#[test]
fn loyalty_by_tier_and_what_few_said() {
    let project = stages(
        &["value/value/loyalty.sql"],
        &[
            (
                "segment/tiers",
                "SELECT as_of, concat(tier, n) AS customer_key, tier, CAST(net AS DECIMAL(18, 4)) AS net,
                      CAST(row_number() OVER (PARTITION BY as_of
                 ORDER BY net DESC, n) AS BIGINT) AS place
                 FROM (SELECT $as_of AS as_of, tier, net, unnest(generate_series(1, customers)) AS n
                 FROM (VALUES ('platinum', 2, 100), ('gold', 6, 50), ('iron', 16, 10),
                      ('lead', 3, 1)) AS t (tier, customers, net)
                 UNION ALL
                 SELECT $prev_as_of AS as_of, 'gold' AS tier, 5 AS net, 1 AS n) AS e"
                    .to_owned(),
            ),
            (
                "core/valid_orders",
                "SELECT concat(customer_key, k) AS order_id, customer_key,
                      CAST($as_of - CAST(k * 365.25 AS INT) AS DATE) AS bdate, CAST(1 AS DECIMAL(18, 4)) AS net
                 FROM (SELECT customer_key, tier, unnest(generate_series(1,
                      CASE WHEN tier = 'gold' OR place % 2 = 0 THEN 2 ELSE 1 END)) AS k
                 FROM segment.tiers
                 WHERE as_of = $as_of) AS e"
                    .to_owned(),
            ),
            (
                "core/survey_responses",
                "SELECT concat(customer_key, day) AS response_id, customer_key, survey, CAST(day AS DATE) AS bdate,
                      CAST(day AS TIMESTAMP) AS answered_at, CAST(nps AS BIGINT) AS nps
                 FROM (SELECT concat(tier, n) AS customer_key, survey, day, nps
                 FROM (SELECT tier, survey, day, nps, unnest(generate_series(first, last)) AS n
                 FROM (VALUES ('iron', 1, 5, 'relational', '2024-03-01', 9),
                      ('iron', 1, 1, 'relational', '2024-02-01', 0),
                      ('iron', 6, 9, 'relational', '2023-07-01', 8),
                      ('iron', 10, 15, 'relational', '2024-06-30', 6),
                      ('iron', 16, 16, 'relational', '2023-06-30', 0),
                      ('iron', 16, 16, 'transactional', '2024-03-01', 0),
                      ('gold', 1, 4, 'relational', '2024-03-01', 3),
                      ('lead', 1, 1, 'relational', '2024-03-01', NULL),
                      ('lead', 2, 2, 'relational', '2024-07-01', 10)) AS t (tier, first, last, survey, day,
                      nps)) AS e) AS f"
                    .to_owned(),
            ),
        ],
    );
    // Two and three are few: 2 of 5 ordered twice, (2 · 730 + 3 · 365) / 5 / 30.4375 months ago. 5 less 6 of 15, with
    // Rocks' interval by Python; six detractors brought 60.
    assert_eq!(
        lines(
            &project,
            "tier; customers; round(repeat_share, 4); round(tenure_months, 2); answers; round(nps, 2); round(nps_low, 2); round(nps_high, 2); detractor_net",
            "FROM value.loyalty"
        ),
        [
            "few 5 0.4 16.79 0 null null null null",
            "gold 6 1.0 23.98 4 null null null null",
            "iron 16 0.5 17.99 15 -6.67 -43.97 32.86 60.0000",
        ]
    );
}
