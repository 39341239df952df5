/* matins
description: >
  One row per product sold on at least 30 orders in the 12 months before `$as_of`: how much of it came back in them, by units
  and by value.
rules:
  - "`lines`: where the company's lines go back too, with a quantity and a net below zero, units and value are theirs, by the day of
    the line. A product that did not come back has noughts; goods written off, without money, are none that came back."
  - "`refunds`: where no line does, the value is the refunds to date of the orders sold in the 12 months, spread over the lines of
    their order by net. How many units came back is not known then."
  - A refund of more than its order counts up to the order's net.
  - Notable when the lower Wilson bound of the share of units exceeds twice that of all products, those of few orders included.
columns:
  orders: with the product
  units: sold
  units_back: of the product; NULL where it is not known
  unit_rate: units_back ÷ units
  unit_low: lower bound of the 95 % Wilson interval; NULL where more came back than was sold
  unit_high: upper bound of the 95 % Wilson interval
  unit_base_rate: units back ÷ units of all products
  net: sold
  net_back: what came back, or was paid back
  value_rate: net_back ÷ net
  value_base_rate: the same of all products
  basis: lines or refunds
key: [product_id]
checks:
  - expression: "orders >= 30"
*/
WITH movements AS (
    SELECT order_id, product_id, valid, quantity, net
    FROM core.order_lines
    WHERE bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE) AND (valid OR (quantity < 0 AND net < 0))
),
bases AS (
    SELECT CASE WHEN bool_or(quantity < 0) THEN 'lines' ELSE 'refunds' END AS basis
    FROM movements
),
paid_back AS (
    SELECT order_id, sum(amount) AS amount
    FROM core.refunds
    WHERE order_id IS NOT NULL AND bdate < $as_of
    GROUP BY order_id
),
baskets AS (
    SELECT m.order_id, CAST(sum(m.net) AS DOUBLE) AS net, CAST(max(p.amount) AS DOUBLE) AS amount
    FROM movements AS m
    INNER JOIN paid_back AS p ON p.order_id = m.order_id
    WHERE m.valid
    GROUP BY m.order_id
),
products AS (
    SELECT
        m.product_id,
        b.basis,
        count(DISTINCT m.order_id) FILTER (WHERE m.valid) AS orders,
        coalesce(sum(m.quantity) FILTER (WHERE m.valid), 0) AS units,
        coalesce(-sum(m.quantity) FILTER (WHERE m.quantity < 0), 0) AS units_back,
        coalesce(CAST(sum(m.net) FILTER (WHERE m.valid) AS DOUBLE), 0.0) AS net,
        CASE
            WHEN b.basis = 'lines' THEN coalesce(CAST(-sum(m.net) FILTER (WHERE m.quantity < 0) AS DOUBLE), 0.0)
            ELSE coalesce(sum(CAST(m.net AS DOUBLE) * least(k.amount / k.net, 1.0)) FILTER (WHERE m.valid AND k.net > 0), 0.0)
        END AS net_back
    FROM movements AS m
    CROSS JOIN bases AS b
    LEFT JOIN baskets AS k ON k.order_id = m.order_id
    GROUP BY m.product_id, b.basis
),
rates AS (
    SELECT
        *,
        CAST(sum(units_back) OVER () AS DOUBLE) / CAST(nullif(sum(units) OVER (), 0) AS DOUBLE) AS unit_base_rate,
        sum(net_back) OVER () / nullif(sum(net) OVER (), 0) AS value_base_rate
    FROM products
)
SELECT
    product_id,
    orders,
    CAST(units AS BIGINT) AS units,
    CASE WHEN basis = 'lines' THEN CAST(units_back AS BIGINT) END AS units_back,
    CASE WHEN basis = 'lines' THEN CAST(units_back AS DOUBLE) / nullif(units, 0) END AS unit_rate,
    CASE WHEN basis = 'lines' AND units_back <= units THEN wilson_low(units_back, units) END AS unit_low,
    CASE WHEN basis = 'lines' AND units_back <= units THEN wilson_high(units_back, units) END AS unit_high,
    CASE WHEN basis = 'lines' THEN unit_base_rate END AS unit_base_rate,
    CAST(net AS DECIMAL(18, 4)) AS net,
    CAST(net_back AS DECIMAL(18, 4)) AS net_back,
    net_back / nullif(net, 0) AS value_rate,
    value_base_rate,
    basis,
    CASE
        WHEN basis = 'lines'
            THEN units_back > units OR wilson_low(least(units_back, units), units) > 2 * unit_base_rate
    END AS notable
FROM rates
WHERE orders >= 30
