/* matins
description: >
  One row per industry, and one per size, of the companies that customers are: how many they are, and what they brought in the
  12 months before `$as_of` (firmographic segments).
rules:
  - "Of each of the two cuts values with less than 5 customers are put together as `few`, with the next smallest where they are
    still less than 5 together, so that nobody can be singled out. A cut of less than 5 customers has no rows. There is no cut by
    both, from which and the two others a small one could be reckoned."
  - Customers of whom neither is known, as people are, are not in it; where one of the two is not known it is `unknown`.
  - Of less than 5 active ones neither their number nor what they brought is told, nor anybody's share where it would tell that.
columns:
  cut: industry or size
  place: the value of it
  customers: known ones, with an order or without
  active: with a valid order in the 12 months; NULL of less than 5
  net: as originated, in the 12 months; NULL of less than 5 active
  net_share: of the cut's net
key: [cut, place]
*/
WITH spending AS (
    SELECT customer_key, net
    FROM segment.tiers
    WHERE as_of = $as_of
),
known AS (
    SELECT
        coalesce(c.industry, 'unknown') AS industry,
        coalesce(c.company_size, 'unknown') AS size,
        s.customer_key,
        s.net
    FROM core.customers AS c
    LEFT JOIN spending AS s ON s.customer_key = c.customer_key
    WHERE c.industry IS NOT NULL OR c.company_size IS NOT NULL
),
cuts AS (
    SELECT
        CASE WHEN grouping(industry) = 0 THEN 'industry' ELSE 'size' END AS cut,
        coalesce(industry, size) AS place,
        count(*) AS customers,
        count(customer_key) AS active,
        sum(net) AS net
    FROM known
    GROUP BY GROUPING SETS ((industry), (size))
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (
            PARTITION BY cut ORDER BY customers, place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM cuts
),
groups AS (
    SELECT
        cut,
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE place END AS place,
        CAST(sum(customers) AS BIGINT) AS customers,
        CAST(sum(active) AS BIGINT) AS active,
        coalesce(sum(net), 0) AS net
    FROM sizes
    GROUP BY 1, 2
),
totals AS (
    SELECT
        *,
        sum(net) OVER (PARTITION BY cut) AS total_net,
        sum(CASE WHEN active < 5 THEN active ELSE 0 END) OVER (PARTITION BY cut) AS untold
    FROM groups
)
SELECT
    cut,
    place,
    customers,
    CASE WHEN active >= 5 THEN active END AS active,
    CASE WHEN active >= 5 THEN CAST(net AS DECIMAL(18, 4)) END AS net,
    CASE WHEN active >= 5 AND untold NOT BETWEEN 1 AND 4 THEN CAST(net AS DOUBLE) / CAST(nullif(total_net, 0) AS DOUBLE) END AS net_share
FROM totals
WHERE customers >= 5
ORDER BY cut, customers DESC, place
