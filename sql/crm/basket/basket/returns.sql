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
closed: month
*/
WITH refunded AS (
    SELECT DISTINCT order_id
    FROM core.refunds
    WHERE order_id IS NOT NULL AND bdate < $as_of
),
items AS (
    SELECT DISTINCT l.product_id, l.order_id, r.order_id IS NOT NULL AS paid_back
    FROM core.order_lines AS l
    LEFT JOIN refunded AS r ON r.order_id = l.order_id
    WHERE l.valid AND l.bdate < $as_of AND l.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
base AS (
    SELECT CAST(count(DISTINCT order_id) FILTER (WHERE paid_back) AS DOUBLE) / nullif(count(DISTINCT order_id), 0) AS rate
    FROM items
),
counts AS (
    SELECT product_id, count(*) AS orders, count(*) FILTER (WHERE paid_back) AS paid_back
    FROM items
    GROUP BY product_id
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
