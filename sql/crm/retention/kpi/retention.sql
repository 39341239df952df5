/* matins
description: >
  One row per month: of the customers active in the month before, the share active again (period retention). A month that is
  not over has no value, since those who have not come yet are not lost.
columns:
  numerator: customers active in both months
  denominator: customers active in the month before, the ones at risk
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH at_risk AS (
    SELECT CAST(month + INTERVAL '1 month' AS DATE) AS month, count(*) AS customers
    FROM core.customer_months
    GROUP BY month
),
retained AS (
    SELECT month, count(*) AS customers
    FROM core.customer_months
    WHERE previous_month = CAST(month - INTERVAL '1 month' AS DATE)
    GROUP BY month
),
counts AS (
    SELECT
        m.month,
        m.provisional,
        coalesce(k.customers, 0) AS k,
        coalesce(n.customers, 0) AS n,
        CASE WHEN NOT m.provisional AND n.customers > 0 THEN CAST(coalesce(k.customers, 0) AS DOUBLE) END AS hits,
        CASE WHEN NOT m.provisional AND n.customers > 0 THEN CAST(n.customers AS DOUBLE) END AS trials
    FROM core.months AS m
    LEFT JOIN at_risk AS n ON n.month = m.month
    LEFT JOIN retained AS k ON k.month = m.month
    WHERE m.month > (SELECT min(month) FROM core.months)
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
FROM counts
ORDER BY period
