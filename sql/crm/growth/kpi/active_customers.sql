/* matins
description: "One row per month: customers with at least one valid order in it."
columns:
  n: the same customers
key: [period]
*/
WITH actives AS (
    SELECT month, count(*) AS customers
    FROM core.customer_months
    GROUP BY month
)
SELECT
    m.month AS period,
    coalesce(a.customers, 0) AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    coalesce(a.customers, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN actives AS a ON a.month = m.month
ORDER BY period
