/* matins
description: >
  One row per stage of the opportunities that are open at `$as_of`: how many, what they are expected to bring, and how long they have been
  open.
grain: one row per stage
rules:
  - As the company's system names its stages; those that say none are `unknown`.
  - Stages of less than 5 opportunities are one, `few`, with the next smallest where they are still less than 5 together. No rows for less
    than 5 in all.
  - The stage is the present one, since most systems keep no other.
reference: "catalogue: opportunities (銷售機會)"
columns:
  stage: as the company calls it, unknown or few
  opportunities: open ones
  amount: what they are expected to bring; NULL where that of one is not known
  age_median: days since they were created, type 7
  age_oldest: days
key: [stage]
*/
WITH standing AS (
    SELECT coalesce(stage, 'unknown') AS stage, amount, $as_of - created_on AS age
    FROM core.opportunities
    WHERE created_on < $as_of AND (closed_on IS NULL OR closed_on >= $as_of)
),
-- From the smallest on: `smaller` counts the opportunities of those before.
sizes AS (
    SELECT
        stage,
        opportunities,
        coalesce(sum(opportunities) OVER (ORDER BY opportunities, stage ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
            AS smaller
    FROM (SELECT stage, count(*) AS opportunities FROM standing GROUP BY stage) AS counts
)
SELECT
    CASE WHEN s.opportunities < 5 OR s.smaller BETWEEN 1 AND 4 THEN 'few' ELSE o.stage END AS stage,
    count(*) AS opportunities,
    CASE WHEN count(o.amount) = count(*) THEN CAST(sum(o.amount) AS DECIMAL(18, 4)) END AS amount,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(o.age AS DOUBLE)) AS age_median,
    max(o.age) AS age_oldest
FROM standing AS o
INNER JOIN sizes AS s ON s.stage = o.stage
GROUP BY 1
HAVING count(*) >= 5
ORDER BY opportunities DESC, stage
