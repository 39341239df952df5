/* matins
description: >
  One row per customer worth a call: the ten of whom most is at stake among those in the top fifth by net of 24 months who
  came back at least once and are probably lost. Names are masked but for their first letter.
rules:
  - Probably lost is a probability of 0.5 or less of being still a customer, by MBG/NBD; at stake is net × (1 − alive).
  - Where the model could not be fitted, the segments Can't lose and At risk stand in, and at stake is net.
reference: "Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
columns:
  segment: by recency, frequency and money
  tier: by net of the 12 months before `$as_of`; NULL when nothing was bought in them
  last_order: the date of the last valid order
  net: as originated, in the 24 months before `$as_of`
  alive: probability that the customer is still one
  clv_12: value expected of the next 12 months
  reason: why the customer is here
key: [customer_key]
checks:
  - row_count: {max: 10}
*/
WITH candidates AS (
    SELECT
        s.customer_key,
        s.segment,
        t.tier,
        s.last_order,
        s.orders,
        s.net,
        s.frequency,
        s.m,
        v.alive,
        v.clv_12
    FROM segment.rfm AS s
    INNER JOIN value.scores AS v ON v.customer_key = s.customer_key
    LEFT JOIN segment.tiers AS t ON t.customer_key = s.customer_key AND t.as_of = $as_of
),
lapsing AS (
    SELECT
        customer_key,
        segment,
        tier,
        last_order,
        orders,
        net,
        alive,
        clv_12,
        CAST(net AS DOUBLE) * (1 - coalesce(alive, 0.0)) AS at_stake,
        CASE
            WHEN alive IS NULL THEN 'used to buy often or much and has stopped'
            ELSE 'silent for longer than the own rhythm explains'
        END AS reason
    FROM candidates
    WHERE (alive <= 0.5 AND m = 5 AND frequency >= 2) OR (alive IS NULL AND segment IN ('Can''t lose', 'At risk'))
)
SELECT
    l.customer_key,
    mask_name(c.name) AS name,
    l.segment,
    l.tier,
    l.last_order,
    l.orders,
    l.net,
    l.alive,
    l.clv_12,
    l.reason
FROM lapsing AS l
LEFT JOIN core.customers AS c ON c.customer_key = l.customer_key
ORDER BY l.at_stake DESC, l.customer_key
LIMIT 10
