/* matins
description: "One row per month: how often a customer who bought in the month bought in it (frequency)."
formula: "valid orders ÷ active customers"
columns:
  numerator: valid orders
  denominator: customers with a valid order in the month
  n: the denominator
  low: NULL, since it is no share
  high: NULL, since it is no share
key: [period]
closed: month
*/
WITH orders AS (
    SELECT month, CAST(sum(orders) AS BIGINT) AS orders, count(*) AS customers
    FROM core.customer_months
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(o.orders AS DOUBLE) / nullif(o.customers, 0) AS value,
    coalesce(o.orders, 0) AS numerator,
    coalesce(o.customers, 0) AS denominator,
    coalesce(o.customers, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN orders AS o ON o.month = m.month
ORDER BY period
