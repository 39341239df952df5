-- One order a row.

/* matins
description: One row per order
columns: {order_id: "the ERP's number"}
key: [order_id]
incremental: {by: bdate, every: month, lookback: 3d, lookahead: 1 d, late: warn}
checks:
  - not_null: order_id
  - unique: [order_id]
  - unique: [customer_key, bdate]
    name: one order a day
  - accepted: {column: status, values: [paid, 1]}
    severity: warn
    limit: {share: 1%}
  - range: {column: bdate, min: 2010-01-01, max: "DATE '2030-01-01'"}
    severity: quarantine
    limit: {count: 5}
  - references: {column: customer_key, table: core.customers, to: key}
  - expression: "net <= gross"
  - freshness: {column: bdate, days: 2}
  - row_count: {min: 1, max: 1000000}
  - row_change: {down: 20%, up: 150%}
    severity: info
  - query: "SELECT * FROM core.orders WHERE net < 0 AND gross < 0"
grain: one row per order
formula: gross − discount
rules: orders without a customer stay
reference: [Farris 2010, MASB]
timeout: 10m
*/
SELECT order_id FROM raw.orders
