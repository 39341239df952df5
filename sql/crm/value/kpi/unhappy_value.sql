/* matins
description: >
  One row, for the day before `$as_of`: of what the customers who answered a survey in the 12 months before brought in them, the share that
  the unhappy ones brought (`value.voices`).
formula: "net of unhappy customers ÷ net of customers who answered"
grain: one row
rules:
  - It is of those who answered, and who answers is not like who does not; `satisfaction.non_response` says how far.
  - NULL of less than 10 who answered, or where less than 5 are unhappy, or less than 5 are not, since one might be known by the amount.
    What less than 5 who answered brought is not told either.
  - Only the present is reckoned; earlier values are kept with the snapshots that published them.
reference: "catalogue: emotional value (情感价值); Reichheld 2003, Harvard Business Review 81(12):46"
columns:
  numerator: net of the 12 months of the unhappy
  denominator: net of the 12 months of all who answered
  n: customers who answered
  low: NULL, since it is an amount's share
  high: NULL, since it is an amount's share
key: [period]
*/
WITH sums AS (
    SELECT
        count(*) AS n,
        count(*) FILTER (WHERE mood = 'unhappy') AS unhappy,
        sum(net) FILTER (WHERE mood = 'unhappy') AS unhappy_net,
        sum(net) AS net
    FROM value.voices
),
judged AS (
    SELECT *, n >= 10 AND unhappy >= 5 AND (n - unhappy >= 5 OR n = unhappy) AS told
    FROM sums
)
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    CASE WHEN told THEN CAST(unhappy_net AS DOUBLE) / CAST(nullif(net, 0) AS DOUBLE) END AS value,
    CASE WHEN told THEN CAST(unhappy_net AS DECIMAL(18, 4)) END AS numerator,
    CASE WHEN n >= 5 THEN CAST(net AS DECIMAL(18, 4)) END AS denominator,
    n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM judged
