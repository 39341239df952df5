/* matins
description: >
  One row per customer with a valid order in the 12 months before `$as_of`, refunded in full or not: how the customer buys, by rules
  that several may meet at once, and whether the last 90 days differ from the 90 before.
rules:
  - bargain, more than 60 % of net is that of orders with a discount; returner, more than 30 % of what was ordered was paid back;
    multi_channel, two channels or more; weekend, more than half of the orders on a Saturday or Sunday.
  - Shares are over two orders or more; a single order makes no habit.
  - An order that was refunded in full is no purchase. It counts for `ordered_times` and `refund_share`, and for nothing else; who sent
    everything back is here with no orders and no net.
  - By order, as most companies export discounts; `price.discounts` has them by line where the lines say it. Whether a customer buys
    of one category only is in `basket.preference`, and who is a company in `segment.corporate`, where the data is there.
  - change is `more` or `less` when the net of the last 90 days is at least 1.5 × that of the 90 before, or at most half of
    it; NULL when both are zero.
  - As of the end of the last closed month, being the same all month. Who first bought since is not in it until the next is closed.
columns:
  orders: valid orders, less those refunded in full
  ordered_times: valid orders, those refunded in full included
  net: as originated, in the 12 months
  discount_share: of net, that of orders with a discount
  refund_share: of what was ordered, refunds to date, those in full included
  weekend_share: of orders
  channels: different ones
key: [customer_key]
closed: month
*/
WITH order_refunds AS (
    SELECT order_id, sum(amount) AS refunded
    FROM core.refunds
    WHERE order_id IS NOT NULL AND bdate < $as_of
    GROUP BY order_id
),
purchases AS (
    SELECT
        o.customer_key,
        o.bdate,
        o.net AS ordered,
        coalesce(r.refunded, 0) AS refunded,
        o.discount > 0 AS discounted,
        o.channel,
        date_part('dow', o.bdate) IN (0, 6) AS weekend
    FROM core.orders AS o
    LEFT JOIN order_refunds AS r ON r.order_id = o.order_id
    WHERE o.valid
        AND o.customer_key IS NOT NULL
        AND o.bdate < $as_of
        AND o.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
-- What was refunded in full was ordered and not bought, as in `core.valid_orders`; to ask there is a join of all orders.
bought AS (
    SELECT
        *,
        refunded = 0 OR refunded < ordered AS counts,
        CASE WHEN refunded = 0 OR refunded < ordered THEN ordered - refunded END AS net
    FROM purchases
),
-- One row per customer and channel, so that channels are counted without a set of them for every customer.
uses AS (
    SELECT
        customer_key,
        CASE WHEN counts THEN channel END AS channel,
        count(net) AS orders,
        count(*) AS ordered_times,
        sum(net) AS net,
        sum(ordered) AS ordered,
        sum(refunded) AS refunded,
        sum(net) FILTER (WHERE discounted) AS discounted,
        count(*) FILTER (WHERE counts AND weekend) AS weekend_orders,
        sum(net) FILTER (WHERE bdate >= CAST($as_of - INTERVAL '90 days' AS DATE)) AS net_90,
        sum(net) FILTER (
            WHERE bdate < CAST($as_of - INTERVAL '90 days' AS DATE)
                AND bdate >= CAST($as_of - INTERVAL '180 days' AS DATE)
        ) AS net_90_before
    FROM bought
    GROUP BY 1, 2
),
habits AS (
    SELECT
        customer_key,
        CAST(sum(orders) AS BIGINT) AS orders,
        CAST(sum(ordered_times) AS BIGINT) AS ordered_times,
        CAST(coalesce(sum(net), 0) AS DECIMAL(18, 4)) AS net,
        CAST(coalesce(sum(discounted), 0) AS DOUBLE) / CAST(nullif(sum(net), 0) AS DOUBLE) AS discount_share,
        CAST(sum(refunded) AS DOUBLE) / CAST(nullif(sum(ordered), 0) AS DOUBLE) AS refund_share,
        -- Exactly, so that 1.23 of 2.05 are no more than 60 %.
        coalesce(5 * sum(discounted) > 3 * nullif(sum(net), 0), FALSE) AS mostly_discounted,
        coalesce(10 * sum(refunded) > 3 * nullif(sum(ordered), 0), FALSE) AS often_paid_back,
        CAST(sum(weekend_orders) AS DOUBLE) / nullif(sum(orders), 0) AS weekend_share,
        count(channel) AS channels,
        CAST(coalesce(sum(net_90), 0) AS DECIMAL(18, 4)) AS net_90,
        CAST(coalesce(sum(net_90_before), 0) AS DECIMAL(18, 4)) AS net_90_before
    FROM uses
    GROUP BY customer_key
)
SELECT
    customer_key,
    orders,
    ordered_times,
    net,
    discount_share,
    refund_share,
    weekend_share,
    channels,
    net_90,
    net_90_before,
    orders >= 2 AND mostly_discounted AS bargain,
    ordered_times >= 2 AND often_paid_back AS returner,
    channels >= 2 AS multi_channel,
    coalesce(orders >= 2 AND weekend_share > 0.5, FALSE) AS weekend,
    CASE
        WHEN net_90 <= 0 AND net_90_before <= 0 THEN NULL
        WHEN 2 * net_90 >= 3 * net_90_before THEN 'more'
        WHEN 2 * net_90 <= net_90_before THEN 'less'
        ELSE 'same'
    END AS change
FROM habits
