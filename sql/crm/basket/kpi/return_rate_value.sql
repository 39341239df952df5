/* matins
description: One row per month, the share of what the month's valid orders were worth that has been paid back so far.
formula: "refunds of the month's orders ÷ net of the month's valid orders"
rules:
  - By the month of the order, so the latest months go on rising while refunds come in; of an order no more than its net counts.
  - Refunds that do not say their order are not in it; NULL for a company none of whose refunds say it.
  - By units, and by product, it is in `basket.returned_goods`.
columns:
  numerator: refunds to date
  denominator: net of the valid orders of the month, those refunded in full included
  n: those orders
  low: NULL, since it is a share of money
  high: NULL, since it is a share of money
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR value BETWEEN 0 AND 1"
*/
WITH refunded AS (
    SELECT order_id, sum(amount) AS amount
    FROM core.refunds
    WHERE order_id IS NOT NULL AND bdate < $as_of
    GROUP BY order_id
),
known AS (
    SELECT count(*) > 0 AS any_refund
    FROM refunded
),
sales AS (
    SELECT
        CAST(date_trunc('month', o.bdate) AS DATE) AS month,
        sum(greatest(o.net, 0)) AS net,
        sum(least(r.amount, greatest(o.net, 0))) FILTER (WHERE r.amount IS NOT NULL) AS amount,
        count(*) AS orders
    FROM core.orders AS o
    LEFT JOIN refunded AS r ON r.order_id = o.order_id
    WHERE o.valid AND o.bdate < $as_of
    GROUP BY 1
),
months AS (
    SELECT
        m.month,
        m.provisional,
        CASE WHEN x.any_refund THEN coalesce(s.amount, 0) END AS amount,
        coalesce(s.net, 0) AS net,
        coalesce(s.orders, 0) AS orders
    FROM core.months AS m
    CROSS JOIN known AS x
    LEFT JOIN sales AS s ON s.month = m.month
)
SELECT
    month AS period,
    CAST(amount AS DOUBLE) / CAST(nullif(net, 0) AS DOUBLE) AS value,
    CAST(amount AS DECIMAL(18, 4)) AS numerator,
    CAST(net AS DECIMAL(18, 4)) AS denominator,
    orders AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM months
ORDER BY period
