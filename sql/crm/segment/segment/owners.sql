/* matins
description: >
  One row per person who looks after customers: how many, what they brought in the 12 months before `$as_of`, and how many of the valuable
  ones are about to be lost.
grain: one row per owner
rules:
  - Customers whom nobody looks after are `none`.
  - Owners of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows for less
    than 5 customers in all. Of less than 5 valuable ones, or at risk, the number is not told.
  - Of less than 5 active ones neither their number nor what they brought is told, nor anybody's share where it would tell that.
  - Valuable is platinum or gold by `segment.tiers`; at risk is a state of `segment.lifecycle_states`, by orders.
columns:
  owner: as the register has it, none or few
  customers: known ones, with an order or without
  active: with a valid order in the 12 months; NULL of less than 5
  net: as originated, in the 12 months; NULL of less than 5 active
  net_share: of the net of all
  valuable: platinum or gold; NULL of less than 5
  valuable_at_risk: of these, at-risk; NULL of less than 5
key: [owner]
checks:
  - expression: "active IS NULL OR active <= customers"
*/
WITH known AS (
    SELECT
        coalesce(c.owner, 'none') AS owner,
        t.net,
        coalesce(t.tier IN ('platinum', 'gold'), FALSE) AS valuable,
        coalesce(s.state = 'at-risk', FALSE) AS at_risk
    FROM core.customers AS c
    LEFT JOIN segment.tiers AS t ON t.customer_key = c.customer_key AND t.as_of = $as_of
    LEFT JOIN segment.lifecycle_states AS s ON s.customer_key = c.customer_key AND s.as_of = $as_of
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (ORDER BY customers, owner ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller
    FROM (
        SELECT
            owner,
            count(*) AS customers,
            count(net) AS active,
            coalesce(sum(net), 0) AS net,
            count(*) FILTER (WHERE valuable) AS valuable,
            count(*) FILTER (WHERE valuable AND at_risk) AS valuable_at_risk
        FROM known
        GROUP BY owner
    ) AS owners
),
groups AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE owner END AS owner,
        CAST(sum(customers) AS BIGINT) AS customers,
        CAST(sum(active) AS BIGINT) AS active,
        sum(net) AS net,
        CAST(sum(valuable) AS BIGINT) AS valuable,
        CAST(sum(valuable_at_risk) AS BIGINT) AS valuable_at_risk
    FROM sizes
    GROUP BY 1
    HAVING sum(customers) >= 5
),
totals AS (
    SELECT
        *,
        sum(net) OVER () AS total_net,
        sum(CASE WHEN active < 5 THEN active ELSE 0 END) OVER () AS untold
    FROM groups
)
SELECT
    owner,
    customers,
    CASE WHEN active >= 5 THEN active END AS active,
    CASE WHEN active >= 5 THEN CAST(net AS DECIMAL(18, 4)) END AS net,
    CASE WHEN active >= 5 AND untold NOT BETWEEN 1 AND 4 THEN CAST(net AS DOUBLE) / CAST(nullif(total_net, 0) AS DOUBLE) END AS net_share,
    CASE WHEN valuable >= 5 THEN valuable END AS valuable,
    CASE WHEN valuable_at_risk >= 5 THEN valuable_at_risk END AS valuable_at_risk
FROM totals
ORDER BY customers DESC, owner
