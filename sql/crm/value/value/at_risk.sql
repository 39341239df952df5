/* matins
description: >
  One row per customer worth a call: the ten of whom most is at stake among those in the top fifth by net of 24 months who
  came back at least once and are probably lost. Each stands under a pseudonym, for a report is passed on: no name is in it.
rules:
  - Probably lost is a probability of 0.5 or less of being still a customer, by MBG/NBD; at stake is net × (1 − alive).
  - Where the model could not be fitted, or knows no loss, those of the segments Can't lose and At risk stand in who have been silent for
    more than 30 days, and at stake is net. The segments compare customers with each other, so a company of a week has some of each.
  - The pseudonym is keyed by the parameter `pseudonym_key`; whoever has it and may read the lake finds the customer by
    `pseudonym(customer_key, key)`.
  - A call is worth the time while the odds of a customer are better than one in ten; below that an offer is.
reference: "Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
columns:
  customer: first ten hexadecimal digits of the HMAC-SHA-256 of the customer's key
  segment: by recency, frequency and money
  tier: by net of the 12 months before `$as_of`; NULL when nothing was bought in them
  last_order: the date of the last valid order
  net: as originated, in the 24 months before `$as_of`
  alive: probability that the customer is still one
  clv_12: value expected of the next 12 months
  reason: why the customer is here
  action: what to do
key: [customer]
checks:
  - row_count: {max: 10}
*/
WITH candidates AS (
    SELECT
        s.customer_key,
        s.segment,
        t.tier,
        s.last_order,
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
        net,
        alive,
        clv_12,
        CAST(net AS DOUBLE) * (1 - coalesce(alive, 0.0)) AS at_stake,
        CASE
            WHEN alive IS NULL THEN 'used to buy often or much and has stopped'
            ELSE 'silent for longer than the own rhythm explains'
        END AS reason,
        CASE WHEN alive < 0.1 THEN 'offer' ELSE 'call' END AS action
    FROM candidates
    WHERE (alive <= 0.5 AND m = 5 AND frequency >= 2)
        OR (alive IS NULL AND segment IN ('Can''t lose', 'At risk') AND $as_of - last_order > 30)
)
SELECT
    pseudonym(customer_key, $pseudonym_key) AS customer,
    segment,
    tier,
    last_order,
    net,
    alive,
    clv_12,
    reason,
    action
FROM lapsing
ORDER BY at_stake DESC, customer_key
LIMIT 10
