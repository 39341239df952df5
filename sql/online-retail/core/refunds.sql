/* matins
description: >
  One row per credit note. The export does not say which invoice a credit note takes back, so `order_id` is NULL and no
  KPI takes it off a purchase.
columns:
  refund_id: the credit note's number
  amount: what went back, positive
key: [refund_id]
checks:
  - not_null: [bdate, amount]
*/
SELECT
    order_id AS refund_id,
    CAST(NULL AS VARCHAR) AS order_id,
    customer_key,
    bdate,
    CAST(-net AS DECIMAL(18, 4)) AS amount,
    CAST(NULL AS VARCHAR) AS reason
FROM core.orders
WHERE status = 'cancelled'
