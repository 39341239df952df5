/* matins
description: >
  One row per product sold on at least 30 orders in the 12 months before `$as_of`: on how many of them something was paid back.
  A refund names an order, not a line, so a product answers for the refunds of the orders it was on.
rules: Notable when the lower Wilson bound exceeds twice the share of all such orders.
columns:
  orders: with the product
  paid_back: of those, orders with a refund to date
  base_rate: share of all orders with a refund
key: [product_id]
*/
WITH refunded AS (
    SELECT DISTINCT order_id
    FROM core.refunds
    WHERE order_id IS NOT NULL
),
items AS (
    SELECT DISTINCT product_id, order_id
    FROM core.order_lines
    WHERE valid AND bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
orders AS (
    SELECT DISTINCT order_id
    FROM items
),
base AS (
    SELECT CAST(count(r.order_id) AS DOUBLE) / nullif(count(*), 0) AS rate
    FROM orders AS o
    LEFT JOIN refunded AS r ON r.order_id = o.order_id
),
counts AS (
    SELECT i.product_id, count(*) AS orders, count(r.order_id) AS paid_back
    FROM items AS i
    LEFT JOIN refunded AS r ON r.order_id = i.order_id
    GROUP BY i.product_id
    HAVING count(*) >= 30
)
SELECT
    c.product_id,
    c.orders,
    c.paid_back,
    CAST(c.paid_back AS DOUBLE) / c.orders AS return_rate,
    wilson_low(c.paid_back, c.orders) AS low,
    wilson_high(c.paid_back, c.orders) AS high,
    b.rate AS base_rate,
    wilson_low(c.paid_back, c.orders) > 2 * b.rate AS notable
FROM counts AS c
CROSS JOIN base AS b
