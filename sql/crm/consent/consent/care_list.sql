/* matins
description: >
  One row per customer who may be written to and whom there is an occasion to write to at `$as_of`: which one, and whether the customer is
  among the tenth held out, so that what the letter did can be told from what would have happened.
grain: one row per customer
rules:
  - "Only who said yes to marketing. The occasion is the first that holds: keep, at-risk; win back, lost, of those who were platinum or
    gold a month before; welcome, new; thank, platinum or gold and retained or expanding."
  - Held out by a keyed hash of the customer's key, one in ten. The parameter `care_campaign` is the key, so that a list of the same name
    holds out the same customers every night, and one of another name others.
  - A list of single customers is for the company's own systems; Matins writes to no customer. What came of it comes back as
    `core.campaign_contacts`, those held out with `control`.
reference: "Regulation (EU) 2016/679 art. 7; PIPL art. 14, 15; the hash is HMAC-SHA-256, RFC 2104"
columns:
  occasion: keep, win back, welcome or thank
  state: of the lifecycle, by orders
  tier: by net of the 12 months before `$as_of`; NULL when nothing was bought in them
  last_order: date of the last valid order
  held_out: not to be written to, but to be compared with
key: [customer_key]
checks:
  - accepted: {column: occasion, values: [keep, win back, welcome, thank]}
*/
WITH tiers AS (
    SELECT
        customer_key,
        max(tier) FILTER (WHERE as_of = $as_of) AS tier,
        max(tier) FILTER (WHERE as_of = $prev_as_of) AS tier_before
    FROM segment.tiers
    GROUP BY customer_key
),
occasions AS (
    SELECT
        s.customer_key,
        CASE
            WHEN s.state = 'at-risk' THEN 'keep'
            WHEN s.state = 'lost' AND t.tier_before IN ('platinum', 'gold') THEN 'win back'
            WHEN s.state = 'new' THEN 'welcome'
            WHEN s.state IN ('retained', 'expanding') AND t.tier IN ('platinum', 'gold') THEN 'thank'
        END AS occasion,
        s.state,
        t.tier,
        s.last_order
    FROM segment.lifecycle_states AS s
    INNER JOIN core.customers AS c ON c.customer_key = s.customer_key
    LEFT JOIN tiers AS t ON t.customer_key = s.customer_key
    WHERE s.as_of = $as_of AND c.marketing_consent
)
SELECT
    customer_key,
    occasion,
    state,
    tier,
    last_order,
    substr(pseudonym(customer_key, $care_campaign), 1, 4) < '199a' AS held_out
FROM occasions
WHERE occasion IS NOT NULL
