/* matins
description: >
  One row per month: the mean agreement that the company made it easy, 1 to 7 (CES 2.0), from the latest answer of each customer
  in the month.
rules: Read it beside the distribution, since equal means hide unequal customers.
columns:
  value: the mean
  numerator: sum of the scores
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % interval, mean − z · s ÷ √n
  high: upper bound of the 95 % interval, mean + z · s ÷ √n
key: [period]
checks:
  - expression: "value IS NULL OR low IS NULL OR (low <= value AND value <= high)"
*/
WITH answers AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        ces AS score,
        row_number() OVER (
            PARTITION BY customer_key, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE ces IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT
        month,
        count(*) AS n,
        sum(score) AS total,
        avg(CAST(score AS DOUBLE)) AS mean,
        stddev(CAST(score AS DOUBLE)) AS deviation
    FROM answers
    WHERE place = 1
    GROUP BY month
)
SELECT
    m.month AS period,
    t.mean AS value,
    coalesce(t.total, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    t.mean - normal_quantile(0.975) * t.deviation / sqrt(t.n) AS low,
    t.mean + normal_quantile(0.975) * t.deviation / sqrt(t.n) AS high,
    m.provisional
FROM satisfaction.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
