/* matins
description: >
  One row per tier of the customers with a valid order in the 12 months before `$as_of`: platinum is the top 4 % by net, gold
  goes to 20 %, iron to 60 %, lead is the rest and everybody whose net is not positive. Names after Zeithaml, Rust and Lemon
  (2001).
rules:
  - Tiers of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows
    for less than 5 customers in all.
columns:
  customer_share: of all ranked customers
  net: as originated, in the 12 months
  net_share: of the net of all ranked customers
key: [tier]
closed: month
checks:
  - accepted: {column: tier, values: [platinum, gold, iron, lead, few]}
*/
WITH ranked AS (
    SELECT tier, net, place
    FROM segment.tiers
    WHERE as_of = $as_of
),
totals AS (
    SELECT count(*) AS customers, sum(net) AS net
    FROM ranked
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        tier,
        customers,
        net,
        first_place,
        coalesce(sum(customers) OVER (ORDER BY customers, tier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller
    FROM (
        SELECT tier, count(*) AS customers, sum(net) AS net, min(place) AS first_place
        FROM ranked
        GROUP BY tier
    ) AS tiers
),
groups AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE tier END AS tier,
        CAST(sum(customers) AS BIGINT) AS customers,
        sum(net) AS net,
        min(first_place) AS first_place
    FROM sizes
    GROUP BY 1
    HAVING sum(customers) >= 5
)
SELECT
    g.tier,
    g.customers,
    CAST(g.customers AS DOUBLE) / t.customers AS customer_share,
    CAST(g.net AS DECIMAL(18, 4)) AS net,
    CAST(g.net AS DOUBLE) / CAST(nullif(t.net, 0) AS DOUBLE) AS net_share
FROM groups AS g
CROSS JOIN totals AS t
ORDER BY g.first_place
