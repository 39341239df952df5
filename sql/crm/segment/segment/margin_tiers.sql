/* matins
description: >
  One row per moment and customer with a valid order in the 12 months before it, ranked by contribution margin: platinum is the top
  4 %, gold goes to 20 %, iron to 60 %, lead is the rest and everybody whose margin is not positive. The moments are `$as_of` and
  `$prev_as_of`.
formula: "margin = Σ (net − cost of the goods) over the customer's valid orders of the 12 months"
grain: one row per moment and customer
rules:
  - As originated, so what was paid back is taken off its order; its goods still cost what they cost.
  - A customer with an order whose cost is not known has no margin and no place, and is `unknown`; who is ranked is ranked among the
    others. `segment.tiers` ranks everybody by net.
  - Equal margins are ranked by customer_key, so that a tier has its exact size.
  - The running share of margin rises above 1 where some customers cost more than they bring, and comes back to 1 with the last of
    them (the whale curve).
reference:
  - "Zeithaml, Rust & Lemon 2001, California Management Review 43:118, for the tiers"
  - "Kaplan & Narayanan 2001, J. of Cost Management 15(5):5, for the whale curve"
columns:
  as_of: the moment looked back from
  orders: valid orders in the 12 months
  net: as originated, in the 12 months
  margin: NULL where the cost of an order is not known
  place: 1 is who brought most margin; NULL of the unknown
  base: customers ranked
  customer_share: of the base, those at this place or before it
  margin_share: of all margin, what those at this place or before it brought; NULL when all together brought none
key: [as_of, customer_key]
closed: month
checks:
  - accepted: {column: tier, values: [platinum, gold, iron, lead, unknown]}
  - expression: "(margin IS NULL) = (place IS NULL)"
*/
WITH moments AS (
    SELECT $as_of AS as_of
    UNION ALL
    SELECT $prev_as_of AS as_of
),
orders AS (
    SELECT
        o.customer_key,
        v.net,
        o.cost,
        o.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE) AS counts_now,
        o.bdate < $prev_as_of AS counts_before
    FROM core.orders AS o
    INNER JOIN core.valid_orders AS v ON v.order_id = o.order_id
    WHERE v.bdate < $as_of AND v.bdate >= CAST($prev_as_of - INTERVAL '12 months' AS DATE)
),
-- Both moments in one pass over the orders, since grouping them is what costs.
years AS (
    SELECT
        customer_key,
        count(*) FILTER (WHERE counts_now) AS orders,
        count(cost) FILTER (WHERE counts_now) AS costed,
        sum(net) FILTER (WHERE counts_now) AS net,
        sum(net - cost) FILTER (WHERE counts_now) AS margin,
        count(*) FILTER (WHERE counts_before) AS orders_before,
        count(cost) FILTER (WHERE counts_before) AS costed_before,
        sum(net) FILTER (WHERE counts_before) AS net_before,
        sum(net - cost) FILTER (WHERE counts_before) AS margin_before
    FROM orders
    GROUP BY customer_key
),
looked_back AS (
    SELECT
        t.as_of,
        y.customer_key,
        CASE WHEN t.as_of = $as_of THEN y.orders ELSE y.orders_before END AS orders,
        CASE WHEN t.as_of = $as_of THEN y.costed ELSE y.costed_before END AS costed,
        CASE WHEN t.as_of = $as_of THEN y.net ELSE y.net_before END AS net,
        CASE WHEN t.as_of = $as_of THEN y.margin ELSE y.margin_before END AS margin
    FROM moments AS t
    CROSS JOIN years AS y
),
spending AS (
    SELECT
        as_of,
        customer_key,
        orders,
        CAST(net AS DECIMAL(18, 4)) AS net,
        CASE WHEN costed = orders THEN CAST(margin AS DECIMAL(18, 4)) END AS margin
    FROM looked_back
    WHERE orders > 0
),
-- Those without a margin stand after all who have one, so that they take nobody's place.
ranking AS (
    SELECT
        as_of,
        customer_key,
        orders,
        net,
        margin,
        row_number() OVER (PARTITION BY as_of ORDER BY margin DESC NULLS LAST, customer_key) AS place,
        count(margin) OVER (PARTITION BY as_of) AS base,
        sum(margin) OVER (
            PARTITION BY as_of
            ORDER BY margin DESC NULLS LAST, customer_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS running,
        sum(margin) OVER (PARTITION BY as_of) AS total
    FROM spending
)
SELECT
    as_of,
    customer_key,
    orders,
    net,
    margin,
    CASE
        WHEN margin IS NULL THEN 'unknown'
        WHEN margin <= 0 THEN 'lead'
        WHEN (place - 1) * 100 < base * 4 THEN 'platinum'
        WHEN (place - 1) * 100 < base * 20 THEN 'gold'
        WHEN (place - 1) * 100 < base * 60 THEN 'iron'
        ELSE 'lead'
    END AS tier,
    CASE WHEN margin IS NOT NULL THEN CAST(place AS BIGINT) END AS place,
    base,
    CASE WHEN margin IS NOT NULL THEN CAST(place AS DOUBLE) / base END AS customer_share,
    CASE WHEN margin IS NOT NULL AND total > 0 THEN CAST(running AS DOUBLE) / CAST(total AS DOUBLE) END AS margin_share
FROM ranking
