/* matins
description: "One row per month: of the opportunities closed in it, the share that was won."
formula: "won ÷ (won + lost)"
grain: one row per month
rules:
  - By the month it was closed in; what is open is in no month. Of those that are closed at once many are lost, so a month in which old
    ones are tidied up falls.
reference: "Farris, Bendle, Pfeifer & Reibstein 2010, Marketing Metrics, ch. 6, sales force"
columns:
  numerator: of those, won
  denominator: opportunities closed in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH closed AS (
    SELECT CAST(date_trunc('month', closed_on) AS DATE) AS month, won
    FROM core.opportunities
    WHERE closed_on < $as_of AND won IS NOT NULL
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE won) AS k
    FROM closed
    GROUP BY month
),
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
    CAST(t.k AS DOUBLE) / t.n AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    m.month >= date_trunc('month', $as_of) AS provisional
FROM months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
