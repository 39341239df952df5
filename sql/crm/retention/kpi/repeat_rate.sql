/* matins
description: >
  One row per month: at its end (or at `$as_of` when it is not over), the share of all customers so far with at least two
  valid orders. A purchase occasion is an order; the window is life to date.
columns:
  numerator: customers with two valid orders or more
  denominator: customers with a valid order
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "numerator <= denominator"
*/
WITH steps AS (
    SELECT
        month,
        count(*) FILTER (WHERE month = first_month) AS first_orders,
        count(*) FILTER (WHERE orders_to_date >= 2 AND orders_to_date - orders < 2) AS second_orders
    FROM core.customer_months
    GROUP BY month
),
counts AS (
    SELECT
        m.month,
        m.provisional,
        CAST(sum(coalesce(s.second_orders, 0)) OVER (ORDER BY m.month) AS BIGINT) AS k,
        CAST(sum(coalesce(s.first_orders, 0)) OVER (ORDER BY m.month) AS BIGINT) AS n
    FROM core.months AS m
    LEFT JOIN steps AS s ON s.month = m.month
),
shares AS (
    SELECT month, provisional, k, n, CAST(k AS DOUBLE) AS hits, CAST(nullif(n, 0) AS DOUBLE) AS trials
    FROM counts
)
SELECT
    month AS period,
    hits / trials AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(hits, trials) AS low,
    wilson_high(hits, trials) AS high,
    provisional
FROM shares
ORDER BY period
