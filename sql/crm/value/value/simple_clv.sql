/* matins
description: >
  One row: lifetime value by the yearly value of an active customer and the yearly retention, and what one point more of
  retention would add.
formula: "clv = m · r / (1 + i − r), the first value after a year"
rules:
  - Both windows end at `$as_of` and 12 months before it; a company with less than 24 months of orders has too short an
    earlier window, and `first_order` shows it.
  - NULL when nobody bought in the earlier window.
reference: "Gupta & Lehmann 2003, J. of Interactive Marketing 17:9"
columns:
  customers: with a valid order in the 12 months before `$as_of`
  yearly_value: their mean net, times the margin share of `value.assumptions`
  at_risk: customers of the 12 months before those
  retained: of at_risk, those who bought again
  retention: retained ÷ at_risk
  clv_of_one_point: what clv gains when retention rises by 0.01
  first_order: of all
key: [basis]
closed: month
*/
WITH windows AS (
    SELECT
        customer_key,
        sum(net) FILTER (WHERE bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)) AS net,
        bool_or(bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)) AS late,
        bool_or(
            bdate < CAST($as_of - INTERVAL '12 months' AS DATE) AND bdate >= CAST($as_of - INTERVAL '24 months' AS DATE)
        ) AS early,
        min(bdate) AS first_order
    FROM core.valid_orders
    WHERE bdate < $as_of
    GROUP BY customer_key
),
counts AS (
    SELECT
        count(*) FILTER (WHERE late) AS customers,
        CAST(sum(net) AS DOUBLE) / nullif(count(*) FILTER (WHERE late), 0) AS yearly_net,
        count(*) FILTER (WHERE early) AS at_risk,
        count(*) FILTER (WHERE early AND late) AS retained,
        min(first_order) AS first_order
    FROM windows
),
rates AS (
    SELECT
        c.customers,
        c.yearly_net * u.margin_share AS yearly_value,
        c.at_risk,
        c.retained,
        CAST(c.retained AS DOUBLE) / nullif(c.at_risk, 0) AS retention,
        c.first_order,
        u.yearly_rate,
        u.basis
    FROM counts AS c
    CROSS JOIN value.assumptions AS u
)
SELECT
    basis,
    customers,
    yearly_value,
    at_risk,
    retained,
    retention,
    yearly_rate,
    yearly_value * clv_multiple(retention, yearly_rate) AS clv,
    yearly_value * (clv_multiple(least(retention + 0.01, 1.0), yearly_rate) - clv_multiple(retention, yearly_rate))
        AS clv_of_one_point,
    first_order
FROM rates
