//! `crm/growth` and the calendar of `crm/core`, told by hand.

use super::{and_core, no_refunds, orders, refunds};
use crate::crm::lines;
use crate::segments::{stages, unmade};

#[test]
fn a_change_is_against_a_base_and_a_sum_of_whole_windows() {
    let project = stages(
        &["growth/growth/trend.sql"],
        &[
            (
                "growth/revenue",
                "SELECT CAST(month AS DATE) AS month,
                      CAST(CASE WHEN nth = 5 THEN 0 ELSE 10 * nth END AS DECIMAL(18, 4)) AS revenue,
                      month >= DATE '2024-07-01' AS provisional
                 FROM (SELECT month, row_number() OVER (ORDER BY month) AS nth
                 FROM (SELECT unnest(generate_series(DATE '2022-06-01', DATE '2024-07-01',
                      INTERVAL '1 month')) AS month) AS m) AS n"
                    .to_owned(),
            ),
            (
                "growth/customers",
                "SELECT month, CAST(CASE month WHEN DATE '2022-07-01' THEN 5 WHEN DATE '2022-08-01' THEN 0 ELSE 4 END
                      AS BIGINT) AS active
                 FROM growth.revenue"
                    .to_owned(),
            ),
        ],
    );
    // Of the n-th month n times ten was earned, but nothing in the fifth, on which no change can be reckoned. Twelve months
    // up to May 2023 are 780 less the 50 of the fifth, a year later 12 · (130 + 240) / 2 = 2,220; 2,220 / 730 is 3.041096.
    // Customers were 4, 5, none and 4. July is not over.
    assert_eq!(
        lines(
            &project,
            "month; revenue; round(revenue_mom, 6); round(revenue_yoy, 6); rolling_3; rolling_12; round(rolling_12_yoy, 6); net_growth",
            "FROM growth.trend
             WHERE month IN (DATE '2022-06-01', DATE '2022-07-01', DATE '2022-08-01', DATE '2022-09-01',
                  DATE '2022-10-01', DATE '2022-11-01', DATE '2023-05-01', DATE '2023-06-01', DATE '2023-10-01',
                  DATE '2024-04-01', DATE '2024-05-01', DATE '2024-06-01', DATE '2024-07-01')
             ORDER BY month"
        ),
        [
            "2022-06-01 10.0000 null null null null null null",
            "2022-07-01 20.0000 1.0 null null null null 0.25",
            "2022-08-01 30.0000 0.5 null 60.0000 null null -1.0",
            "2022-09-01 40.0000 0.333333 null 90.0000 null null null",
            "2022-10-01 0.0000 -1.0 null 70.0000 null null 0.0",
            "2022-11-01 60.0000 null null 100.0000 null null 0.0",
            "2023-05-01 120.0000 0.090909 null 330.0000 730.0000 null 0.0",
            "2023-06-01 130.0000 0.083333 12.0 360.0000 850.0000 null 0.0",
            "2023-10-01 170.0000 0.0625 null 480.0000 1380.0000 null 0.0",
            "2024-04-01 230.0000 0.045455 1.090909 660.0000 2100.0000 null 0.0",
            "2024-05-01 240.0000 0.043478 1.0 690.0000 2220.0000 2.041096 0.0",
            "2024-06-01 250.0000 0.041667 0.923077 720.0000 2340.0000 1.752941 0.0",
            "2024-07-01 260.0000 null null null null null null",
        ]
    );
}

/// ann grows by 30 and bob shrinks by 30; cid pauses for a month and dan is new; of his 70 ten are paid back, of 25 of eve
/// more than she paid, so that she bought nothing; nobody knows whose the 999 are, nor what the 500 were paid back of. What
/// bob gets back on the 16th is not known yet.
#[test]
fn how_revenue_and_customers_came_about() {
    let project = unmade(
        &and_core(&[
            "growth/growth/revenue.sql",
            "growth/growth/customers.sql",
            "growth/kpi/net_revenue.sql",
            "growth/kpi/active_customers.sql",
        ]),
        &[
            orders(
                "('1', 'ann', '2024-01-05', 100), ('2', 'bob', '2024-01-06', 50), ('3', 'cid', '2024-01-07', 30),
                 ('4', 'ann', '2024-02-05', 130), ('5', 'bob', '2024-02-06', 20), ('6', 'dan', '2024-02-07', 70),
                 ('7', 'eve', '2024-02-08', 25), ('8', 'cid', '2024-03-08', 60), ('9', 'bob', '2024-04-08', 40),
                 ('10', NULL, '2024-03-08', 999)",
            ),
            refunds(
                "('r1', '6', '2024-03-01', 10), ('r2', '7', '2024-03-02', 30), ('r3', NULL, '2024-03-02', 500),
                 ('r4', '9', '2024-04-16', 40)",
            ),
        ],
    );
    project.matins(&["run", "--as-of", "2024-04-16"]).ok();
    // Refunds lie in the month of their order: of February are 130, 20 and 60. In March cid brings 60, and the other 210
    // are lost. April is not over.
    assert_eq!(
        lines(
            &project,
            "month; revenue; new; resurrected; expansion; contraction; churned; provisional",
            "FROM growth.revenue ORDER BY month"
        ),
        [
            "2024-01-01 180.0000 180.0000 0.0000 0.0000 0.0000 0.0000 false",
            "2024-02-01 210.0000 60.0000 0.0000 30.0000 30.0000 30.0000 false",
            "2024-03-01 60.0000 0.0000 60.0000 0.0000 0.0000 210.0000 false",
            "2024-04-01 40.0000 0.0000 40.0000 null null null true",
        ]
    );
    assert_eq!(
        lines(
            &project,
            "month; active; new; retained; resurrected; churned; provisional",
            "FROM growth.customers ORDER BY month"
        ),
        [
            "2024-01-01 3 3 0 0 0 false",
            "2024-02-01 3 1 2 0 1 false",
            "2024-03-01 1 0 0 1 3 false",
            "2024-04-01 1 0 0 1 null true",
        ]
    );
    // By the day they were paid: 245 ordered in February, in March 60 less 10 less 30.
    assert_eq!(
        lines(&project, "period; value; n; provisional", "FROM kpi.net_revenue ORDER BY period"),
        [
            "2024-01-01 180.0000 3 false",
            "2024-02-01 245.0000 4 false",
            "2024-03-01 20.0000 1 false",
            "2024-04-01 40.0000 1 true",
        ]
    );
}

#[test]
fn a_month_whose_orders_were_all_paid_back_later_stays() {
    let project = unmade(
        &and_core(&["growth/kpi/net_revenue.sql"]),
        &[
            orders("('1', 'ann', '2024-01-05', 50), ('2', 'bob', '2024-03-06', 80)"),
            refunds("('r1', '1', '2024-03-20', 50)"),
        ],
    );
    project.matins(&["run", "--as-of", "2024-04-01"]).ok();
    // The 50 of January stay what January brought, and leave March, where 80 were earned.
    assert_eq!(
        lines(&project, "period; value; n", "FROM kpi.net_revenue ORDER BY period"),
        ["2024-01-01 50.0000 1", "2024-02-01 0.0000 0", "2024-03-01 30.0000 1"]
    );
}

/// The one order comes after the moment.
#[test]
fn before_the_first_order_there_is_no_month() {
    let project = stages(
        &and_core(&[
            "growth/growth/revenue.sql",
            "growth/growth/customers.sql",
            "growth/growth/trend.sql",
            "growth/growth/seasonality.sql",
            "growth/growth/kept_revenue.sql",
            "growth/growth/to_date.sql",
            "growth/kpi/net_revenue.sql",
            "growth/kpi/active_customers.sql",
            "core/core/purchase_days.sql",
        ]),
        &[orders("('1', 'ann', '2024-08-05', 50)"), no_refunds()],
    );
    assert_eq!(lines(&project, "count(*)", "FROM growth.trend"), ["0"]);
    assert_eq!(
        lines(&project, "measure; value; month_before; year_before; days", "FROM growth.to_date ORDER BY measure"),
        ["active customers null null null 30", "net revenue null null null 30"]
    );
}
