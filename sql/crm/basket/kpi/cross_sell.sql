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
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
-- Numbers instead of texts: the least and the greatest of every order are looked for.
WITH products AS (
    SELECT product_id, row_number() OVER (ORDER BY product_id) AS number
    FROM (SELECT DISTINCT product_id FROM core.order_lines WHERE product_id IS NOT NULL) AS named
),
baskets AS (
    SELECT v.month, v.order_id, min(p.number) < max(p.number) AS several
    FROM core.valid_orders AS v
    INNER JOIN core.order_lines AS l ON l.order_id = v.order_id
    LEFT JOIN products AS p ON p.product_id = l.product_id
    WHERE l.valid
    GROUP BY v.month, v.order_id
),
counts AS (
    SELECT month, count(*) FILTER (WHERE several) AS k, count(*) AS n
    FROM baskets
    GROUP BY month
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
