/* matins
description: >
  One row per month: of the customers with a valid order in the 12 months that end with it, the share with two or more in them. A
  purchase occasion is an order. `kpi.repeat_rate` counts the whole life instead.
formula: "customers of two orders or more in 12 months ÷ customers in 12 months"
rules: A month whose 12 months begin before the first valid order has a value too, from what there is.
columns:
  numerator: customers with two valid orders or more in the 12 months
  denominator: customers with a valid order in the 12 months
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
-- A customer is counted at the last active month up to the one in question, and so once. One order in it is a repeat only when the
-- active month before lies within the 12 months too.
WITH spans AS (
    SELECT month, previous_month, next_month, orders >= 2 AS twice, count(*) AS customers
    FROM core.customer_months
    GROUP BY month, previous_month, next_month, orders >= 2
),
counts AS (
    SELECT
        m.month,
        CAST(coalesce(sum(s.customers) FILTER (
            WHERE s.twice OR s.previous_month > CAST(m.month - INTERVAL '12 months' AS DATE)
        ), 0) AS BIGINT) AS k,
        CAST(sum(s.customers) AS BIGINT) AS n
    FROM core.months AS m
    INNER JOIN spans AS s
        ON s.month <= m.month
            AND s.month > CAST(m.month - INTERVAL '12 months' AS DATE)
            AND (s.next_month IS NULL OR s.next_month > m.month)
    GROUP BY m.month
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
