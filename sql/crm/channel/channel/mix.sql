/* matins
description: One row per month and channel through which a valid order came in it.
columns:
  channel: as the company names it; `unknown` where the order does not say
  customers: different ones; a customer of two channels counts in both
  net: as originated
key: [month, channel]
*/
SELECT
    v.month,
    coalesce(o.channel, 'unknown') AS channel,
    count(*) AS orders,
    count(DISTINCT v.customer_key) AS customers,
    CAST(sum(v.net) AS DECIMAL(18, 4)) AS net
FROM core.valid_orders AS v
INNER JOIN core.orders AS o ON o.order_id = v.order_id
GROUP BY v.month, coalesce(o.channel, 'unknown')
