/* matins
description: One row per month, what was spent on acquisition for each customer whose first valid order lies in it.
formula: "acquisition costs ÷ new customers"
rules:
  - Costs and customers of the same month, or costs of `acquisition_lag_days` before (0 unless the pipeline says otherwise; 30 where a
    customer takes about a month to win).
  - Costs written on the first of a month are those of all of it, and begin from its middle. From the first, January's and February's would
    both lie in March 30 days later.
  - NULL in a month without a new customer.
columns:
  numerator: acquisition costs of the month, the lag added to their day
  denominator: customers whose first valid order lies in the month
  n: the denominator
  low: NULL, since it is an amount
  high: NULL, since it is an amount
key: [period]
closed: month
*/
WITH spending AS (
    SELECT CAST(date_trunc('month', bdate + $acquisition_lag_days + CASE WHEN date_part('day', bdate) = 1 THEN 14 ELSE 0 END) AS DATE) AS month, sum(amount) AS amount
    FROM core.costs
    WHERE kind = 'acquisition' AND bdate < $as_of
    GROUP BY 1
),
newcomers AS (
    SELECT month, count(*) AS customers
    FROM core.customer_months
    WHERE month = first_month
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(coalesce(s.amount, 0) AS DOUBLE) / nullif(n.customers, 0) AS value,
    CAST(coalesce(s.amount, 0) AS DECIMAL(18, 4)) AS numerator,
    coalesce(n.customers, 0) AS denominator,
    coalesce(n.customers, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN spending AS s ON s.month = m.month
LEFT JOIN newcomers AS n ON n.month = m.month
ORDER BY period
