/* matins
description: >
  One row per month: of the customers not lost when it began, the share whose silence passed the limit in it (inactivity churn,
  for a business without contracts).
formula: "newly lost ÷ active at the start"
rules: Lost means silent for longer than `lost_after` of `churn.months`. A yearly rate is 1 − (1 − churn)^12, never 12 times it.
columns:
  numerator: customers whose silence passed the limit in the month
  denominator: customers not lost when the month began
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH counts AS (
    SELECT
        month,
        provisional,
        newly_lost AS k,
        active_at_start AS n,
        CASE WHEN NOT provisional AND active_at_start > 0 THEN CAST(newly_lost AS DOUBLE) END AS hits,
        CASE WHEN NOT provisional AND active_at_start > 0 THEN CAST(active_at_start AS DOUBLE) END AS trials
    FROM churn.months
    WHERE month > (SELECT min(month) FROM core.months)
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
