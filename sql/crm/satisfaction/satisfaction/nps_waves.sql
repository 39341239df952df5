/* matins
description: >
  One row per wave of the relational survey: its net promoter score, and how that differs from the wave before.
formula: "change = NPS − NPS of the wave before; its interval (p′−d′) − (p′−d′ before) ± z · √(se² + se² before), adjusted-Wald"
grain: one row per wave
rules:
  - A company that asks all the time, whose answers name no wave, has the quarters of the year as waves.
  - The latest answer of each customer in the wave.
  - A quarter is closed when it is over, a named wave when its last answer is 14 days old. A wave that is not closed is compared with none.
  - The wave before is the one that began before it, whatever lies between. A wave that began on the same day as another is held
    against that one, in the order of names, so name waves that follow each other.
  - The interval lies about the difference of the adjusted scores. It is drawn out to the difference of the scores themselves where few
    answers of one mind leave that outside.
  - "Clear means that the interval of the change does not hold nought and that both waves have 30 answers or more. p′ = (P + ¾) ÷ (n + 3),
    d′ = (D + ¾) ÷ (n + 3), se² = (p′ + d′ − (p′ − d′)²) ÷ (n + 3)."
reference:
  - "Reichheld 2003, Harvard Business Review 81(12):46, for the score"
  - "Rocks 2016, The American Statistician 70:365, for the interval"
columns:
  wave: the wave's name, or the quarter as in 2024-Q1
  began_on: of a quarter its first day, of a named wave the first answer's
  ended_on: the last answer's
  answers: customers who answered
  promoters: a 9 or 10
  detractors: 0 to 6
  nps: from -100 to 100
  low: lower bound of its 95 % interval
  high: upper bound of its 95 % interval
  wave_before: NULL of the first
  nps_before: of the wave before
  answers_before: of the wave before
  change: nps less nps_before; NULL while the wave is provisional
  change_low: lower bound of the 95 % interval of the change
  change_high: upper bound of the 95 % interval of the change
  clear: whether the change is more than chance makes
key: [wave]
checks:
  - expression: "nps BETWEEN -100 AND 100"
*/
WITH answers AS (
    SELECT
        coalesce(wave, concat(date_part('year', bdate), '-Q', date_part('quarter', bdate))) AS wave,
        wave IS NULL AS is_quarter,
        bdate,
        nps,
        row_number() OVER (
            PARTITION BY customer_key, coalesce(wave, concat(date_part('year', bdate), '-Q', date_part('quarter', bdate)))
            ORDER BY answered_at DESC, response_id DESC
        ) AS place
    FROM core.survey_responses
    WHERE survey = 'relational' AND nps IS NOT NULL AND bdate < $as_of
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
        count(*) FILTER (WHERE place = 1 AND nps >= 9) AS promoters,
        count(*) FILTER (WHERE place = 1 AND nps <= 6) AS detractors
    FROM answers
    GROUP BY wave
),
adjusted AS (
    SELECT
        *,
        100.0 * (promoters - detractors) / answers AS nps,
        CAST(promoters - detractors AS DOUBLE) / (answers + 3) AS centre,
        (promoters + detractors + 1.5) / (answers + 3) AS decided
    FROM tallies
),
errors AS (
    SELECT *, (decided - centre * centre) / (answers + 3) AS variance
    FROM adjusted
),
pairs AS (
    SELECT
        *,
        lag(wave) OVER in_order AS wave_before,
        lag(nps) OVER in_order AS nps_before,
        lag(answers) OVER in_order AS answers_before,
        CASE WHEN NOT provisional THEN nps - lag(nps) OVER in_order END AS change,
        CASE WHEN NOT provisional THEN centre - lag(centre) OVER in_order END AS apart,
        normal_quantile(0.975) * sqrt(variance + lag(variance) OVER in_order) AS reach
    FROM errors
    WINDOW in_order AS (ORDER BY began_on, wave)
)
SELECT
    wave,
    began_on,
    ended_on,
    answers,
    promoters,
    detractors,
    nps,
    nps_low(promoters, detractors, answers) AS low,
    nps_high(promoters, detractors, answers) AS high,
    wave_before,
    nps_before,
    answers_before,
    change,
    least(100 * (apart - reach), change) AS change_low,
    greatest(100 * (apart + reach), change) AS change_high,
    abs(apart) > reach AND answers >= 30 AND answers_before >= 30 AS clear,
    provisional
FROM pairs
ORDER BY began_on, wave
