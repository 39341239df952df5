/* matins
description: One row per month, the share of the month's valid orders that hold two or more different products.
formula: "orders of two products or more ÷ valid orders"
columns:
  numerator: orders of two products or more
  denominator: valid orders of the month that have lines
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH baskets AS (
    SELECT order_id, min(product_id) < max(product_id) AS several
    FROM core.order_lines
    WHERE valid
    GROUP BY order_id
),
counts AS (
    SELECT v.month, count(*) FILTER (WHERE b.several) AS k, count(*) AS n
    FROM core.valid_orders AS v
    INNER JOIN baskets AS b ON b.order_id = v.order_id
    GROUP BY v.month
),
months AS (
    SELECT m.month, m.provisional, coalesce(c.k, 0) AS k, coalesce(c.n, 0) AS n
    FROM core.months AS m
    LEFT JOIN counts AS c ON c.month = m.month
)
SELECT
    month AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    provisional
FROM months
ORDER BY period
