/* matins
description: "One row per month: complaints for every 1,000 valid orders of the month."
formula: "1,000 × complaints ÷ valid orders"
rules:
  - Complaints are those of `kpi.complaint_rate`, where two about the same order within 7 days are one.
  - They lie in the month they were opened in, and may be about an order of a month before.
columns:
  numerator: complaints opened in the month
  denominator: valid orders of the month
  n: the denominator
  low: NULL, since one order may be complained of more than once
  high: NULL, since one order may be complained of more than once
key: [period]
*/
WITH ordered AS (
    SELECT month, CAST(sum(orders) AS BIGINT) AS orders
    FROM core.customer_months
    GROUP BY month
)
SELECT
    c.period,
    1000 * CAST(c.numerator AS DOUBLE) / nullif(o.orders, 0) AS value,
    c.numerator,
    coalesce(o.orders, 0) AS denominator,
    coalesce(o.orders, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    c.provisional
FROM kpi.complaint_rate AS c
LEFT JOIN ordered AS o ON o.month = c.period
ORDER BY period
