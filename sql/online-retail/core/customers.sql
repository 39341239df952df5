/* matins
description: One row per customer that any invoice names; the shop's export has no names, so they are NULL.
columns:
  created_on: the date of the first invoice, for want of a register
  country: where the latest invoice went
  source_id: the number in the source system
key: [customer_key]
checks:
  - row_count: {min: 1}
    severity: warn
*/
SELECT
    customer_key,
    CAST(NULL AS VARCHAR) AS name,
    CAST(NULL AS VARCHAR) AS email,
    CAST(NULL AS VARCHAR) AS segment,
    CAST(NULL AS VARCHAR) AS city,
    last_value(country ORDER BY ordered_at, order_id) AS country,
    min(bdate) AS created_on,
    CAST(NULL AS BOOLEAN) AS marketing_consent,
    'invoices' AS source,
    customer_key AS source_id
FROM core.orders
WHERE customer_key IS NOT NULL
GROUP BY customer_key
