/* matins
description: >
  One row per wave of the transactional survey: the share of customers content with service (a 4 or 5 of 5), and how that differs from
  the wave before.
formula: "change = share − share of the wave before, with Newcombe's interval of a difference"
grain: one row per wave
rules:
  - A company that asks all the time, whose answers name no wave, has the quarters of the year as waves.
  - The latest answer of each customer in the wave, on the scale of 1 to 5 only; `kpi.csat_by_scale` has the others.
  - A quarter is closed when it is over, a named wave when its last answer is 14 days old. A wave that is not closed is compared with none.
  - The wave before is the one that began before it, whatever lies between. A wave that began on the same day as another is held
    against that one, in the order of names, so name waves that follow each other.
  - Clear means that the interval of the change does not hold nought and that both waves have 30 answers or more.
reference:
  - "ISO 10004:2018, monitoring and measuring customer satisfaction"
  - "Newcombe 1998, Statistics in Medicine 17:873, method 10"
columns:
  wave: the wave's name, or the quarter as in 2024-Q1
  began_on: of a quarter its first day, of a named wave the first answer's
  ended_on: the last answer's
  answers: customers who answered
  content: those who gave a 4 or a 5
  share: content ÷ answers
  mean: the mean score
  low: lower bound of the 95 % Wilson interval of the share
  high: upper bound of the 95 % Wilson interval of the share
  wave_before: NULL of the first
  share_before: of the wave before
  answers_before: of the wave before
  change: share less share_before; NULL while the wave is provisional
  change_low: lower bound of the 95 % interval of the change
  change_high: upper bound of the 95 % interval of the change
  clear: whether the change is more than chance makes
key: [wave]
checks:
  - expression: "share BETWEEN 0 AND 1"
*/
WITH answers AS (
    SELECT
        coalesce(wave, concat(date_part('year', bdate), '-Q', date_part('quarter', bdate))) AS wave,
        wave IS NULL AS is_quarter,
        bdate,
        csat,
        row_number() OVER (
            PARTITION BY customer_key, coalesce(wave, concat(date_part('year', bdate), '-Q', date_part('quarter', bdate)))
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE survey = 'transactional' AND csat IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT
        wave,
        CASE
            WHEN bool_and(is_quarter) THEN CAST(date_trunc('quarter', min(bdate)) AS DATE)
            ELSE min(bdate)
        END AS began_on,
        max(bdate) AS ended_on,
        CASE
            WHEN bool_and(is_quarter) THEN CAST(date_trunc('quarter', min(bdate)) + INTERVAL '3 months' AS DATE) > $as_of
            ELSE $as_of - max(bdate) < 14
        END AS provisional,
        count(*) FILTER (WHERE place = 1) AS answers,
        count(*) FILTER (WHERE place = 1 AND csat >= 4) AS content,
        avg(CAST(csat AS DOUBLE)) FILTER (WHERE place = 1) AS mean
    FROM answers
    GROUP BY wave
),
pairs AS (
    SELECT
        *,
        lag(wave) OVER in_order AS wave_before,
        lag(content) OVER in_order AS content_before,
        lag(answers) OVER in_order AS answers_before
    FROM tallies
    WINDOW in_order AS (ORDER BY began_on, wave)
),
changes AS (
    SELECT
        *,
        CAST(content AS DOUBLE) / answers AS share,
        CAST(content_before AS DOUBLE) / answers_before AS share_before,
        CASE WHEN NOT provisional THEN newcombe_low(content, answers, content_before, answers_before) END AS change_low,
        CASE WHEN NOT provisional THEN newcombe_high(content, answers, content_before, answers_before) END AS change_high
    FROM pairs
)
SELECT
    wave,
    began_on,
    ended_on,
    answers,
    content,
    share,
    mean,
    wilson_low(content, answers) AS low,
    wilson_high(content, answers) AS high,
    wave_before,
    share_before,
    answers_before,
    CASE WHEN NOT provisional THEN share - share_before END AS change,
    change_low,
    change_high,
    (change_low > 0 OR change_high < 0) AND answers >= 30 AND answers_before >= 30 AS clear,
    provisional
FROM changes
ORDER BY began_on, wave
