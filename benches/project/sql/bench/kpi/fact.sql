/* matins
description: One row per valid order, with its customer, money and score
checks:
  - not_null: order_id
  - unique: order_id
*/
SELECT o.order_id, c.customer_unique_id AS customer_key, c.state, o.purchased_at,
       date_trunc('month', o.purchased_at) AS month,
       i.revenue, i.freight, p.paid, r.score,
       CASE WHEN o.delivered_at <= o.estimated_at THEN 1 ELSE 0 END AS on_time
FROM clean.orders o
JOIN clean.customers c ON o.customer_id = c.customer_id
LEFT JOIN clean.items i ON i.order_id = o.order_id
LEFT JOIN clean.payments p ON p.order_id = o.order_id
LEFT JOIN clean.reviews r ON r.order_id = o.order_id
