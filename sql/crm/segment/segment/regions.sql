/* matins
description: >
  One row per region of customers: how many they are, and what they brought in the 12 months before `$as_of`. Countries and
  cities are in `segment.attributes`.
rules:
  - Regions with less than 5 customers are put together as `few`, with the next smallest where they are still less than 5
    together, so that nobody can be singled out. No rows for less than 5 customers in all.
  - A customer whose region is not known is `unknown`.
  - Of less than 5 active ones neither their number nor what they brought is told, nor anybody's share where it would tell that.
columns:
  customers: known ones, with an order or without
  active: with a valid order in the 12 months; NULL of less than 5
  net: as originated, in the 12 months; NULL of less than 5 active
  net_share: of all regions
key: [region]
*/
WITH spending AS (
    SELECT customer_key, net
    FROM segment.tiers
    WHERE as_of = $as_of
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (
            ORDER BY customers, region ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM (
        SELECT coalesce(c.region, 'unknown') AS region, count(*) AS customers, count(s.customer_key) AS active, sum(s.net) AS net
        FROM core.customers AS c
        LEFT JOIN spending AS s ON s.customer_key = c.customer_key
        GROUP BY 1
    ) AS regions
),
groups AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE region END AS region,
        CAST(sum(customers) AS BIGINT) AS customers,
        CAST(sum(active) AS BIGINT) AS active,
        coalesce(sum(net), 0) AS net
    FROM sizes
    GROUP BY 1
),
totals AS (
    SELECT
        *,
        sum(net) OVER () AS total_net,
        sum(CASE WHEN active < 5 THEN active ELSE 0 END) OVER () AS untold
    FROM groups
)
SELECT
    region,
    customers,
    CASE WHEN active >= 5 THEN active END AS active,
    CASE WHEN active >= 5 THEN CAST(net AS DECIMAL(18, 4)) END AS net,
    CASE WHEN active >= 5 AND untold NOT BETWEEN 1 AND 4 THEN CAST(net AS DOUBLE) / CAST(nullif(total_net, 0) AS DOUBLE) END AS net_share
FROM totals
WHERE customers >= 5
ORDER BY customers DESC, region
