/* matins
description: >
  One row per number of channels that customers used in the 12 months before `$as_of`, and what such customers brought.
rules:
  - An observation, no effect; who buys more has more occasions to use a second channel.
  - No row for less than 5 customers.
columns:
  channels: 1, 2, 3 … different ones
  net_per_customer: mean of the 12 months
  orders_per_customer: mean of the 12 months
key: [channels]
closed: month
*/
WITH uses AS (
    SELECT v.customer_key, o.channel, count(*) AS orders, sum(v.net) AS net
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    WHERE v.bdate < $as_of AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE) AND o.channel IS NOT NULL
    GROUP BY v.customer_key, o.channel
),
habits AS (
    SELECT customer_key, count(*) AS channels, sum(orders) AS orders, sum(net) AS net
    FROM uses
    GROUP BY customer_key
)
SELECT
    channels,
    count(*) AS customers,
    CAST(sum(net) AS DOUBLE) / count(*) AS net_per_customer,
    CAST(sum(orders) AS DOUBLE) / count(*) AS orders_per_customer
FROM habits
GROUP BY channels
HAVING count(*) >= 5
ORDER BY channels
