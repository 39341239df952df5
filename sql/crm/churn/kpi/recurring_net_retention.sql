/* matins
description: >
  One row per month: what the customers of its first day bring on the next month's first day, against what they brought (net
  revenue retention of contracts).
formula: "(start + expansion − contraction − lost) ÷ start"
rules:
  - New customers, and those who come back, are not in it.
  - A month has a value when the days of grace after it are over; what a pause and a renewal are is said at `churn.recurring`.
reference: "Hsu 2015, Diligence at Social Capital"
columns:
  numerator: recurring revenue on the next month's first day of the customers of the first day
  denominator: recurring revenue of the first day
  n: customers with recurring revenue on the first day
  low: NULL, since it is a share of money
  high: NULL, since it is a share of money
key: [period]
*/
SELECT
    month AS period,
    CASE
        WHEN NOT provisional THEN CAST(at_start + expansion - contraction - lost AS DOUBLE) / CAST(nullif(at_start, 0) AS DOUBLE)
    END AS value,
    CAST(at_start + expansion - contraction - lost AS DECIMAL(18, 4)) AS numerator,
    at_start AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM churn.recurring
ORDER BY period
