/* matins
description: >
  Two rows, of the members of the loyalty programme and of all other customers: what they did in the 12 months before `$as_of`.
grain: one row for members and one for the others
rules:
  - Members are who joined before `$as_of`. Of less than 5 of either there are no rows, and of less than 5 active ones only how many
    customers there are.
  - Who joins is a better customer to begin with, so the difference is not what the programme did.
reference:
  - "catalogue: loyalty programme (忠诚度计划), members beside the others"
  - "Leenheer et al. 2007, Int. J. of Research in Marketing 24:31, on who joins"
columns:
  member: whether it is the row of the members
  customers: known ones, with an order or without
  active: with a valid order in the 12 months; NULL of less than 5
  active_share: active ÷ customers
  active_low: lower bound of its 95 % Wilson interval
  active_high: upper bound of its 95 % Wilson interval
  repeat_share: of the active, those with two valid orders or more in the 12 months
  net: as originated, in the 12 months; NULL of less than 5 active
  net_per_active: net ÷ active
key: [member]
checks:
  - expression: "active IS NULL OR active <= customers"
*/
WITH spending AS (
    SELECT customer_key, sum(orders) AS orders, sum(net) AS net
    FROM core.purchase_days
    WHERE bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
    GROUP BY customer_key
),
groups AS (
    SELECT
        coalesce(c.member_since < $as_of, FALSE) AS member,
        count(*) AS customers,
        count(s.orders) AS active,
        count(*) FILTER (WHERE s.orders >= 2) AS repeaters,
        coalesce(sum(s.net), 0) AS net
    FROM core.customers AS c
    LEFT JOIN spending AS s ON s.customer_key = c.customer_key
    GROUP BY 1
),
told AS (
    SELECT
        member,
        customers,
        CASE WHEN active >= 5 THEN active END AS active,
        repeaters,
        net,
        min(customers) OVER () AS fewest,
        count(*) OVER () AS rows_there
    FROM groups
)
SELECT
    member,
    customers,
    active,
    CAST(active AS DOUBLE) / customers AS active_share,
    wilson_low(active, customers) AS active_low,
    wilson_high(active, customers) AS active_high,
    CAST(repeaters AS DOUBLE) / active AS repeat_share,
    CASE WHEN active IS NOT NULL THEN CAST(net AS DECIMAL(18, 4)) END AS net,
    CAST(net AS DOUBLE) / active AS net_per_active
FROM told
WHERE fewest >= 5 AND rows_there = 2
ORDER BY member DESC
