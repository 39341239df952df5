/* matins
description: >
  One row per month, of the contacts entered in it the share with a valid order within 90 days (activation).
formula: "contacts with a first valid order in the 90 days after they were entered ÷ contacts entered"
rules:
  - Only a month whose last contact has had 90 days has a value; later ones would only look worse.
  - Who ordered before being entered counts as activated, since registers are kept late.
  - Where there is no register, and customers are known by their first order, the share is 1 and says nothing.
columns:
  numerator: contacts with a valid order within 90 days
  denominator: contacts entered in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH first_orders AS (
    SELECT customer_key, bdate
    FROM core.purchase_days
    WHERE previous_day IS NULL
),
counts AS (
    SELECT
        CAST(date_trunc('month', c.created_on) AS DATE) AS month,
        count(*) AS n,
        count(*) FILTER (WHERE f.bdate <= CAST(c.created_on + INTERVAL '90 days' AS DATE)) AS k
    FROM core.customers AS c
    LEFT JOIN first_orders AS f ON f.customer_key = c.customer_key
    WHERE c.created_on < $as_of
    GROUP BY 1
),
months AS (
    SELECT
        m.month,
        coalesce(c.n, 0) AS n,
        coalesce(c.k, 0) AS k,
        CAST(m.next_month + INTERVAL '90 days' AS DATE) > $as_of AS young
    FROM core.months AS m
    LEFT JOIN counts AS c ON c.month = m.month
)
SELECT
    month AS period,
    CASE WHEN NOT young THEN CAST(k AS DOUBLE) / nullif(n, 0) END AS value,
    k AS numerator,
    n AS denominator,
    n,
    CASE WHEN NOT young THEN wilson_low(k, n) END AS low,
    CASE WHEN NOT young THEN wilson_high(k, n) END AS high,
    young AS provisional
FROM months
ORDER BY period
