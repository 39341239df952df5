/* matins
description: One row per order
key: [order_id]
checks:
  - range: {column: net, min: 0}
*/
SELECT order_id, customer_key, ordered_on AS bdate, net
FROM raw.orders
