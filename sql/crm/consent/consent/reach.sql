/* matins
description: >
  One row per tier of the customers with a valid order in the 12 months before `$as_of` (`segment.tiers`): how many may be written to, and
  what is withheld from a campaign because they may not.
grain: one row per tier
rules:
  - Who never said is not to be written to.
  - Tiers of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows for less
    than 5 customers in all. Of a tier in which less than 5 may be written to, or less than 5 may not, only its size is told.
reference: "Regulation (EU) 2016/679 art. 7; PIPL art. 14, 15"
columns:
  customers: in the tier
  reachable: of them, those who said yes
  withheld: the others
  reachable_share: reachable ÷ customers
  net: as originated, of the 12 months, of all of them
  reachable_net_share: of net, that of the reachable
key: [tier]
checks:
  - accepted: {column: tier, values: [platinum, gold, iron, lead, few]}
*/
WITH placed AS (
    SELECT t.tier, t.place, t.net, coalesce(c.marketing_consent, FALSE) AS may
    FROM segment.tiers AS t
    LEFT JOIN core.customers AS c ON c.customer_key = t.customer_key
    WHERE t.as_of = $as_of
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (ORDER BY customers, tier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller
    FROM (
        SELECT
            tier,
            min(place) AS first_place,
            count(*) AS customers,
            count(*) FILTER (WHERE may) AS reachable,
            sum(net) AS net,
            coalesce(sum(net) FILTER (WHERE may), 0) AS reachable_net
        FROM placed
        GROUP BY tier
    ) AS tiers
),
groups AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE tier END AS tier,
        min(first_place) AS first_place,
        CAST(sum(customers) AS BIGINT) AS customers,
        CAST(sum(reachable) AS BIGINT) AS reachable,
        sum(net) AS net,
        sum(reachable_net) AS reachable_net
    FROM sizes
    GROUP BY 1
    HAVING sum(customers) >= 5
),
told AS (
    SELECT *, reachable >= 5 AND customers - reachable >= 5 AS split
    FROM groups
)
SELECT
    tier,
    customers,
    CASE WHEN split THEN reachable END AS reachable,
    CASE WHEN split THEN customers - reachable END AS withheld,
    CASE WHEN split THEN CAST(reachable AS DOUBLE) / customers END AS reachable_share,
    CAST(net AS DECIMAL(18, 4)) AS net,
    CASE WHEN split THEN CAST(reachable_net AS DOUBLE) / CAST(nullif(net, 0) AS DOUBLE) END AS reachable_net_share
FROM told
ORDER BY first_place
