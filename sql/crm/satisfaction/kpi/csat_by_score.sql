/* matins
description: >
  One row per month and score, 1 to 5: the share of customers who gave it, from the latest answer of each to the transactional
  survey in the month. The distribution behind `kpi.csat_mean` and `kpi.csat`.
formula: "customers who gave the score ÷ customers who answered"
rules:
  - A score that nobody gave is a row of nought; a month without answers has no row.
  - Scores of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. A month with
    less than 5 answers has no row.
columns:
  dimension: the score, or few
  numerator: customers who gave it
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period, dimension]
checks:
  - name: the scores of a month add up to its answers
    query: >
      SELECT s.period
      FROM (SELECT period, sum(numerator) AS given, max(n) AS n FROM kpi.csat_by_score GROUP BY period) AS s
      INNER JOIN kpi.csat AS c ON c.period = s.period
      WHERE s.given <> s.n OR s.n <> c.n
*/
WITH answers AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        csat,
        row_number() OVER (
            PARTITION BY customer_key, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE survey = 'transactional' AND csat IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT month, csat, count(*) AS k
    FROM answers
    WHERE place = 1
    GROUP BY month, csat
),
months AS (
    SELECT month, sum(k) AS n
    FROM tallies
    GROUP BY month
),
-- From the smallest on: `smaller` counts the customers of those before. Nobody is no one who could be singled out.
sizes AS (
    SELECT
        m.month,
        CAST(m.n AS BIGINT) AS n,
        s.score,
        coalesce(t.k, 0) AS k,
        coalesce(sum(t.k) OVER (
            PARTITION BY m.month ORDER BY t.k NULLS FIRST, s.score ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM months AS m
    CROSS JOIN (VALUES (1), (2), (3), (4), (5)) AS s (score)
    LEFT JOIN tallies AS t ON t.month = m.month AND t.csat = s.score
),
told AS (
    SELECT
        month,
        n,
        CASE WHEN k BETWEEN 1 AND 4 OR (k > 0 AND smaller BETWEEN 1 AND 4) THEN 'few' ELSE CAST(score AS VARCHAR) END AS score,
        CAST(sum(k) AS BIGINT) AS k
    FROM sizes
    WHERE n >= 5
    GROUP BY 1, 2, 3
)
SELECT
    month AS period,
    score AS dimension,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    month >= date_trunc('month', $as_of) AS provisional
FROM told
ORDER BY period, dimension
