/* matins
description: >
  One row per month and touchpoint: the share of customers who agree that the company made it easy there (a 5, 6 or 7 of 7, CES 2.0), from
  the latest answer of each about it in the month.
formula: "customers who gave a 5, 6 or 7 ÷ customers who answered"
grain: one row per month and touchpoint
rules:
  - Answers that do not say what they are about are in `kpi.effort_easy` only. A month without answers has no row.
  - Of less than 5 customers only their number is told.
reference: "Dixon, Freeman & Toman 2010, Harvard Business Review 88(7):116; CES 2.0: CEB 2013"
columns:
  dimension: the touchpoint
  numerator: customers who gave a 5, 6 or 7
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period, dimension]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH answers AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        touchpoint,
        ces,
        row_number() OVER (
            PARTITION BY customer_key, touchpoint, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE ces IS NOT NULL AND touchpoint IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT month, touchpoint, count(*) AS n, count(*) FILTER (WHERE ces >= 5) AS k
    FROM answers
    WHERE place = 1
    GROUP BY month, touchpoint
)
SELECT
    month AS period,
    touchpoint AS dimension,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    month >= date_trunc('month', $as_of) AS provisional
FROM (SELECT month, touchpoint, CASE WHEN n >= 5 THEN k END AS k, n FROM tallies) AS told
ORDER BY period, dimension
