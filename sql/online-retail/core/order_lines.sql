/* matins
description: >
  One row per line of an export; repeated lines are kept, because the export has no line number that could tell a
  repetition from a second purchase.
columns:
  order_id: the invoice's number; C… is a credit note, A… an adjustment of the ledger
  line_id: the line of the export that holds it; unique within its order, since no invoice spans two exports
  customer_key: the customer's number without the `.0` that the export writes; NULL where it is not known
  product_id: the stock code as written
  ordered_at: the shop's wall clock
  bdate: the business date, which is the shop's own calendar day
  net: quantity × unit price, signed
  is_cancelled: whether the line stands on a credit note
  valid: the KPI rules' verdict; no credit note, something was bought for money, and the customer is known
key: [order_id, line_id]
incremental: month
checks:
  - not_null: bdate
  - expression: "NOT valid OR (net > 0 AND customer_key IS NOT NULL)"
*/
WITH lines AS (
    SELECT
        invoice_no AS order_id,
        _line AS line_id,
        split_part(customer_id, '.', 1) AS customer_key,
        stock_code AS product_id,
        description,
        invoice_date AS ordered_at,
        quantity,
        unit_price,
        country,
        starts_with(invoice_no, 'C') AS is_cancelled
    FROM raw.invoice_lines
)
SELECT
    order_id,
    line_id,
    customer_key,
    product_id,
    description,
    ordered_at,
    CAST(ordered_at AS DATE) AS bdate,
    quantity,
    unit_price,
    CAST(quantity * unit_price AS DECIMAL(18, 4)) AS net,
    is_cancelled,
    NOT is_cancelled AND quantity > 0 AND unit_price > 0 AND customer_key IS NOT NULL AS valid,
    country
FROM lines
