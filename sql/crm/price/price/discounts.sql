/* matins
description: >
  One row per customer with a valid order in the 12 months before `$as_of` whose lines are known: how much of what the customer bought
  was at a discount, by line.
formula: "net of lines with a discount ÷ net of lines"
rules:
  - bargain, more than 60 % of two orders or more, as in `segment.behaviour`, which takes a whole order for discounted when anything
    was taken off it.
  - An order that was refunded in full is no purchase, and its lines are not in it.
  - As of the end of the last closed month, being the same all month. Who first bought since is not in it until the next is closed.
columns:
  orders: valid orders with lines
  net: of their lines
  discount_share: of that, what lines with a discount brought
key: [customer_key]
closed: month
*/
WITH baskets AS (
    SELECT v.customer_key, l.order_id, sum(l.net) AS net, sum(l.net) FILTER (WHERE l.discount > 0) AS discounted
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
    GROUP BY v.customer_key, l.order_id
),
habits AS (
    SELECT
        customer_key,
        count(*) AS orders,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net,
        CAST(coalesce(sum(discounted), 0) AS DOUBLE) / CAST(nullif(sum(net), 0) AS DOUBLE) AS discount_share,
        -- Exactly, so that 1.23 of 2.05 are no more than 60 %.
        coalesce(5 * sum(discounted) > 3 * nullif(sum(net), 0), FALSE) AS mostly_discounted
    FROM baskets
    GROUP BY customer_key
)
SELECT
    customer_key,
    orders,
    net,
    discount_share,
    orders >= 2 AND mostly_discounted AS bargain
FROM habits
