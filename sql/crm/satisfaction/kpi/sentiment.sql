/* matins
description: >
  One row per month: how content customers sound in what they write to a survey, from the latest scored comment of each in the month
  (`satisfaction.comment_scores`).
formula: "100 · (positive − negative) ÷ scored"
grain: one row per month
rules:
  - Comments in a language without a lexicon are not scored and not counted; `unscored` says how many.
  - No figure for a headline before 200 comments judged by people say how often the lexicon is right.
reference: "Hutto & Gilbert 2014, ICWSM, for the lexicon; Rocks 2016, The American Statistician 70:365, for the interval"
columns:
  value: net sentiment, from -100 to 100
  numerator: customers who sound positive less those who sound negative
  denominator: customers with a scored comment
  n: the denominator
  low: lower bound of the 95 % adjusted-Wald interval
  high: upper bound of the 95 % adjusted-Wald interval
  mean: the mean score, from −1 to 1
  positive: customers
  neutral: customers
  negative: customers
  unscored: comments in a language without a lexicon
key: [period]
checks:
  - expression: "positive + neutral + negative = n"
*/
WITH comments AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        score,
        label,
        row_number() OVER (
            PARTITION BY customer_key, date_trunc('month', bdate), label IS NULL
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM satisfaction.comment_scores
),
tallies AS (
    SELECT
        month,
        count(label) FILTER (WHERE place = 1) AS n,
        count(*) FILTER (WHERE place = 1 AND label = 'positive') AS positive,
        count(*) FILTER (WHERE place = 1 AND label = 'neutral') AS neutral,
        count(*) FILTER (WHERE place = 1 AND label = 'negative') AS negative,
        avg(CASE WHEN place = 1 THEN score END) AS mean,
        count(*) - count(label) AS unscored
    FROM comments
    GROUP BY month
)
SELECT
    m.month AS period,
    100.0 * (t.positive - t.negative) / nullif(t.n, 0) AS value,
    coalesce(t.positive - t.negative, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    nps_low(t.positive, t.negative, t.n) AS low,
    nps_high(t.positive, t.negative, t.n) AS high,
    t.mean,
    coalesce(t.positive, 0) AS positive,
    coalesce(t.neutral, 0) AS neutral,
    coalesce(t.negative, 0) AS negative,
    coalesce(t.unscored, 0) AS unscored,
    m.provisional
FROM satisfaction.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
