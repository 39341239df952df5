/* matins
description: >
  One row per month: the share of customers who agree that the company made it easy (a 5, 6 or 7 of 7, CES 2.0), from the latest
  answer of each in the month.
formula: "customers who gave a 5, 6 or 7 ÷ customers who answered"
rules: The mean is `kpi.effort`.
reference: "Dixon, Freeman & Toman 2010, Harvard Business Review 88(7):116; CES 2.0: CEB 2013"
columns:
  numerator: customers who gave a 5, 6 or 7
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH answers AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        ces,
        row_number() OVER (
            PARTITION BY customer_key, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE ces IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE ces >= 5) AS k
    FROM answers
    WHERE place = 1
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(t.k AS DOUBLE) / t.n AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    m.provisional
FROM satisfaction.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
