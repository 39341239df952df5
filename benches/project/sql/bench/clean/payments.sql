/* matins
description: One row per order that was paid
checks:
  - not_null: order_id
  - unique: order_id
*/
SELECT order_id, sum(payment_value) AS paid
FROM raw.payments
GROUP BY order_id
