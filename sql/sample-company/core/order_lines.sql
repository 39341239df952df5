/* matins
description: One row per line of an order.
columns:
  line_id: unique within its order
  ordered_at: UTC, from the order
  bdate: the order's business date; NULL where the order is not there
  net: after the line's discount, before tax
  is_cancelled: whether the order is cancelled
  valid: the order is valid, and something was bought for money
key: [order_id, line_id]
checks:
  - references: {column: order_id, table: core.orders, to: order_id}
    severity: warn
    limit: {share: 1%}
  - name: an order's lines add up to its net
    query: >
      SELECT o.order_id
      FROM core.orders AS o
      INNER JOIN (SELECT order_id, sum(net) AS net FROM core.order_lines GROUP BY order_id) AS l
          ON l.order_id = o.order_id
      WHERE l.net <> o.net
    severity: warn
*/
SELECT
    l.order_id,
    l.line_no AS line_id,
    o.customer_key,
    l.product_id,
    l.description,
    o.ordered_at,
    o.bdate,
    l.quantity,
    l.unit_price,
    l.net,
    coalesce(o.status = 'cancelled', FALSE) AS is_cancelled,
    coalesce(o.valid AND l.quantity > 0 AND l.unit_price > 0, FALSE) AS valid,
    o.country
FROM raw.order_lines AS l
LEFT JOIN core.orders AS o ON o.order_id = l.order_id
