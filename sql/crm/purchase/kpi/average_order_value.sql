/* matins
description: "One row per month: what a valid order brings, without tax and freight, refunds taken off the order they belong to."
formula: "net of valid orders ÷ valid orders"
columns:
  numerator: net, as originated
  denominator: valid orders
  n: the denominator
  low: NULL, since it is a ratio of an amount
  high: NULL, since it is a ratio of an amount
key: [period]
closed: month
*/
WITH orders AS (
    SELECT month, sum(net) AS net, CAST(sum(orders) AS BIGINT) AS orders
    FROM core.customer_months
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(o.net AS DOUBLE) / nullif(o.orders, 0) AS value,
    CAST(coalesce(o.net, 0) AS DECIMAL(18, 4)) AS numerator,
    coalesce(o.orders, 0) AS denominator,
    coalesce(o.orders, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN orders AS o ON o.month = m.month
ORDER BY period
