/* matins
description: >
  One row per customer worth a call: the ten who brought most among those who used to buy often or much and have stopped
  coming. Names are masked but for their first letter.
columns:
  last_order: the date of the last valid order
  net: as originated, in the 24 months before `$as_of`
key: [customer_key]
checks:
  - row_count: {max: 10}
*/
SELECT
    s.customer_key,
    left(c.name, 1) || '***' AS name,
    s.segment,
    s.last_order,
    s.orders,
    s.net
FROM segment.rfm AS s
LEFT JOIN core.customers AS c ON c.customer_key = s.customer_key
WHERE s.segment IN ('Can''t lose', 'At risk')
ORDER BY s.net DESC, s.customer_key
LIMIT 10
