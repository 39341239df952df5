/* matins
description: "One row per month: how many days the opportunities won in it had been open, in the median."
formula: "median of the days from created_on to closed_on"
grain: one row per month
rules:
  - Quantiles are continuous (type 7). Only what was won; what drags on and is lost is not in it, and so it is the short side of the matter.
reference: "Hyndman & Fan 1996, The American Statistician 50:361, type 7"
columns:
  value: days
  numerator: NULL, since it is a median
  denominator: NULL, since it is a median
  n: opportunities won in the month
  low: NULL, since all of them are in it
  high: NULL, since all of them are in it
  p90: days that nine of ten were won within
key: [period]
checks:
  - expression: "value IS NULL OR (value >= 0 AND value <= p90)"
*/
WITH won AS (
    SELECT CAST(date_trunc('month', closed_on) AS DATE) AS month, closed_on - created_on AS days
    FROM core.opportunities
    WHERE won AND closed_on < $as_of AND closed_on >= created_on
),
tallies AS (
    SELECT
        month,
        count(*) AS n,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(days AS DOUBLE)) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY CAST(days AS DOUBLE)) AS p90
    FROM won
    GROUP BY month
),
months AS (
    SELECT unnest(generate_series(
        min(month),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM tallies
)
SELECT
    m.month AS period,
    t.median AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    coalesce(t.n, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    t.p90,
    m.month >= date_trunc('month', $as_of) AS provisional
FROM months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
