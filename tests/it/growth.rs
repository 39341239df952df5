//! `crm/growth` on months whose figures can be told by hand.

use crate::crm::{company, lines};
use crate::segments::stages;

const ORDERS: &str = "
    SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
    FROM (VALUES ('1', 'ann', '2023-02-01', 100), ('2', 'bob', '2023-02-28', 50), ('3', 'ann', '2023-03-01', 70),
                 ('4', 'ann', '2024-01-29', 60), ('5', 'bob', '2024-01-29', 30), ('6', 'cid', '2024-01-30', 500),
                 ('7', 'ann', '2024-02-01', 40), ('8', 'cid', '2024-02-10', 100), ('9', 'cid', '2024-02-29', 20))
         AS t (order_id, customer_key, bdate, net)";

const REFUNDS: &str = "
    SELECT refund_id, order_id, CAST(bdate AS DATE) AS bdate, CAST(amount AS DECIMAL(18, 4)) AS amount
    FROM (VALUES ('r1', '6', '2024-02-15', 10)) AS t (refund_id, order_id, bdate, amount)";

#[test]
fn the_month_so_far_stands_beside_as_many_days() {
    let project = company("interval: day\npacks: [shop, crm/core, crm/growth]\n", &["core", "growth"])
        .with("sql/shop/core/orders.sql", ORDERS)
        .with("sql/shop/core/refunds.sql", REFUNDS);
    let figures = |as_of: &str| {
        project.matins(&["run", "--as-of", as_of]).ok();
        let so_far = "measure; month; days; value; provisional";
        let before =
            "days_before; month_before; round(month_change, 4); days_year_before; year_before; round(year_change, 4)";
        lines(&project, &format!("{so_far}; {before}"), "FROM growth.to_date ORDER BY measure")
    };
    assert_eq!(
        figures("2024-02-02"),
        [
            "active customers 2024-02-01 1 1.0000 true 1 0.0000 null 1 1.0000 0.0",
            "net revenue 2024-02-01 1 40.0000 true 1 0.0000 null 1 100.0000 -0.6",
        ]
    );
    // 40, 100 and 20 less the 10 paid back; the 500 came on the 30th day of January; February has 28 days the year before.
    assert_eq!(
        figures("2024-03-01"),
        [
            "active customers 2024-02-01 29 2.0000 false 29 2.0000 0.0 28 2.0000 0.0",
            "net revenue 2024-02-01 29 150.0000 false 29 90.0000 0.6667 28 150.0000 0.0",
        ]
    );
}

/// The months up to July 2024, which is not over, and what each brought.
fn months(first: &str, revenue: &str) -> (&'static str, String) {
    let sql = format!(
        "SELECT CAST(month AS DATE) AS month, CAST({revenue} AS DECIMAL(18, 4)) AS revenue, month >= DATE '2024-07-01' AS provisional
         FROM (SELECT unnest(generate_series(DATE '{first}', DATE '2024-07-01', INTERVAL '1 month')) AS month) AS m"
    );
    ("growth/revenue", sql)
}

#[test]
fn a_december_that_brings_more_than_other_months() {
    let told = |first: &str| {
        let december = "CASE WHEN date_part('month', month) = 12 THEN 210 ELSE 100 END";
        let project = stages(&["growth/growth/seasonality.sql"], &[months(first, december)]);
        lines(
            &project,
            "month_of_year; years; round(index, 6)",
            "FROM growth.seasonality WHERE month_of_year IN (1, 11, 12) ORDER BY month_of_year",
        )
    };
    // A year brings 1,310, a month of it 109.1667: 100 and 210 against that.
    assert_eq!(told("2021-07-01"), ["1 2 0.916031", "11 2 0.916031", "12 2 1.923664"]);
    // With 23 months nobody knows about January.
    assert_eq!(told("2022-08-01"), ["1 0 null", "11 1 null", "12 1 null"]);
}

#[test]
fn growth_a_year_since_the_first() {
    let steps = "CASE WHEN month < DATE '2022-07-01' THEN 100 WHEN month < DATE '2023-07-01' THEN 110 ELSE 121 END";
    let project = stages(&["growth/kpi/revenue_cagr.sql"], &[months("2021-07-01", steps)]);
    // Six months of 110 and six of 121 are 1,386: in a year and a half 15.5 % more, which is 1.155 to the power of two thirds.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); n; provisional",
            "FROM kpi.revenue_cagr
             WHERE period IN (DATE '2023-05-01', DATE '2023-06-01', DATE '2023-12-01', DATE '2024-06-01', DATE '2024-07-01')
             ORDER BY period"
        ),
        [
            "2023-05-01 null 0 false",
            "2023-06-01 0.1 12 false",
            "2023-12-01 0.100833 18 false",
            "2024-06-01 0.1 24 false",
            "2024-07-01 null 25 true",
        ]
    );
}
