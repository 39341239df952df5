/* matins
description: One row per month, the share of the month's valid orders of which something was paid back so far.
formula: "orders with a refund ÷ valid orders"
rules:
  - By the month of the order, so the latest months go on rising while refunds come in.
  - Refunds that do not say their order are not in it; NULL for a company none of whose refunds say it.
columns:
  numerator: orders with a refund to date
  denominator: valid orders of the month, those refunded in full included
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
*/
WITH refunded AS (
    SELECT DISTINCT order_id
    FROM core.refunds
    WHERE order_id IS NOT NULL AND bdate < $as_of
),
known AS (
    SELECT count(*) > 0 AS any_refund
    FROM refunded
),
counts AS (
    SELECT
        CAST(date_trunc('month', o.bdate) AS DATE) AS month,
        count(r.order_id) AS k,
        count(*) AS n
    FROM core.orders AS o
    LEFT JOIN refunded AS r ON r.order_id = o.order_id
    WHERE o.valid AND o.bdate < $as_of
    GROUP BY 1
),
months AS (
    SELECT
        m.month,
        m.provisional,
        CASE WHEN x.any_refund THEN coalesce(c.k, 0) END AS k,
        coalesce(c.n, 0) AS n
    FROM core.months AS m
    CROSS JOIN known AS x
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
