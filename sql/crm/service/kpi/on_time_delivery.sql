/* matins
description: "One row per month: of the orders delivered in it, the share that came no later than promised."
formula: "delivered by the promised moment ÷ delivered with a promise"
rules:
  - The promise is a moment, not a day. Where companies promise a day, their pack gives the end of it.
  - Cancelled orders are in it if they were delivered. One of which only the day is known cannot be judged, and is not.
columns:
  numerator: of those, delivered no later than promised
  denominator: orders delivered in the month that had a promise
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
*/
WITH deliveries AS (
    SELECT CAST(date_trunc('month', delivered_on) AS DATE) AS month, delivered_at <= promised_at AS in_time
    FROM core.orders
    WHERE delivered_on < $as_of AND delivered_at IS NOT NULL AND promised_at IS NOT NULL
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE in_time) AS k
    FROM deliveries
    GROUP BY month
)
SELECT
    month AS period,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    month >= date_trunc('month', $as_of) AS provisional
FROM tallies
ORDER BY period
