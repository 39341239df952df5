/* matins
description: One row per person, however many ids of buyers the person has; address as of the latest order.
columns:
  created_on: the date of the first order, for want of a register
  region: the state
  source_id: the person's id in the export
key: [customer_key]
checks:
  - row_count: {min: 1}
    severity: warn
*/
SELECT
    c.customer_unique_id AS customer_key,
    CAST(NULL AS VARCHAR) AS name,
    CAST(NULL AS VARCHAR) AS email,
    CAST(NULL AS VARCHAR) AS segment,
    last_value(c.customer_city ORDER BY o.ordered_at, o.order_id) AS city,
    last_value(c.customer_state ORDER BY o.ordered_at, o.order_id) AS region,
    'Brazil' AS country,
    min(o.bdate) AS created_on,
    CAST(NULL AS BOOLEAN) AS marketing_consent,
    'olist' AS source,
    c.customer_unique_id AS source_id
FROM raw.customers AS c
INNER JOIN raw.orders AS r ON r.customer_id = c.customer_id
INNER JOIN core.orders AS o ON o.order_id = r.order_id
GROUP BY c.customer_unique_id
