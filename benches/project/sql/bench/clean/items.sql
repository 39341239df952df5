/* matins
description: One row per order that has items
checks:
  - not_null: order_id
  - unique: order_id
*/
SELECT order_id, count(*) AS n_items, sum(price) AS revenue, sum(freight_value) AS freight
FROM raw.order_items
GROUP BY order_id
