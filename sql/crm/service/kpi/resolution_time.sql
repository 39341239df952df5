/* matins
description: >
  One row per month: how long it took to resolve the tickets resolved in it, by the calendar. Tickets that stay open are not in it; see `kpi.backlog`.
rules: The mean and the ninth decile are in `service.times`.
columns:
  value: the median, in hours
  n: tickets resolved in the month at a known moment
  low: NULL, since a median is no share
  high: NULL, since a median is no share
key: [period]
*/
SELECT
    month AS period,
    resolution_median AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    timed AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM service.times
ORDER BY period
