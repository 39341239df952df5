/* matins
description: >
  One row per day of the 28 before `$as_of`: how many of the core tables have an unusual number of rows of that day, by
  `quality.volume`.
formula: "tables with rows outside median ± 4 · MAD of the same weekday"
grain: one row per day
rules:
  - NULL where no table has 8 of the same weekday before the day. A day is over, so it is never provisional.
reference: "Hampel 1974, J. of the American Statistical Association 69:383"
columns:
  numerator: NULL, since it is a count
  denominator: NULL, since it is a count
  n: tables that could be judged
  low: NULL, since it is a count
  high: NULL, since it is a count
key: [period]
*/
SELECT
    day AS period,
    CASE WHEN count(unusual) > 0 THEN count(*) FILTER (WHERE unusual) END AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    count(unusual) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM quality.volume
GROUP BY day
ORDER BY period
