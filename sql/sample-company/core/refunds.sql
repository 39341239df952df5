/* matins
description: One row per refund, whole or in part.
columns:
  customer_key: from the order
  bdate: the day the money went back
  amount: positive
key: [refund_id]
checks:
  - not_null: [order_id, bdate, amount]
  - references: {column: order_id, table: core.orders, to: order_id}
    severity: warn
  - expression: "amount > 0"
*/
SELECT
    r.refund_id,
    r.order_id,
    o.customer_key,
    r.refunded_on AS bdate,
    r.amount,
    r.reason
FROM raw.refunds AS r
LEFT JOIN core.orders AS o ON o.order_id = r.order_id
