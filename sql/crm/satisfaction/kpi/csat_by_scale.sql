/* matins
description: >
  One row per month and scale: the share of customers content with service, among those who were asked on that scale, from the latest
  answer of each on it in the month.
formula: "customers who gave one of the top scores ÷ customers who answered"
grain: one row per month and scale
rules:
  - Answers on different scales are never put together.
  - Content is one of the top two scores, 4 or 5 of 5, 6 or 7 of 7, 9 or 10 of 10; of scales longer than 10 the top tenth of their
    length, as 90 or more of 100. Scales of less than five scores have no top two, and are not counted.
  - The scale 1 to 5, which most companies ask on, has `kpi.csat` to itself as well.
  - An answer that does not say its scale, or lies off it, is not counted. A month without answers has no row.
  - Of less than 5 customers only their number is told.
reference: "ISO 10004:2018; Sauro & Lewis 2016, Quantifying the User Experience, on top-two boxes"
columns:
  dimension: "the scale, its least and its greatest score, as in 1-7"
  numerator: customers who gave one of the top scores
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
        csat_score AS score,
        csat_scale AS scale,
        TRY_CAST(split_part(csat_scale, '-', 1) AS BIGINT) AS least_score,
        TRY_CAST(split_part(csat_scale, '-', 2) AS BIGINT) AS most_score
    FROM core.survey_responses
    WHERE survey = 'transactional' AND csat_score IS NOT NULL AND csat_scale IS NOT NULL AND bdate < $as_of
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
    WHERE score BETWEEN least_score AND most_score AND most_score - least_score >= 4
),
tallies AS (
    SELECT
        month,
        scale,
        least_score,
        most_score,
        count(*) AS n,
        count(*) FILTER (WHERE score >= most_score - greatest(1, (most_score - least_score) / 10)) AS k,
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
