/* matins
description: One row per customer in the latest dump of the customer register.
columns:
  segment: trade or consumer
  created_on: when the customer was entered
  marketing_consent: whether the customer may be written to
  source_id: the id in the source system
key: [customer_key]
checks:
  - row_count: {min: 1}
    severity: warn
  - row_change: {down: 20%}
    severity: warn
  - accepted: {column: segment, values: [trade, consumer]}
    severity: warn
*/
SELECT
    customer_id AS customer_key,
    name,
    email,
    phone,
    segment,
    city,
    country,
    created_at AS created_on,
    marketing_consent,
    'crm' AS source,
    customer_id AS source_id
FROM raw.customers
