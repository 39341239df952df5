/* matins
description: >
  One row per tier of `segment.margin_tiers` at `$as_of`: how many customers, what they brought, and how much of it was left when the
  goods were paid.
formula: "margin_rate = margin ÷ net"
grain: one row per tier
rules:
  - Tiers of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows
    for less than 5 customers in all.
  - A tier in which somebody's margin is not known, `unknown` among them, has no margin.
reference: "Zeithaml, Rust & Lemon 2001, California Management Review 43:118"
columns:
  customer_share: of all with a valid order in the 12 months
  net: as originated, in the 12 months
  margin: net less the cost of the goods
  margin_rate: margin ÷ net
  margin_share: of the margin of all who are ranked; above 1 where others cost more than they bring
key: [tier]
closed: month
checks:
  - accepted: {column: tier, values: [platinum, gold, iron, lead, unknown, few]}
*/
WITH ranked AS (
    SELECT tier, net, margin, coalesce(place, base + 1) AS place
    FROM segment.margin_tiers
    WHERE as_of = $as_of
),
totals AS (
    SELECT count(*) AS customers, sum(margin) AS margin
    FROM ranked
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (ORDER BY customers, tier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller
    FROM (
        SELECT
            tier,
            count(*) AS customers,
            count(margin) AS known,
            sum(net) AS net,
            sum(margin) AS margin,
            min(place) AS first_place
        FROM ranked
        GROUP BY tier
    ) AS tiers
),
groups AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE tier END AS tier,
        CAST(sum(customers) AS BIGINT) AS customers,
        sum(net) AS net,
        CASE WHEN sum(known) = sum(customers) THEN sum(margin) END AS margin,
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
    CAST(g.margin AS DECIMAL(18, 4)) AS margin,
    CAST(g.margin AS DOUBLE) / CAST(nullif(g.net, 0) AS DOUBLE) AS margin_rate,
    CASE WHEN t.margin > 0 THEN CAST(g.margin AS DOUBLE) / CAST(t.margin AS DOUBLE) END AS margin_share
FROM groups AS g
CROSS JOIN totals AS t
ORDER BY g.first_place
