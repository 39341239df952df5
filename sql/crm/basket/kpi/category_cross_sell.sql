/* matins
description: >
  One row per month: of the customers who bought something of a known category in the 12 months that end with it, the share
  that bought of two or more.
formula: "customers of two categories or more ÷ customers"
rules: An order that was refunded in full is no purchase, and its lines are not in it.
columns:
  numerator: customers of two categories or more
  denominator: customers with a line of known category
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
*/
WITH uses AS (
    SELECT DISTINCT v.customer_key, v.month, l.category
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND l.category IS NOT NULL
),
habits AS (
    SELECT m.month, u.customer_key, min(u.category) < max(u.category) AS several
    FROM core.months AS m
    INNER JOIN uses AS u ON u.month <= m.month AND u.month > CAST(m.month - INTERVAL '12 months' AS DATE)
    GROUP BY m.month, u.customer_key
),
counts AS (
    SELECT month, count(*) FILTER (WHERE several) AS k, count(*) AS n
    FROM habits
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
