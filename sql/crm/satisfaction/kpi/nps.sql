/* matins
description: >
  One row per month: net promoter score of the relational survey, from the latest answer of each customer in the month. The
  interval is adjusted-Wald (Rocks 2016).
columns:
  value: 100 × (promoters - detractors) ÷ n, from -100 to 100; promoters score 9 or 10, detractors 0 to 6
  numerator: promoters less detractors
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % interval
  high: upper bound of the 95 % interval
key: [period]
*/
WITH answers AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        nps,
        row_number() OVER (
            PARTITION BY customer_key, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE survey = 'relational' AND nps IS NOT NULL AND bdate < $as_of
),
waves AS (
    SELECT
        month,
        count(*) AS n,
        count(*) FILTER (WHERE nps >= 9) AS promoters,
        count(*) FILTER (WHERE nps <= 6) AS detractors
    FROM answers
    WHERE place = 1
    GROUP BY month
)
SELECT
    m.month AS period,
    100.0 * (CAST(s.promoters AS DOUBLE) - CAST(s.detractors AS DOUBLE)) / s.n AS value,
    s.promoters - s.detractors AS numerator,
    coalesce(s.n, 0) AS denominator,
    coalesce(s.n, 0) AS n,
    nps_low(s.promoters, s.detractors, s.n) AS low,
    nps_high(s.promoters, s.detractors, s.n) AS high,
    m.provisional
FROM satisfaction.months AS m
LEFT JOIN waves AS s ON s.month = m.month
ORDER BY period
