/* matins
description: >
  One row per month: of the customers who complained in it, the share who had complained before within 90 days.
formula: "complainants with another complaint in the 90 days before ÷ complainants"
rules:
  - Two complaints of one customer about the same order within 7 days are one. A complaint that names no order is one of its own.
columns:
  numerator: of those, with an earlier complaint at most 90 days before
  denominator: customers with a complaint in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
*/
WITH cases AS (
    SELECT
        customer_key,
        bdate,
        opened_at,
        ticket_id,
        CASE
            WHEN order_id IS NOT NULL
                THEN lag(bdate) OVER (PARTITION BY customer_key, order_id ORDER BY opened_at, ticket_id)
        END AS same_before
    FROM core.tickets
    WHERE is_complaint AND customer_key IS NOT NULL AND bdate < $as_of
),
complaints AS (
    SELECT
        customer_key,
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        bdate - lag(bdate) OVER (PARTITION BY customer_key ORDER BY opened_at, ticket_id) <= 90 AS again
    FROM cases
    WHERE same_before IS NULL OR bdate - same_before > 7
),
complainants AS (
    SELECT month, customer_key, coalesce(bool_or(again), FALSE) AS again
    FROM complaints
    GROUP BY month, customer_key
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE again) AS k
    FROM complainants
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(t.k AS DOUBLE) / t.n AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    m.provisional
FROM service.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
