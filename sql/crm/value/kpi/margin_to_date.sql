/* matins
description: >
  One row per month: at its end, what a customer has brought so far in the mean less what the goods cost (historical customer
  lifetime value, by margin).
formula: "Σ (net − cost) to date ÷ customers to date"
rules:
  - As originated, so a refund lies in the month of its order; what was paid back still cost its goods.
  - NULL from the first month on that has an order whose cost is not known; `kpi.value_to_date` is by net.
columns:
  numerator: margin of all valid orders so far
  denominator: customers with a valid order so far
  n: the denominator
key: [period]
closed: month
*/
WITH margins AS (
    SELECT v.month, sum(v.net - o.cost) AS margin, count(*) - count(o.cost) AS without_cost
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    GROUP BY v.month
),
newcomers AS (
    SELECT month, count(*) AS customers
    FROM core.customer_months
    WHERE month = first_month
    GROUP BY month
),
totals AS (
    SELECT
        m.month,
        m.provisional,
        sum(coalesce(g.margin, 0)) OVER (ORDER BY m.month) AS margin,
        sum(coalesce(g.without_cost, 0)) OVER (ORDER BY m.month) AS without_cost,
        CAST(sum(coalesce(n.customers, 0)) OVER (ORDER BY m.month) AS BIGINT) AS customers
    FROM core.months AS m
    LEFT JOIN margins AS g ON g.month = m.month
    LEFT JOIN newcomers AS n ON n.month = m.month
),
known AS (
    SELECT month, provisional, customers, CASE WHEN without_cost = 0 THEN margin END AS margin
    FROM totals
)
SELECT
    month AS period,
    CAST(margin AS DOUBLE) / nullif(customers, 0) AS value,
    CAST(margin AS DECIMAL(18, 4)) AS numerator,
    customers AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM known
ORDER BY period
