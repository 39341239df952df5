/* matins
description: >
  One row per month: of the customers under contract on its first day, the share whose contracts ended in it and were not followed by
  others (contractual churn).
formula: "ended and not renewed ÷ under contract on the first day"
rules:
  - A contract ends with the last day it covers; another that begins within `contract_grace_days` (15 unless the pipeline says
    otherwise) follows it, and a pause is no end.
  - A month has a value when the days of grace after it are over.
  - Why they left is in `kpi.contract_churn_by_reason`.
columns:
  numerator: customers whose last day under contract lies in the month
  denominator: customers under contract on the month's first day
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH months AS (
    SELECT
        CAST(month AS DATE) AS month,
        CAST(month + INTERVAL '1 month' AS DATE) AS next_month
    FROM (
        SELECT unnest(generate_series(
            CAST(date_trunc('month', min(began_on)) AS DATE),
            CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
            INTERVAL '1 month'
        )) AS month
        FROM churn.contracts
    ) AS calendar
),
counts AS (
    SELECT
        m.month,
        m.next_month + $contract_grace_days >= $as_of AS provisional,
        count(c.customer_key) AS n,
        count(*) FILTER (WHERE c.ended_on <= m.next_month) AS k
    FROM months AS m
    LEFT JOIN churn.contracts AS c ON c.began_on <= m.month AND (c.ended_on IS NULL OR c.ended_on > m.month)
    GROUP BY m.month, m.next_month
)
SELECT
    month AS period,
    CASE WHEN NOT provisional THEN CAST(k AS DOUBLE) / nullif(n, 0) END AS value,
    k AS numerator,
    n AS denominator,
    n,
    CASE WHEN NOT provisional THEN wilson_low(k, n) END AS low,
    CASE WHEN NOT provisional THEN wilson_high(k, n) END AS high,
    provisional
FROM counts
ORDER BY period
