/* matins
description: >
  One row, for the day before `$as_of`: how many of the core tables have an unusual number of rows of that day, by `quality.volume`, which
  has the 28 days before.
formula: "tables with rows outside the band of the same weekday (median and 4 · MAD, by logarithms)"
grain: one row
rules:
  - NULL where no table has 8 of the same weekday before the day.
  - Only the present is reckoned; earlier values are kept with the snapshots that published them. It is a state at the end of a day, which
    is over, so it is never provisional; having one period, it is compared with none.
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
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    CASE WHEN count(unusual) > 0 THEN count(*) FILTER (WHERE unusual) END AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    count(unusual) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM quality.volume
WHERE day = CAST($as_of - INTERVAL '1 day' AS DATE)
