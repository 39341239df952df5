/* matins
description: >
  One row per month: of the recurring revenue on its first day, the share that the same customers still bring on the next
  month's first day, without what they pay more (gross revenue retention of contracts).
formula: "(start − contraction − lost) ÷ start"
rules:
  - At most 100 %.
  - A month has a value when the days of grace after it are over; what a pause and a renewal are is said at `churn.recurring`.
reference: "Hsu 2015, Diligence at Social Capital"
columns:
  numerator: recurring revenue of the first day less contraction and what was lost
  denominator: recurring revenue of the first day
  n: customers with recurring revenue on the first day
  low: NULL, since it is a share of money
  high: NULL, since it is a share of money
key: [period]
checks:
  - expression: "value IS NULL OR value BETWEEN 0 AND 1"
*/
SELECT
    month AS period,
    CASE
        WHEN NOT provisional THEN CAST(at_start - contraction - lost AS DOUBLE) / CAST(nullif(at_start, 0) AS DOUBLE)
    END AS value,
    CAST(at_start - contraction - lost AS DECIMAL(18, 4)) AS numerator,
    at_start AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM churn.recurring
ORDER BY period
