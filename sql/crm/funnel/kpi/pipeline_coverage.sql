/* matins
description: >
  One row, for the day before `$as_of`: how many quarters' sales lie in the opportunities that are open, by what was won in the three months
  before.
formula: "amount of open opportunities ÷ amount of those won in the three months before"
grain: one row
rules:
  - By what they are expected to bring, all at full; what will be lost of it, `kpi.win_rate` tells.
  - NULL where nothing was won, or where the amount of an opportunity of either kind is not known.
  - An opportunity is open that was created before `$as_of` and not closed before it.
  - Only the present is reckoned; earlier values are kept with the snapshots that published them.
reference: "Farris, Bendle, Pfeifer & Reibstein 2010, Marketing Metrics, ch. 6; sales of a quarter stand in for a quota, which no table has"
columns:
  numerator: amount of the open ones
  denominator: amount of the won ones
  n: opportunities that are open
  low: NULL, since all of them are in it
  high: NULL, since all of them are in it
key: [period]
*/
WITH standing AS (
    SELECT
        amount,
        closed_on IS NULL OR closed_on >= $as_of AS open,
        won AND closed_on < $as_of AND closed_on >= CAST($as_of - INTERVAL '3 months' AS DATE) AS lately_won
    FROM core.opportunities
    WHERE created_on < $as_of
),
sums AS (
    SELECT
        count(*) FILTER (WHERE open) AS n,
        coalesce(sum(amount) FILTER (WHERE open), 0) AS open_amount,
        sum(amount) FILTER (WHERE lately_won) AS won_amount,
        count(*) FILTER (WHERE (open OR lately_won) AND amount IS NULL) AS unknown
    FROM standing
)
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    CASE WHEN unknown = 0 THEN CAST(open_amount AS DOUBLE) / CAST(nullif(won_amount, 0) AS DOUBLE) END AS value,
    CASE WHEN unknown = 0 THEN CAST(open_amount AS DECIMAL(18, 4)) END AS numerator,
    CASE WHEN unknown = 0 THEN CAST(coalesce(won_amount, 0) AS DECIMAL(18, 4)) END AS denominator,
    n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM sums
