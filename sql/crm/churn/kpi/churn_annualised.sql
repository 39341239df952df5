/* matins
description: "One row per month: what share of customers would be lost in a year of such months."
formula: "1 − (1 − churn)^12"
columns:
  numerator: NULL, since it is no ratio of counts
  denominator: NULL, since it is no ratio of counts
  n: customers not lost when the month began
  low: of the lower bound of `kpi.churn`
  high: of the upper bound of `kpi.churn`
key: [period]
*/
SELECT
    period,
    1 - power(1 - value, 12) AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    n,
    1 - power(1 - low, 12) AS low,
    1 - power(1 - high, 12) AS high,
    provisional
FROM kpi.churn
ORDER BY period
