/* matins
description: One row per item of an order; a thing bought twice is two items.
columns:
  category: in English where the export translates it
  bdate: the order's business date
  unit_price: what it was sold for
  valid: its order is valid
key: [order_id, line_id]
checks:
  - references: {column: order_id, table: core.orders, to: order_id}
*/
SELECT
    i.order_id,
    i.order_item_id AS line_id,
    o.customer_key,
    i.product_id,
    CAST(NULL AS VARCHAR) AS description,
    coalesce(t.product_category_name_english, p.product_category_name) AS category,
    o.ordered_at,
    o.bdate,
    CAST(1 AS BIGINT) AS quantity,
    i.price AS unit_price,
    i.price AS net,
    coalesce(o.status = 'cancelled', FALSE) AS is_cancelled,
    coalesce(o.valid, FALSE) AS valid,
    o.country
FROM raw.order_items AS i
LEFT JOIN core.orders AS o ON o.order_id = i.order_id
LEFT JOIN raw.products AS p ON p.product_id = i.product_id
LEFT JOIN raw.categories AS t ON t.product_category_name = p.product_category_name
