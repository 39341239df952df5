/* matins
description: >
  One row per month: of the customers with a valid order in the 12 months that end with it, the share that used two channels
  or more.
formula: "customers of two channels or more ÷ customers"
rules: An order whose channel is not known adds a customer, but no channel.
columns:
  numerator: customers of two channels or more
  denominator: customers with a valid order in the 12 months
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
-- Numbers instead of texts: the least and the greatest of every customer are looked for.
WITH channels AS (
    SELECT channel, row_number() OVER (ORDER BY channel) AS number
    FROM (SELECT DISTINCT channel FROM core.orders WHERE channel IS NOT NULL) AS named
),
uses AS (
    SELECT v.customer_key, v.month, min(c.number) AS least, max(c.number) AS greatest
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    LEFT JOIN channels AS c ON c.channel = o.channel
    GROUP BY v.customer_key, v.month
),
habits AS (
    SELECT m.month, u.customer_key, min(u.least) < max(u.greatest) AS several
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
