/* matins
description: >
  One row per order before `$as_of` that counts as a purchase: valid, its customer known, and not refunded in full by then. A
  partial refund takes its amount off the order it belongs to (as originated), so this table restates history; see
  `kpi.net_revenue` for refunds dated when they were paid.
columns:
  month: the first day of the month of bdate
  ordered: what was ordered, before refunds
  refunded: what had been refunded of it before `$as_of`
  net: ordered less refunded
key: [order_id]
checks:
  - not_null: [customer_key, bdate]
  - expression: "net > 0"
    severity: warn
*/
WITH order_refunds AS (
    SELECT order_id, sum(amount) AS refunded
    FROM core.refunds
    WHERE order_id IS NOT NULL AND bdate < $as_of
    GROUP BY order_id
),
purchases AS (
    SELECT
        o.order_id,
        o.customer_key,
        o.bdate,
        o.net AS ordered,
        coalesce(r.refunded, 0) AS refunded
    FROM core.orders AS o
    LEFT JOIN order_refunds AS r ON r.order_id = o.order_id
    WHERE o.valid AND o.customer_key IS NOT NULL AND o.bdate < $as_of
)
SELECT
    order_id,
    customer_key,
    bdate,
    CAST(date_trunc('month', bdate) AS DATE) AS month,
    ordered,
    CAST(refunded AS DECIMAL(18, 4)) AS refunded,
    CAST(ordered - refunded AS DECIMAL(18, 4)) AS net
FROM purchases
WHERE refunded = 0 OR refunded < ordered
-- What groups by customer needs no table of all customers then; `core.orders` in this order is not sorted again.
ORDER BY customer_key, bdate
