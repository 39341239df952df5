/* matins
description: >
  One row per customer with a valid order in the 12 months before `$as_of`: how the customer buys, by rules that several may
  meet at once, and whether the last 90 days differ from the 90 before.
rules:
  - bargain, more than 60 % of what was ordered came on orders with a discount; returner, more than 30 % was paid back;
    multi_channel, two channels or more; weekend, more than half of the orders on a Saturday or Sunday.
  - Shares of net are over two orders or more; a single order makes no habit.
  - change is `more` or `less` when the net of the last 90 days is at least 1.5 × that of the 90 before, or at most half of
    it; NULL when both are zero.
columns:
  net: as originated, in the 12 months
  discount_share: of what was ordered, that on orders with a discount
  refund_share: of what was ordered, refunds to date
  weekend_share: of orders
  channels: different ones
key: [customer_key]
*/
WITH purchases AS (
    SELECT
        v.customer_key,
        v.bdate,
        v.ordered,
        v.refunded,
        v.net,
        o.discount > 0 AS discounted,
        o.channel,
        date_part('dow', v.bdate) IN (0, 6) AS weekend
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    WHERE v.bdate < $as_of AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
-- One row per customer and channel, so that channels are counted without a set of them for every customer.
uses AS (
    SELECT
        customer_key,
        channel,
        count(*) AS orders,
        sum(net) AS net,
        sum(ordered) AS ordered,
        sum(refunded) AS refunded,
        sum(ordered) FILTER (WHERE discounted) AS discounted,
        count(*) FILTER (WHERE weekend) AS weekend_orders,
        sum(net) FILTER (WHERE bdate >= CAST($as_of - INTERVAL '90 days' AS DATE)) AS net_90,
        sum(net) FILTER (
            WHERE bdate < CAST($as_of - INTERVAL '90 days' AS DATE)
                AND bdate >= CAST($as_of - INTERVAL '180 days' AS DATE)
        ) AS net_90_before
    FROM purchases
    GROUP BY customer_key, channel
),
habits AS (
    SELECT
        customer_key,
        CAST(sum(orders) AS BIGINT) AS orders,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net,
        CAST(coalesce(sum(discounted), 0) AS DOUBLE) / CAST(nullif(sum(ordered), 0) AS DOUBLE) AS discount_share,
        CAST(sum(refunded) AS DOUBLE) / CAST(nullif(sum(ordered), 0) AS DOUBLE) AS refund_share,
        CAST(sum(weekend_orders) AS DOUBLE) / sum(orders) AS weekend_share,
        count(channel) AS channels,
        CAST(coalesce(sum(net_90), 0) AS DECIMAL(18, 4)) AS net_90,
        CAST(coalesce(sum(net_90_before), 0) AS DECIMAL(18, 4)) AS net_90_before
    FROM uses
    GROUP BY customer_key
)
SELECT
    customer_key,
    orders,
    net,
    discount_share,
    refund_share,
    weekend_share,
    channels,
    net_90,
    net_90_before,
    orders >= 2 AND discount_share > 0.6 AS bargain,
    orders >= 2 AND refund_share > 0.3 AS returner,
    channels >= 2 AS multi_channel,
    orders >= 2 AND weekend_share > 0.5 AS weekend,
    CASE
        WHEN net_90 <= 0 AND net_90_before <= 0 THEN NULL
        WHEN net_90 >= 1.5 * net_90_before THEN 'more'
        WHEN net_90 <= 0.5 * net_90_before THEN 'less'
        ELSE 'same'
    END AS change
FROM habits
