/* matins
description: >
  One row per month and touchpoint: the share of customers content with it (a 4 or 5 of 5, top-2-box), from the latest answer of
  each customer about it in the month.
rules:
  - Answers that do not say what they are about are in `kpi.csat` only. A month without answers has no row.
  - Of less than 5 customers only their number is told.
columns:
  dimension: the touchpoint
  numerator: customers who gave a 4 or a 5
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period, dimension]
*/
WITH answers AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        touchpoint,
        csat,
        row_number() OVER (
            PARTITION BY customer_key, touchpoint, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE survey = 'transactional' AND csat IS NOT NULL AND touchpoint IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT month, touchpoint, count(*) AS n, count(*) FILTER (WHERE csat >= 4) AS k
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
