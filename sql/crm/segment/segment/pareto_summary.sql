/* matins
description: >
  One row per tier of the customers with a valid order in the 12 months before `$as_of`, ranked by net: platinum is the top
  4 %, gold goes to 20 %, iron to 60 %, lead is the rest and everybody whose net is not positive. Names after Zeithaml, Rust
  and Lemon (2001).
columns:
  customer_share: of all ranked customers
  net: as originated, in the 12 months
  net_share: of the net of all ranked customers
key: [tier]
checks:
  - accepted: {column: tier, values: [platinum, gold, iron, lead]}
*/
WITH spending AS (
    SELECT customer_key, sum(net) AS net
    FROM core.valid_orders
    WHERE bdate >= CAST($as_of - INTERVAL '12 months' AS DATE) AND bdate < $as_of
    GROUP BY customer_key
),
ranking AS (
    SELECT
        net,
        row_number() OVER (ORDER BY net DESC, customer_key) - 1 AS ahead,
        count(*) OVER () AS base
    FROM spending
),
tiers AS (
    SELECT
        net,
        ahead,
        CASE
            WHEN net <= 0 THEN 'lead'
            WHEN ahead * 100 < base * 4 THEN 'platinum'
            WHEN ahead * 100 < base * 20 THEN 'gold'
            WHEN ahead * 100 < base * 60 THEN 'iron'
            ELSE 'lead'
        END AS tier
    FROM ranking
),
totals AS (
    SELECT count(*) AS customers, sum(net) AS net
    FROM spending
),
groups AS (
    SELECT tier, count(*) AS customers, sum(net) AS net, min(ahead) AS ahead
    FROM tiers
    GROUP BY tier
)
SELECT
    g.tier,
    g.customers,
    CAST(g.customers AS DOUBLE) / t.customers AS customer_share,
    CAST(g.net AS DECIMAL(18, 4)) AS net,
    CAST(g.net AS DOUBLE) / CAST(nullif(t.net, 0) AS DOUBLE) AS net_share
FROM groups AS g
CROSS JOIN totals AS t
ORDER BY g.ahead
