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
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH customers AS (
    SELECT m.month, m.provisional, c.customer_key, sum(c.orders) AS orders
    FROM core.months AS m
    INNER JOIN core.customer_months AS c
        ON c.month <= m.month AND c.month > CAST(m.month - INTERVAL '12 months' AS DATE)
    GROUP BY m.month, m.provisional, c.customer_key
),
counts AS (
    SELECT month, provisional, count(*) FILTER (WHERE orders >= 2) AS k, count(*) AS n
    FROM customers
    GROUP BY month, provisional
)
SELECT
    month AS period,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    provisional
FROM counts
ORDER BY period
