/* matins
description: >
  One row per month: at its end, what a customer has brought so far in the mean (historical customer lifetime value, by net).
formula: "Σ net to date ÷ customers to date"
rules: As originated, so a refund lies in the month of its order.
columns:
  numerator: net of all valid orders so far
  denominator: customers with a valid order so far
  n: the denominator
key: [period]
closed: month
*/
WITH steps AS (
    SELECT month, sum(net) AS net, count(*) FILTER (WHERE month = first_month) AS newcomers
    FROM core.customer_months
    GROUP BY month
),
totals AS (
    SELECT
        m.month,
        m.provisional,
        sum(coalesce(s.net, 0)) OVER (ORDER BY m.month) AS net,
        CAST(sum(coalesce(s.newcomers, 0)) OVER (ORDER BY m.month) AS BIGINT) AS customers
    FROM core.months AS m
    LEFT JOIN steps AS s ON s.month = m.month
)
SELECT
    month AS period,
    CAST(net AS DOUBLE) / nullif(customers, 0) AS value,
    CAST(net AS DECIMAL(18, 4)) AS numerator,
    customers AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM totals
ORDER BY period
