/* matins
description: One row per month, what was left of net revenue when the goods were paid.
formula: "Σ (net − cost of the goods) ÷ Σ net over the valid orders of the month"
grain: one row per month
rules:
  - As originated, so a refund lies in the month of its order; what was paid back still cost its goods.
  - NULL for a month with an order whose cost is not known. Only the cost of the goods is in it, not service, delivery or marketing.
reference: "Farris, Bendle, Pfeifer & Reibstein 2010, Marketing Metrics, ch. 3: margins"
columns:
  numerator: margin of the month
  denominator: net of the month
  n: valid orders in the month
  low: NULL, since all orders are in it
  high: NULL, since all orders are in it
key: [period]
closed: month
checks:
  - name: no goods cost less than nothing
    expression: "value IS NULL OR value <= 1"
    severity: warn
*/
WITH sums AS (
    SELECT v.month, sum(v.net) AS net, sum(v.net - o.cost) AS margin, count(*) AS orders, count(*) - count(o.cost) AS without_cost
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    GROUP BY v.month
)
SELECT
    m.month AS period,
    CASE WHEN s.without_cost = 0 AND s.net > 0 THEN CAST(s.margin AS DOUBLE) / CAST(s.net AS DOUBLE) END AS value,
    CASE WHEN s.without_cost = 0 THEN CAST(s.margin AS DECIMAL(18, 4)) END AS numerator,
    CAST(coalesce(s.net, 0) AS DECIMAL(18, 4)) AS denominator,
    coalesce(s.orders, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN sums AS s ON s.month = m.month
ORDER BY period
