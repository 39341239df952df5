/* matins
description: >
  One row per month: of the known customers who looked at something on the web site in it, the share with a valid order within 7 days of
  a look.
formula: "customers with a valid order from a look to the seventh day ÷ customers who looked"
grain: one row per month
rules:
  - The day of the look and the six after it. What was bought need not be what was looked at, nor on the web site.
  - Who is not logged in is no known customer, so this is no conversion of all visits.
  - A month has a value when the seven days of its last day are over.
reference: "Farris, Bendle, Pfeifer & Reibstein 2010, Marketing Metrics, ch. 10, conversion; the seven days are ours"
columns:
  numerator: customers who looked and bought
  denominator: customers who looked
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH looks AS (
    SELECT DISTINCT customer_key, bdate
    FROM core.events
    WHERE kind = 'view' AND customer_key IS NOT NULL AND bdate < $as_of
),
visits AS (
    SELECT
        CAST(date_trunc('month', l.bdate) AS DATE) AS month,
        l.customer_key,
        count(d.bdate) > 0 AS bought
    FROM looks AS l
    LEFT JOIN core.purchase_days AS d
        ON d.customer_key = l.customer_key AND d.bdate >= l.bdate AND d.bdate < l.bdate + 7
    GROUP BY 1, l.customer_key
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE bought) AS k
    FROM visits
    GROUP BY month
),
months AS (
    SELECT unnest(generate_series(
        min(month),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM tallies
),
closed AS (
    SELECT
        m.month,
        CAST(m.month + INTERVAL '1 month' AS DATE) + 6 > $as_of AS provisional,
        coalesce(t.k, 0) AS k,
        coalesce(t.n, 0) AS n
    FROM months AS m
    LEFT JOIN tallies AS t ON t.month = m.month
)
SELECT
    month AS period,
    CASE WHEN NOT provisional THEN CAST(k AS DOUBLE) / nullif(n, 0) END AS value,
    k AS numerator,
    n AS denominator,
    n,
    CASE WHEN NOT provisional THEN wilson_low(k, n) END AS low,
    CASE WHEN NOT provisional THEN wilson_high(k, n) END AS high,
    provisional
FROM closed
ORDER BY period
