/* matins
description: >
  One row per month: of the recurring revenue on its first day, the share that was lost in it with the customers who left.
formula: "recurring revenue of customers who left ÷ recurring revenue of the first day"
rules:
  - Customers who stay and pay less are in `kpi.recurring_gross_retention`.
  - A month has a value when the days of grace after it are over; what a pause and a renewal are is said at `churn.recurring`.
columns:
  numerator: recurring revenue of the first day of customers without any on the next month's first day
  denominator: recurring revenue of the first day
  n: customers with recurring revenue on the first day
  low: NULL, since it is a share of money
  high: NULL, since it is a share of money
key: [period]
*/
SELECT
    month AS period,
    CASE
        WHEN NOT provisional THEN CAST(lost AS DOUBLE) / CAST(nullif(at_start, 0) AS DOUBLE)
    END AS value,
    CAST(lost AS DECIMAL(18, 4)) AS numerator,
    at_start AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM churn.recurring
ORDER BY period
