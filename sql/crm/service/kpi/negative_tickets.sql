/* matins
description: >
  One row per month: of the tickets opened in it whose message could be scored, the share that sounds negative, by lexicon.
formula: "tickets with a message of VADER's compound score of −0.05 or less ÷ tickets with a scored message"
grain: one row per month
rules:
  - "Only English and Chinese have a lexicon. The language is that of `language`; a text too short for it, of Latin letters only, is taken
    for English. Messages in other languages are not scored; `unscored` says how many."
  - Who opens a ticket has a reason, so the level says little; the change does.
  - No figure for a headline before 200 messages judged by people say how often the lexicon is right.
reference: "Hutto & Gilbert 2014, ICWSM, for the lexicon; Wilson 1927, for the interval"
columns:
  numerator: tickets that sound negative
  denominator: tickets with a scored message
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
  mean: the mean score, from −1 to 1
  unscored: tickets with a message in a language without a lexicon
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH messages AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        message,
        CASE
            WHEN language(message) <> 'und' THEN language(message)
            WHEN regexp_like(message, '\p{Latin}') AND NOT regexp_like(message, '[\p{L}--\p{Latin}]') THEN 'en'
        END AS language
    FROM core.tickets
    WHERE message IS NOT NULL AND trim(message) <> '' AND bdate < $as_of
),
scores AS (
    SELECT
        month,
        CASE language
            WHEN 'en' THEN sentiment(message, 'en')
            WHEN 'zh' THEN sentiment(message, 'zh')
        END AS score
    FROM messages
),
tallies AS (
    SELECT
        month,
        count(score) AS n,
        count(*) FILTER (WHERE score <= -0.05) AS k,
        avg(score) AS mean,
        count(*) - count(score) AS unscored
    FROM scores
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(t.k AS DOUBLE) / nullif(t.n, 0) AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    t.mean,
    coalesce(t.unscored, 0) AS unscored,
    m.provisional
FROM service.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
