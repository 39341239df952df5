/* matins
description: >
  One row per month: customers that came for every customer that did not come again. Below 1 the base shrinks.
formula: "(new + resurrected) ÷ churned"
rules: NULL when nobody churned, and in a month that is not over.
reference: "Hsu 2015, Diligence at Social Capital"
columns:
  numerator: new and resurrected customers
  denominator: churned customers
  n: customers active in the month before
  low: NULL, since it is a ratio of different customers
  high: NULL, since it is a ratio of different customers
key: [period]
closed: month
*/
WITH counts AS (
    SELECT
        month,
        provisional,
        new + resurrected AS came,
        churned,
        lag(active) OVER (ORDER BY month) AS active_before
    FROM growth.customers
)
SELECT
    month AS period,
    CAST(came AS DOUBLE) / nullif(churned, 0) AS value,
    came AS numerator,
    churned AS denominator,
    active_before AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM counts
WHERE active_before IS NOT NULL
ORDER BY period
