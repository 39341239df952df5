/* matins
description: "One row per month: of the customers whom a campaign reached in it, the share who opened what they were sent."
formula: "reached customers who opened ÷ reached customers of whom it is known"
grain: one row per month
rules:
  - A customer counts once for each campaign that reached him or her. Those held out were sent nothing.
  - NULL of a month of which no opening is known. Mail readers that load pictures by themselves open everything, so compare months and
    not companies.
reference: "Farris, Bendle, Pfeifer & Reibstein 2010, Marketing Metrics, ch. 10"
columns:
  numerator: of those, opened
  denominator: campaign and customer pairs of which it is known
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH tallies AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        count(opened) AS n,
        count(*) FILTER (WHERE opened) AS k
    FROM core.campaign_contacts
    WHERE NOT control AND bdate < $as_of
    GROUP BY 1
),
-- From the first campaign on, so that a month without one is a row and not a gap.
months AS (
    SELECT unnest(generate_series(
        min(month),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM tallies
)
SELECT
    m.month AS period,
    CAST(t.k AS DOUBLE) / nullif(t.n, 0) AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    m.month >= date_trunc('month', $as_of) AS provisional
FROM months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
