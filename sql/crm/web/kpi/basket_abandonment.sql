/* matins
description: >
  One row per month: of the days on which a known customer put something into a basket, the share that was not followed by a valid order
  of the customer that day or the next.
formula: "baskets without an order ÷ baskets, a basket being a customer's day with something put into it"
grain: one row per month
rules:
  - What was put in need not be what was bought; a basket of which a part was bought is not left.
  - A month has a value when the day after its last is over.
reference: "Kukar-Kinney & Close 2010, J. of the Academy of Marketing Science 38:240; the day after is ours"
columns:
  numerator: baskets without an order
  denominator: baskets
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH baskets AS (
    SELECT DISTINCT customer_key, bdate
    FROM core.events
    WHERE kind = 'basket' AND customer_key IS NOT NULL AND bdate < $as_of
),
outcomes AS (
    SELECT b.customer_key, b.bdate, count(d.bdate) > 0 AS bought
    FROM baskets AS b
    LEFT JOIN core.purchase_days AS d ON d.customer_key = b.customer_key AND d.bdate >= b.bdate AND d.bdate <= b.bdate + 1
    GROUP BY b.customer_key, b.bdate
),
tallies AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, count(*) AS n, count(*) FILTER (WHERE NOT bought) AS k
    FROM outcomes
    GROUP BY 1
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
        CAST(m.month + INTERVAL '1 month' AS DATE) + 1 > $as_of AS provisional,
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
