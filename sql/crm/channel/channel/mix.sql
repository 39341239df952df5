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
    FROM core.orders AS o
    INNER JOIN core.valid_orders AS v ON v.order_id = o.order_id
    GROUP BY v.month, coalesce(o.channel, 'unknown'), v.customer_key
),
counts AS (
    SELECT month, channel, sum(orders) AS orders, count(*) AS customers, sum(net) AS net
    FROM habits
    GROUP BY month, channel
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (
            PARTITION BY month ORDER BY customers, channel ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM counts
),
-- A customer of two small channels is one of `few`, so these are counted again, and only these. The last condition always holds: it
-- names the columns that the other reader of `sizes` needs, since the engine makes `habits` once only where all ask for the same.
few AS (
    SELECT h.month, h.customer_key, sum(h.orders) AS orders, sum(h.net) AS net
    FROM sizes AS s
    INNER JOIN habits AS h ON h.month = s.month AND h.channel = s.channel
    WHERE (s.customers < 5 OR s.smaller BETWEEN 1 AND 4) AND (s.orders > 0 OR s.net IS NOT NULL)
    GROUP BY h.month, h.customer_key
),
told AS (
    SELECT month, channel, orders, customers, net
    FROM sizes
    WHERE customers >= 5 AND smaller NOT BETWEEN 1 AND 4
    UNION ALL
    SELECT month, 'few' AS channel, sum(orders) AS orders, count(*) AS customers, sum(net) AS net
    FROM few
    GROUP BY month
)
SELECT
    month,
    channel,
    CAST(orders AS BIGINT) AS orders,
    customers,
    CAST(net AS DECIMAL(18, 4)) AS net
FROM told
WHERE customers >= 5
