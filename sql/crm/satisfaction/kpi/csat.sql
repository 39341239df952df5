/* matins
description: >
  One row per month: the share of customers content with the service they had (a 4 or 5 of 5, top-2-box), from the latest
  answer of each customer to the transactional survey in the month.
columns:
  numerator: customers who gave a 4 or a 5
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
        csat,
        row_number() OVER (
            PARTITION BY customer_key, date_trunc('month', bdate)
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE survey = 'transactional' AND csat IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE csat >= 4) AS k
    FROM answers
    WHERE place = 1
    GROUP BY month
),
shares AS (
    SELECT
        m.month,
        m.provisional,
        coalesce(t.k, 0) AS k,
        coalesce(t.n, 0) AS n,
        CAST(t.k AS DOUBLE) AS hits,
        CAST(t.n AS DOUBLE) AS trials
    FROM satisfaction.months AS m
    LEFT JOIN tallies AS t ON t.month = m.month
)
SELECT
    month AS period,
    hits / trials AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(hits, trials) AS low,
    wilson_high(hits, trials) AS high,
    provisional
FROM shares
ORDER BY period
