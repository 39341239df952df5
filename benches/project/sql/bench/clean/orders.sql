/* matins
description: One row per order that was neither cancelled nor out of stock
checks:
  - not_null: order_id
  - unique: order_id
*/
SELECT order_id, customer_id, order_status,
       order_purchase_timestamp AS purchased_at,
       order_delivered_customer_date AS delivered_at,
       order_estimated_delivery_date AS estimated_at
FROM raw.orders
WHERE order_status NOT IN ('canceled', 'unavailable')
