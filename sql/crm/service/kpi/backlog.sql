/* matins
description: "One row per month: tickets open when it ended, or at `$as_of` when it is not over. Their ages are in `service.backlog`."
columns:
  n: the same tickets
key: [period]
*/
SELECT
    month AS period,
    open_at_end AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    open_at_end AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM service.times
ORDER BY period
