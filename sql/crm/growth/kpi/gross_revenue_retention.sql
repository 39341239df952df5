/* matins
description: >
  One row per month; once it ends two whole years of orders, of the net of customers a year ago, the share that the same customers still bring, without what any of them spends more. It is never above 1.
formula: "Σ min(net now, net then) ÷ Σ net then"
rules: Trailing twelve months, since a month says little where nobody buys by subscription.
columns:
  numerator: what those customers brought, without what grew
  denominator: net of the earlier twelve months
  n: customers with net in the earlier year
  low: NULL, since it is a ratio of amounts
  high: NULL, since it is a ratio of amounts
key: [period]
closed: month
*/
SELECT
    m.month AS period,
    CAST(k.kept AS DOUBLE) / CAST(k.base AS DOUBLE) AS value,
    k.kept AS numerator,
    k.base AS denominator,
    k.customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN growth.kept_revenue AS k ON k.month = m.month
ORDER BY period
