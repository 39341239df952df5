/* matins
description: >
  One row per month in which customers bought for the first time: what it cost to win them, and after how many months they had
  brought that back.
formula: "the first month of life up to which Σ margin ÷ customers ≥ acquisition costs ÷ customers"
rules:
  - Costs of acquisition of the same month; or, lagged, those that were spent 30 days before a day of it. Costs that are written on the
    first of a month begin from its middle, as in `kpi.acquisition_cost`, and so lie in the next one.
  - Month 1 is that of the first order. The margin is to date, as originated, and a month that is not over counts with what it has
    brought.
  - Margin where the cost of every order is known, else net, which pays back too soon.
  - No payback where the customers have not brought it back yet, where nobody was won, or nothing was spent.
columns:
  cohort: the month
  customers: whose first valid order lies in it
  cost: of acquisition in the month
  cost_of_one: a customer
  cost_of_one_lagged: the same of what was spent 30 days before
  earned: margin to date of one customer
  months: of life that have begun
  payback_months: months until it was brought back
  payback_months_lagged: the same of what was spent 30 days before
  basis: margin or net
  provisional: whether the month was not over at `$as_of`
key: [cohort]
closed: month
*/
WITH spending AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, sum(amount) AS amount
    FROM core.costs
    WHERE kind = 'acquisition' AND bdate < $as_of
    GROUP BY 1
),
lagged AS (
    SELECT CAST(date_trunc('month', bdate + 30 + CASE WHEN date_part('day', bdate) = 1 THEN 14 ELSE 0 END) AS DATE) AS month, sum(amount) AS amount
    FROM core.costs
    WHERE kind = 'acquisition' AND bdate < $as_of
    GROUP BY 1
),
bases AS (
    SELECT CASE WHEN count(*) = count(o.cost) THEN 'margin' ELSE 'net' END AS basis
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
),
cohorts AS (
    SELECT month AS cohort, count(*) AS customers
    FROM core.customer_months
    WHERE month = first_month
    GROUP BY month
),
earnings AS (
    SELECT
        c.first_month AS cohort,
        v.month,
        CAST(sum(CASE WHEN b.basis = 'margin' THEN v.net - o.cost ELSE v.net END) AS DOUBLE) AS earned
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    INNER JOIN core.customer_months AS c ON c.customer_key = v.customer_key AND c.month = v.month
    CROSS JOIN bases AS b
    GROUP BY c.first_month, v.month
),
sums AS (
    SELECT
        e.cohort,
        CAST((date_part('year', e.month) - date_part('year', e.cohort)) * 12
        + date_part('month', e.month) - date_part('month', e.cohort) + 1 AS BIGINT) AS nth,
        sum(e.earned) OVER (PARTITION BY e.cohort ORDER BY e.month) / c.customers AS earned
    FROM earnings AS e
    INNER JOIN cohorts AS c ON c.cohort = e.cohort
),
costs AS (
    SELECT
        m.month AS cohort,
        m.provisional,
        coalesce(c.customers, 0) AS customers,
        coalesce(s.amount, 0) AS cost,
        CAST(coalesce(s.amount, 0) AS DOUBLE) / nullif(c.customers, 0) AS cost_of_one,
        CAST(coalesce(l.amount, 0) AS DOUBLE) / nullif(c.customers, 0) AS cost_of_one_lagged
    FROM core.months AS m
    LEFT JOIN cohorts AS c ON c.cohort = m.month
    LEFT JOIN spending AS s ON s.month = m.month
    LEFT JOIN lagged AS l ON l.month = m.month
),
paybacks AS (
    SELECT
        c.cohort,
        min(s.nth) FILTER (WHERE c.cost_of_one > 0 AND s.earned >= c.cost_of_one) AS payback_months,
        min(s.nth) FILTER (WHERE c.cost_of_one_lagged > 0 AND s.earned >= c.cost_of_one_lagged) AS payback_months_lagged
    FROM costs AS c
    INNER JOIN sums AS s ON s.cohort = c.cohort
    GROUP BY c.cohort
),
latest AS (
    SELECT cohort, earned
    FROM (SELECT cohort, earned, row_number() OVER (PARTITION BY cohort ORDER BY nth DESC) AS place FROM sums) AS ranked
    WHERE place = 1
)
SELECT
    c.cohort,
    c.customers,
    CAST(c.cost AS DECIMAL(18, 4)) AS cost,
    c.cost_of_one,
    c.cost_of_one_lagged,
    e.earned,
    CAST((date_part('year', $as_of - INTERVAL '1 day') - date_part('year', c.cohort)) * 12
    + date_part('month', $as_of - INTERVAL '1 day') - date_part('month', c.cohort) + 1 AS BIGINT) AS months,
    p.payback_months,
    p.payback_months_lagged,
    b.basis,
    c.provisional
FROM costs AS c
CROSS JOIN bases AS b
LEFT JOIN paybacks AS p ON p.cohort = c.cohort
LEFT JOIN latest AS e ON e.cohort = c.cohort
ORDER BY c.cohort
