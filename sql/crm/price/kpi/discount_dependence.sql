/* matins
description: One row per month, the share of the month's net that came from orders with a discount.
formula: "net of orders with a discount ÷ net"
rules:
  - By order, as most companies export discounts; the discounted and the full-price lines of one order are not told apart.
  - Refunds lie in the month of their order.
columns:
  numerator: net of orders with a discount
  denominator: net of all valid orders of the month
  n: valid orders
  low: NULL, since net is no count
  high: NULL, since net is no count
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR value BETWEEN 0 AND 1"
    severity: warn
*/
WITH discounted AS (
    SELECT order_id
    FROM core.orders
    WHERE discount > 0
),
sums AS (
    SELECT
        v.month,
        coalesce(sum(v.net) FILTER (WHERE d.order_id IS NOT NULL), 0) AS discounted,
        sum(v.net) AS net,
        count(*) AS orders
    FROM core.valid_orders AS v
    LEFT JOIN discounted AS d ON d.order_id = v.order_id
    GROUP BY v.month
)
SELECT
    m.month AS period,
    CAST(s.discounted AS DOUBLE) / CAST(nullif(s.net, 0) AS DOUBLE) AS value,
    CAST(coalesce(s.discounted, 0) AS DECIMAL(18, 4)) AS numerator,
    CAST(coalesce(s.net, 0) AS DECIMAL(18, 4)) AS denominator,
    coalesce(s.orders, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN sums AS s ON s.month = m.month
ORDER BY period
