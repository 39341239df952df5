/* matins
description: One row per month and channel through which a valid order came in it.
rules:
  - Channels of less than 5 customers in a month are one, `few`, with the next smallest where they are still less than 5 together.
    A month of less than 5 customers has no rows.
columns:
  channel: as the company names it; `unknown` where the order does not say
  customers: different ones; a customer of two channels counts in both
  net: as originated
key: [month, channel]
closed: month
*/
WITH habits AS (
    SELECT v.month, coalesce(o.channel, 'unknown') AS channel, v.customer_key, count(*) AS orders, sum(v.net) AS net
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    GROUP BY v.month, coalesce(o.channel, 'unknown'), v.customer_key
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        month,
        channel,
        customers,
        coalesce(sum(customers) OVER (
            PARTITION BY month ORDER BY customers, channel ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM (SELECT month, channel, count(*) AS customers FROM habits GROUP BY month, channel) AS counts
),
told AS (
    SELECT
        h.month,
        CASE WHEN s.customers < 5 OR s.smaller BETWEEN 1 AND 4 THEN 'few' ELSE h.channel END AS channel,
        h.customer_key,
        sum(h.orders) AS orders,
        sum(h.net) AS net
    FROM habits AS h
    INNER JOIN sizes AS s ON s.month = h.month AND s.channel = h.channel
    GROUP BY 1, 2, 3
)
SELECT
    month,
    channel,
    CAST(sum(orders) AS BIGINT) AS orders,
    count(*) AS customers,
    CAST(sum(net) AS DECIMAL(18, 4)) AS net
FROM told
GROUP BY month, channel
HAVING count(*) >= 5
