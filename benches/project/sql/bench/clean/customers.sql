/* matins
description: One row per customer of an order
checks:
  - not_null: customer_id
  - unique: customer_id
*/
SELECT customer_id, customer_unique_id, lower(trim(customer_city)) AS city, customer_state AS state
FROM raw.customers
