/* matins
description: "One row per month: complaints for every 1,000 customers with a valid order in the month."
formula: "1,000 × complaints ÷ active customers"
rules:
  - Two complaints about the same order within 7 days are one. A complaint that names no order is one of its own, and so it is when
    nobody knows whose it was.
columns:
  numerator: complaints opened in the month
  denominator: customers with a valid order in the month
  n: the denominator
  low: NULL, since one customer may complain more than once
  high: NULL, since one customer may complain more than once
key: [period]
*/
WITH complaints AS (
    SELECT
        bdate,
        CASE
            WHEN order_id IS NOT NULL THEN lag(bdate) OVER (PARTITION BY order_id ORDER BY opened_at, ticket_id)
        END AS before
    FROM core.tickets
    WHERE is_complaint AND bdate < $as_of
),
tallies AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, count(*) AS k
    FROM complaints
    WHERE before IS NULL OR bdate - before > 7
    GROUP BY 1
),
actives AS (
    SELECT month, count(*) AS n
    FROM core.customer_months
    GROUP BY month
)
SELECT
    m.month AS period,
    1000 * CAST(coalesce(t.k, 0) AS DOUBLE) / nullif(a.n, 0) AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(a.n, 0) AS denominator,
    coalesce(a.n, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
LEFT JOIN actives AS a ON a.month = m.month
ORDER BY period
