/* matins
description: One row per invoice, credit notes and ledger adjustments included.
columns:
  status: completed, cancelled (a credit note) or adjusted (a ledger adjustment)
  gross: what was asked for before anything was taken off; the shop's export knows no discounts, so it equals net
  net: the sum of its valid lines; for an order with none, the signed sum of all its lines
  cost: NULL, since the shop's export has no cost
  valid: whether at least one line is valid
key: [order_id]
incremental: month
checks:
  - not_null: [bdate, net]
  - accepted: {column: status, values: [completed, cancelled, adjusted]}
*/
SELECT
    order_id,
    min(customer_key) AS customer_key,
    min(ordered_at) AS ordered_at,
    min(bdate) AS bdate,
    CASE
        WHEN starts_with(order_id, 'C') THEN 'cancelled'
        WHEN starts_with(order_id, 'A') THEN 'adjusted'
        ELSE 'completed'
    END AS status,
    CAST(coalesce(sum(net) FILTER (WHERE valid), sum(net)) AS DECIMAL(18, 4)) AS gross,
    CAST(0 AS DECIMAL(18, 4)) AS discount,
    CAST(NULL AS DECIMAL(18, 4)) AS tax,
    CAST(NULL AS DECIMAL(18, 4)) AS freight,
    CAST(coalesce(sum(net) FILTER (WHERE valid), sum(net)) AS DECIMAL(18, 4)) AS net,
    CAST(NULL AS DECIMAL(18, 4)) AS cost,
    'web' AS channel,
    'GBP' AS currency,
    min(country) AS country,
    bool_or(valid) AS valid
FROM core.order_lines
GROUP BY order_id
