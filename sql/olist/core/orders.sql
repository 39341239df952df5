/* matins
description: >
  One row per order. The buyer's id of the export is another one with each order; `customer_key` is the person.
columns:
  ordered_at: the marketplace's wall clock
  gross: the prices of its items; the export does not tell discounts from payments by voucher
  discount: NULL, see gross
  freight: paid beside the prices
  net: equals gross; nought for an order whose items are not in the export
  delivered_at: when the customer had it; NULL while it is under way
  promised_at: the estimate that the customer was given
  valid: approved and not cancelled since, and its items are known
key: [order_id]
checks:
  - not_null: [customer_key, bdate, net]
  - accepted: {column: status, values: [pending, paid, shipped, completed, cancelled]}
  - expression: "NOT valid OR net > 0"
*/
WITH baskets AS (
    SELECT order_id, sum(price) AS net, sum(freight_value) AS freight
    FROM raw.order_items
    GROUP BY order_id
),
statuses AS (
    SELECT
        order_id,
        CASE order_status
            WHEN 'created' THEN 'pending'
            WHEN 'approved' THEN 'paid'
            WHEN 'processing' THEN 'paid'
            WHEN 'invoiced' THEN 'paid'
            WHEN 'shipped' THEN 'shipped'
            WHEN 'delivered' THEN 'completed'
            ELSE 'cancelled'
        END AS status
    FROM raw.orders
)
SELECT
    o.order_id,
    c.customer_unique_id AS customer_key,
    o.order_purchase_timestamp AS ordered_at,
    CAST(o.order_purchase_timestamp AS DATE) AS bdate,
    s.status,
    CAST(coalesce(b.net, 0) AS DECIMAL(18, 4)) AS gross,
    CAST(NULL AS DECIMAL(18, 4)) AS discount,
    CAST(NULL AS DECIMAL(18, 4)) AS tax,
    CAST(b.freight AS DECIMAL(18, 4)) AS freight,
    CAST(coalesce(b.net, 0) AS DECIMAL(18, 4)) AS net,
    CAST(NULL AS DECIMAL(18, 4)) AS cost,
    'marketplace' AS channel,
    'BRL' AS currency,
    'Brazil' AS country,
    o.order_delivered_customer_date AS delivered_at,
    CAST(o.order_delivered_customer_date AS DATE) AS delivered_on,
    o.order_estimated_delivery_date AS promised_at,
    s.status IN ('paid', 'shipped', 'completed') AND b.net IS NOT NULL AND c.customer_unique_id IS NOT NULL AS valid
FROM raw.orders AS o
INNER JOIN statuses AS s ON s.order_id = o.order_id
LEFT JOIN raw.customers AS c ON c.customer_id = o.customer_id
LEFT JOIN baskets AS b ON b.order_id = o.order_id
