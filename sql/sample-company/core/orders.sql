/* matins
description: >
  One row per order with its last known status. Orders of customers whom the register does not know stay here, and are not
  valid.
columns:
  ordered_at: UTC
  bdate: the business date, in London
  gross: before discount, tax and freight
  net: gross less discount
  cost: what the goods cost the company
  country: the customer's
  valid: paid, shipped or completed, and the customer is known
key: [order_id]
checks:
  - not_null: [customer_key, bdate, net]
  - accepted: {column: status, values: [pending, paid, shipped, completed, cancelled]}
  - references: {column: customer_key, table: core.customers, to: customer_key}
    severity: warn
  - expression: "discount >= 0 AND discount <= gross"
  - freshness: {column: bdate, days: 10}
    severity: warn
*/
SELECT
    o.order_id,
    o.customer_id AS customer_key,
    o.ordered_at,
    CAST(to_local_time(o.ordered_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/London') AS DATE) AS bdate,
    o.status,
    o.gross,
    o.discount,
    o.tax,
    o.freight,
    CAST(o.gross - o.discount AS DECIMAL(18, 4)) AS net,
    o.cost,
    o.channel,
    o.currency,
    c.country,
    o.status IN ('paid', 'shipped', 'completed') AND c.customer_key IS NOT NULL AS valid
FROM raw.orders AS o
LEFT JOIN core.customers AS c ON c.customer_key = o.customer_id
-- The packs group by customer all the time, and what is made from this keeps its order.
ORDER BY customer_key, bdate
