/* matins
description: >
  One row per month and scale: the share of customers who agree that the company made it easy, among those who were asked on that
  scale, from the latest answer of each on it in the month.
formula: "customers who gave a score above the middle of the scale ÷ customers who answered"
grain: one row per month and scale
rules:
  - Answers on different scales are never put together.
  - Agreement is a score above the middle of the scale, 5 to 7 of 7, 4 or 5 of 5. A score in the middle is none.
  - The greater score is the easier, as in CES 2.0. A company that asks how hard it was turns its scores round in its own pack.
  - The scale 1 to 7 has `kpi.effort_easy` to itself as well.
  - An answer that does not say its scale, or lies off it, is not counted. A month without answers has no row.
  - Of less than 5 customers only their number is told.
reference: "Dixon, Freeman & Toman 2010, Harvard Business Review 88(7):116; CES 2.0: CEB 2013"
columns:
  dimension: "the scale, its least and its greatest score, as in 1-7"
  numerator: customers who gave a score above the middle
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
  mean: the mean score, on its scale
  mean_position: where the mean lies between the ends of the scale, 0 to 1, which may be compared between scales with care
key: [period, dimension]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
  - expression: "mean_position IS NULL OR mean_position BETWEEN 0 AND 1"
*/
WITH scored AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        customer_key,
        response_id,
        answered_at,
        ces_score AS score,
        ces_scale AS scale,
        TRY_CAST(split_part(ces_scale, '-', 1) AS BIGINT) AS least_score,
        TRY_CAST(split_part(ces_scale, '-', 2) AS BIGINT) AS most_score
    FROM core.survey_responses
    WHERE ces_score IS NOT NULL AND ces_scale IS NOT NULL AND bdate < $as_of
),
answers AS (
    SELECT
        month,
        scale,
        least_score,
        most_score,
        score,
        row_number() OVER (
            PARTITION BY customer_key, month, scale ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM scored
    WHERE score BETWEEN least_score AND most_score AND most_score > least_score
),
tallies AS (
    SELECT
        month,
        scale,
        least_score,
        most_score,
        count(*) AS n,
        count(*) FILTER (WHERE 2 * score > least_score + most_score) AS k,
        avg(CAST(score AS DOUBLE)) AS mean
    FROM answers
    WHERE place = 1
    GROUP BY month, scale, least_score, most_score
),
told AS (
    SELECT month, scale, least_score, most_score, n, CASE WHEN n >= 5 THEN k END AS k, CASE WHEN n >= 5 THEN mean END AS mean
    FROM tallies
)
SELECT
    month AS period,
    scale AS dimension,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    mean,
    (mean - least_score) / (most_score - least_score) AS mean_position,
    month >= date_trunc('month', $as_of) AS provisional
FROM told
ORDER BY period, dimension
