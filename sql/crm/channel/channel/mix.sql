/* matins
description: One row per month and channel through which a valid order came in it.
columns:
  channel: as the company names it; `unknown` where the order does not say
  customers: different ones; a customer of two channels counts in both
  net: as originated
key: [month, channel]
*/
WITH habits AS (
    SELECT v.month, coalesce(o.channel, 'unknown') AS channel, v.customer_key, count(*) AS orders, sum(v.net) AS net
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    GROUP BY v.month, coalesce(o.channel, 'unknown'), v.customer_key
)
SELECT
    month,
    channel,
    sum(orders) AS orders,
    count(*) AS customers,
    CAST(sum(net) AS DECIMAL(18, 4)) AS net
FROM habits
GROUP BY month, channel
