/* matins
description: >
  One row per month: of the customers who were lost when it began, the share with a valid order in it.
formula: "won back ÷ lost at the start"
columns:
  numerator: lost customers with a valid order in the month
  denominator: customers lost when the month began
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
        won_back AS k,
        lost_at_start AS n,
        CASE WHEN NOT provisional AND lost_at_start > 0 THEN CAST(won_back AS DOUBLE) END AS hits,
        CASE WHEN NOT provisional AND lost_at_start > 0 THEN CAST(lost_at_start AS DOUBLE) END AS trials
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
