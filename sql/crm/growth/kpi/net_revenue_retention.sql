/* matins
description: >
  One row per month; once it ends two whole years of orders, what the customers of a year ago bring now, for what they brought then. New and resurrected customers are left out.
formula: "net now of the customers of then ÷ their net then"
rules: Trailing twelve months, since a month says little where nobody buys by subscription.
columns:
  numerator: what the same customers brought in the later year
  denominator: net of the earlier twelve months
  n: customers with net in the earlier year
  low: NULL, since it is a ratio of amounts
  high: NULL, since it is a ratio of amounts
key: [period]
closed: month
*/
SELECT
    m.month AS period,
    CAST(k.now AS DOUBLE) / CAST(k.base AS DOUBLE) AS value,
    k.now AS numerator,
    k.base AS denominator,
    k.customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN growth.kept_revenue AS k ON k.month = m.month
ORDER BY period
