/* matins
description: >
  One row per moment and customer with a valid order in the 12 months before it, ranked by net: platinum is the top 4 %, gold
  goes to 20 %, iron to 60 %, lead is the rest and everybody whose net is not positive. The moments are `$as_of` and
  `$prev_as_of`.
grain: one row per moment and customer
rules:
  - Ranked by net as originated; not every company's orders carry their cost.
  - Equal nets are ranked by customer_key, so that a tier has its exact size.
reference: "Zeithaml, Rust & Lemon 2001, California Management Review 43:118; the rule of thumb behind it is only 20/80"
columns:
  as_of: the moment looked back from
  net: as originated, in the 12 months
  place: 1 is who brought most
  base: customers ranked
  customer_share: of the base, those at this place or before it
  net_share: of all net, what those at this place or before it brought
key: [as_of, customer_key]
checks:
  - accepted: {column: tier, values: [platinum, gold, iron, lead]}
*/
WITH moments AS (
    SELECT $as_of AS as_of
    UNION ALL
    SELECT $prev_as_of AS as_of
),
orders AS (
    SELECT
        customer_key,
        net,
        bdate >= CAST($as_of - INTERVAL '12 months' AS DATE) AS counts_now,
        bdate < $prev_as_of AS counts_before
    FROM core.valid_orders
    WHERE bdate < $as_of AND bdate >= CAST($prev_as_of - INTERVAL '12 months' AS DATE)
),
-- Both moments in one pass over the orders, since grouping them is what costs.
years AS (
    SELECT
        customer_key,
        count(*) FILTER (WHERE counts_now) AS orders,
        sum(net) FILTER (WHERE counts_now) AS net,
        count(*) FILTER (WHERE counts_before) AS orders_before,
        sum(net) FILTER (WHERE counts_before) AS net_before
    FROM orders
    GROUP BY customer_key
),
looked_back AS (
    SELECT
        t.as_of,
        y.customer_key,
        CASE WHEN t.as_of = $as_of THEN y.orders ELSE y.orders_before END AS orders,
        CASE WHEN t.as_of = $as_of THEN y.net ELSE y.net_before END AS net
    FROM moments AS t
    CROSS JOIN years AS y
),
spending AS (
    SELECT as_of, customer_key, CAST(net AS DECIMAL(18, 4)) AS net
    FROM looked_back
    WHERE orders > 0
),
ranking AS (
    SELECT
        as_of,
        customer_key,
        net,
        row_number() OVER (PARTITION BY as_of ORDER BY net DESC, customer_key) AS place,
        count(*) OVER (PARTITION BY as_of) AS base,
        sum(net) OVER (
            PARTITION BY as_of ORDER BY net DESC, customer_key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS running,
        sum(net) OVER (PARTITION BY as_of) AS total
    FROM spending
)
SELECT
    as_of,
    customer_key,
    net,
    CASE
        WHEN net <= 0 THEN 'lead'
        WHEN (place - 1) * 100 < base * 4 THEN 'platinum'
        WHEN (place - 1) * 100 < base * 20 THEN 'gold'
        WHEN (place - 1) * 100 < base * 60 THEN 'iron'
        ELSE 'lead'
    END AS tier,
    CAST(place AS BIGINT) AS place,
    base,
    CAST(place AS DOUBLE) / base AS customer_share,
    CAST(running AS DOUBLE) / CAST(nullif(total, 0) AS DOUBLE) AS net_share
FROM ranking
