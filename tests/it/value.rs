//! `crm/value` where a model has nothing to say or drifts, what cohorts are worth, and when `crm/roi` sees customers pay back.

use crate::crm::lines;
use crate::segments::{stages, unmade};

/// Customers who buy at rates of their own and never leave: of x repeat purchases in a year the last lies where x evenly spread
/// ones have it. The likelihoods of both models are greatest where nobody is ever lost.
const FAITHFUL: &str = "
    SELECT concat(x, ' ', n) AS customer_key, DATE '2024-06-01' AS last_order, CAST(x AS BIGINT) AS x,
           CASE WHEN x = 0 THEN 0.0 ELSE 52.0 * x / (x + 1) END AS t_x, 52.0 AS t,
           CASE WHEN x > 0 THEN 10.0 + n % 17 END AS repeat_mean
    FROM (SELECT x, unnest(generate_series(1, customers)) AS n
          FROM (VALUES (0, 120), (1, 100), (2, 90), (3, 80), (4, 70), (5, 60), (6, 50), (7, 40), (8, 30), (9, 20), (10, 12), (11, 8))
               AS t (x, customers)) AS each";

#[test]
fn a_model_that_knows_no_loss_says_so_and_nobody_is_called_alive() {
    let project = stages(
        &["value/value/fits.sql", "value/value/models.sql", "value/value/scores.sql", "value/kpi/valuable_at_risk.sql"],
        &[
            ("value/customers", FAITHFUL.to_owned()),
            // Nobody was there a month earlier.
            (
                "core/purchase_days",
                "SELECT 'ann' AS customer_key, DATE '2024-01-01' AS bdate, DATE '2024-01-01' AS first_day,
                        CAST(1 AS DECIMAL(18, 4)) AS net
                 WHERE FALSE"
                    .to_owned(),
            ),
            (
                "value/assumptions",
                "SELECT 'net' AS basis, 1.0 AS margin_share, 0.008 AS monthly_rate, 0.024 AS quarterly_rate".to_owned(),
            ),
            ("segment/rfm", "SELECT customer_key, 5 AS m, x + 1 AS frequency FROM value.customers".to_owned()),
        ],
    );
    assert_eq!(
        lines(&project, "model; coalesce(note, reason) IS NOT NULL", "FROM value.models WHERE model <> 'Gamma-Gamma'"),
        ["BG/NBD true", "MBG/NBD true"]
    );
    assert_eq!(lines(&project, "count(*); count(alive)", "FROM value.scores"), ["680 0"]);
    assert_eq!(
        lines(&project, "period; value; numerator; denominator; low", "FROM kpi.valuable_at_risk"),
        ["2024-06-30 null null 560 null"]
    );
    // What is told of the end of a day is told for good, in the middle of a month too.
    project.matins(&["run", "--as-of", "2024-07-12"]).ok();
    assert_eq!(lines(&project, "period; n; provisional", "FROM kpi.valuable_at_risk"), ["2024-07-11 560 false"]);
}

/// Customers whose repeat purchases lie in a year, those of every third in its first two months. The others come once more in June of the
/// next year, and spend sums of another kind.
const PURCHASE_DAYS: &str = "
    WITH customers AS (
        SELECT concat(x, ' ', n) AS customer_key, x, n
        FROM (SELECT x, unnest(generate_series(1, customers)) AS n
              FROM (VALUES (0, 300), (1, 120), (2, 70), (3, 45), (4, 30), (5, 22), (6, 16), (8, 12), (10, 8), (14, 5), (20, 3))
                   AS t (x, customers)) AS each
    ),
    days AS (
        SELECT customer_key, DATE '2023-06-01' + CAST(floor(k * CASE WHEN n % 3 = 0 THEN 60 ELSE 364 END / (x + 1)) AS INT) AS bdate,
               10 + n % 17 AS net
        FROM (SELECT *, unnest(generate_series(0, x)) AS k FROM customers) AS each
        UNION ALL
        SELECT customer_key, DATE '2024-06-05' + CAST(n % 20 AS INT) AS bdate, (10 + n % 17) * (1 + n % 7) AS net
        FROM customers
        WHERE x > 0 AND n % 3 > 0
    )
    SELECT customer_key, DATE '2023-06-01' AS first_day, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net
    FROM days";

const HISTORIES: &str = "
    SELECT customer_key, count(*) - 1 AS x, (max(bdate) - min(bdate)) / 7.0 AS t_x, ($as_of - min(bdate)) / 7.0 AS t,
           avg(CAST(net AS DOUBLE)) FILTER (WHERE bdate > first_day) AS repeat_mean
    FROM core.purchase_days
    WHERE bdate < $as_of
    GROUP BY customer_key";

#[test]
fn a_jump_is_taken_a_month_later_and_what_is_kept_until_then_is_what_was_believed() {
    let backtest = "SELECT 0 AS x, 10 AS customers, 0.5 AS bought, 0.5 AS bgnbd_expected, 0.5 AS mbgnbd_expected";
    let project = unmade(
        &["value/value/fits.sql", "value/value/models.sql", "value/value/fit_quality.sql"],
        &[
            ("core/purchase_days", PURCHASE_DAYS.to_owned()),
            ("value/customers", HISTORIES.to_owned()),
            ("value/backtest", backtest.to_owned()),
        ],
    );
    let fits = |moment: &str| {
        lines(
            &project,
            "model; r; alpha; a; b; p; q; gamma; correlation; log_likelihood; converged; n; iterations; reason",
            &format!("FROM value.fits WHERE moment = '{moment}' ORDER BY model"),
        )
    };
    let spend = || lines(&project, "round(p, 1); kept; note", "FROM value.models WHERE model = 'Gamma-Gamma'");
    project.matins(&["run", "--as-of", "2024-06-01"]).ok();
    let in_june = fits("now");
    assert_eq!((in_june.len(), spend()), (3, vec!["41.0 false null".to_owned()]));

    project.matins(&["run", "--as-of", "2024-07-01"]).ok().says("the parameters in use are this month's");
    let in_july = fits("now");
    assert_eq!(fits("a month earlier"), in_june, "the earlier fit is that of then, to the last digit");
    assert_eq!(spend(), ["41.0 true kept from a month earlier: p moved by 80 %"]);
    let kept = "FROM value.models AS m
                INNER JOIN value.fits AS f ON f.model = m.model AND f.moment = 'a month earlier'
                WHERE m.kept";
    assert_eq!(
        lines(&project, "bool_and(m.n = f.n AND m.log_likelihood = f.log_likelihood)", kept),
        ["true"],
        "all of the row is of the fit in use"
    );

    // Nobody comes in July, so what June was like has stayed.
    project.matins(&["run", "--as-of", "2024-08-01"]).ok();
    assert_eq!(fits("a month earlier"), in_july);
    assert_eq!(spend(), ["73.7 false null"]);
}

/// Of 2,520 customers a k-th part is left in the k-th month, and each of those spends 10 in it.
const COHORT: &str = "
    SELECT concat('c', n) AS customer_key, DATE '2023-01-01' AS first_month, month, CAST(10 AS DECIMAL(18, 4)) AS net
    FROM (SELECT unnest(generate_series(1, 2520)) AS n) AS customers
    CROSS JOIN (SELECT month, row_number() OVER (ORDER BY month) AS nth
                FROM (SELECT CAST(unnest(generate_series(DATE '2023-01-01', DATE '2024-06-01', INTERVAL '1 month')) AS DATE) AS month)
                     AS m) AS months
    WHERE n <= round(2520.0 / nth)";

#[test]
fn a_cohort_is_worth_what_it_brought_and_what_its_curve_promises() {
    let project = stages(
        &["value/value/cohort_clv.sql"],
        &[
            ("core/customer_months", COHORT.to_owned()),
            ("value/assumptions", "SELECT 'margin' AS basis, 0.5 AS margin_share, 0.0 AS monthly_rate".to_owned()),
        ],
    );
    // The curve is that of alpha = beta = 1, by which 1 ÷ (k + 1) are left after k months: 5 ÷ 19 in month 18, 5 ÷ 36 in month 35, and
    // 5 · (1 + 1/2 + … + 1/36) = 20.87 in all.
    assert_eq!(
        lines(
            &project,
            "month; customers; round(observed, 3); left_then; round(survival, 2); round(value, 3); round(clv, 1)",
            "FROM value.cohort_clv WHERE month IN (0, 1, 11, 12, 17, 18, 35) ORDER BY month"
        ),
        [
            "0 2520 5.0 2520 1.0 5.0 5.0",
            "1 2520 2.5 1260 0.5 2.5 7.5",
            "11 2520 0.417 210 0.08 0.417 15.5",
            "12 2520 0.385 194 0.08 0.385 15.9",
            "17 2520 0.278 null 0.06 0.278 17.5",
            "18 0 null null 0.05 0.263 17.7",
            "35 0 null null 0.03 0.139 20.9",
        ]
    );
}

/// The core tables that months are read from, of these orders and refunds.
const CORE: [&str; 3] = ["core/core/valid_orders.sql", "core/core/customer_months.sql", "core/core/months.sql"];

fn orders(rows: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
                CAST(cost AS DECIMAL(18, 4)) AS cost, TRUE AS valid
         FROM (VALUES {rows}) AS t (order_id, customer_key, bdate, net, cost)"
    );
    ("core/orders", sql)
}

fn refund(amount: u32) -> (&'static str, String) {
    let sql = format!(
        "SELECT 'r1' AS refund_id, '2' AS order_id, DATE '2024-02-01' AS bdate, CAST({amount} AS DECIMAL(18, 4)) AS amount
         WHERE {amount} > 0"
    );
    ("core/refunds", sql)
}

#[test]
fn margin_to_date_ends_where_a_cost_is_not_known() {
    let project = stages(
        &[&["value/kpi/margin_to_date.sql"][..], &CORE[..]].concat(),
        &[
            orders(
                "('1', 'ann', '2024-01-05', 100, 60), ('2', 'bob', '2024-01-20', 50, 20), ('3', 'ann', '2024-03-02', 30, 10),
                 ('4', 'cid', '2024-05-02', 30, NULL)",
            ),
            refund(10),
        ],
    );
    assert_eq!(
        lines(&project, "period; value; numerator; n", "FROM kpi.margin_to_date ORDER BY period"),
        [
            "2024-01-01 30.0 60.0000 2",
            "2024-02-01 30.0 60.0000 2",
            "2024-03-01 40.0 80.0000 2",
            "2024-04-01 40.0 80.0000 2",
            "2024-05-01 null null 3",
            "2024-06-01 null null 3",
        ]
    );
}

#[test]
fn when_new_customers_have_brought_back_what_they_cost() {
    let project = stages(
        &[&["roi/roi/payback.sql", "roi/kpi/payback.sql"][..], &CORE[..]].concat(),
        &[
            orders(
                "('1', 'ann', '2024-01-05', 100, 70), ('2', 'bob', '2024-01-20', 50, 40), ('3', 'ann', '2024-03-02', 90, 60),
                 ('4', 'bob', '2024-04-02', 30, 10), ('5', 'cid', '2024-03-05', 80, 50), ('6', 'dan', '2024-05-06', 80, 75)",
            ),
            refund(0),
            (
                "core/costs",
                "SELECT cost_id, CAST(bdate AS DATE) AS bdate, kind, CAST(amount AS DECIMAL(18, 4)) AS amount
                 FROM (VALUES ('c1', '2024-01-10', 'acquisition', 70), ('c2', '2023-12-15', 'acquisition', 30),
                              ('c3', '2024-03-01', 'acquisition', 30), ('c4', '2024-05-05', 'acquisition', 9),
                              ('c5', '2024-01-10', 'campaign', 999)) AS t (cost_id, bdate, kind, amount)"
                    .to_owned(),
            ),
        ],
    );
    // January's two cost 35 each, brought 20 in January, 35 by March and 45 by now; what was spent 30 days before was 15 each. What
    // is written on 1 March is of all of it, and 30 days later of April. dan has brought 5 of 9.
    assert_eq!(
        lines(
            &project,
            "cohort; customers; cost; cost_of_one; cost_of_one_lagged; earned; months; payback_months; payback_months_lagged; basis",
            "FROM roi.payback WHERE customers > 0 ORDER BY cohort"
        ),
        [
            "2024-01-01 2 70.0000 35.0 15.0 45.0 6 3 1 margin",
            "2024-03-01 1 30.0000 30.0 0.0 30.0 4 1 null margin",
            "2024-05-01 1 9.0000 9.0 0.0 5.0 2 null null margin",
        ]
    );
    assert_eq!(
        lines(&project, "period; value; n", "FROM kpi.payback WHERE n > 0 ORDER BY period"),
        ["2024-01-01 3 2", "2024-03-01 1 1", "2024-05-01 null 1"]
    );
}
