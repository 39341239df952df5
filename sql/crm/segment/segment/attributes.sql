/* matins
description: >
  One row per attribute of customers (the company's own segment, country, city) and value of it: how many they are, and what
  they brought in the 12 months before `$as_of`.
rules:
  - Values with less than 5 customers are put together as `few`, with the next smallest where they are still less than 5
    together, so that nobody can be singled out. An attribute of less than 5 customers has no rows.
  - A customer of whom the attribute is not known is `unknown`.
  - Of less than 5 active ones neither their number nor what they brought is told, nor anybody's share where it would tell that.
columns:
  attribute: segment, country or city
  place: the value of it
  customers: known ones, with an order or without
  active: with a valid order in the 12 months; NULL of less than 5
  net: as originated, in the 12 months; NULL of less than 5 active
  net_share: of the attribute's net
key: [attribute, place]
*/
WITH spending AS (
    SELECT customer_key, net
    FROM segment.tiers
    WHERE as_of = $as_of
),
known AS (
    SELECT c.customer_key, c.segment, c.country, c.city, s.net
    FROM core.customers AS c
    LEFT JOIN spending AS s ON s.customer_key = c.customer_key
),
attributes AS (
    SELECT
        CASE
            WHEN grouping(segment) = 0 THEN 'segment'
            WHEN grouping(country) = 0 THEN 'country'
            ELSE 'city'
        END AS attribute,
        coalesce(segment, country, city, 'unknown') AS place,
        count(*) AS customers,
        count(net) AS active,
        sum(net) AS net
    FROM known
    GROUP BY GROUPING SETS ((segment), (country), (city))
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (
            PARTITION BY attribute ORDER BY customers, place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM attributes
),
groups AS (
    SELECT
        attribute,
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE place END AS place,
        sum(customers) AS customers,
        sum(active) AS active,
        coalesce(sum(net), 0) AS net
    FROM sizes
    GROUP BY 1, 2
),
totals AS (
    SELECT
        *,
        sum(net) OVER (PARTITION BY attribute) AS total_net,
        sum(CASE WHEN active < 5 THEN active ELSE 0 END) OVER (PARTITION BY attribute) AS untold
    FROM groups
)
SELECT
    attribute,
    place,
    customers,
    CASE WHEN active >= 5 THEN active END AS active,
    CASE WHEN active >= 5 THEN CAST(net AS DECIMAL(18, 4)) END AS net,
    CASE WHEN active >= 5 AND untold NOT BETWEEN 1 AND 4 THEN CAST(net AS DOUBLE) / CAST(nullif(total_net, 0) AS DOUBLE) END AS net_share
FROM totals
WHERE customers >= 5
ORDER BY attribute, customers DESC, place
