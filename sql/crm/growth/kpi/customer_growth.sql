/* matins
description: >
  One row per month: how many new customers came for every one active in the month before (acquisition rate, 客戶增長率). The net
  growth rate, which takes those who did not come again off, is in `growth.trend`.
formula: "new customers ÷ customers active in the month before"
columns:
  numerator: customers whose first valid order lies in the month
  denominator: customers active in the month before
  n: the denominator
  low: NULL, since new customers are no share of old ones
  high: NULL, since new customers are no share of old ones
key: [period]
closed: month
*/
WITH counts AS (
    SELECT month, provisional, new, lag(active) OVER (ORDER BY month) AS active_before
    FROM growth.customers
)
SELECT
    month AS period,
    CASE WHEN NOT provisional THEN CAST(new AS DOUBLE) / nullif(active_before, 0) END AS value,
    new AS numerator,
    active_before AS denominator,
    active_before AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM counts
WHERE active_before IS NOT NULL
ORDER BY period
