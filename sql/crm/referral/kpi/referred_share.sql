/* matins
description: One row per month, of the customers whose first valid order lies in it, the share whom another customer brought.
formula: "new customers with a referrer ÷ new customers"
columns:
  numerator: new customers with a referrer
  denominator: customers whose first valid order lies in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
*/
WITH counts AS (
    SELECT a.month, count(c.referred_by) AS k, count(*) AS n
    FROM core.customer_months AS a
    LEFT JOIN core.customers AS c ON c.customer_key = a.customer_key
    WHERE a.month = a.first_month
    GROUP BY a.month
),
months AS (
    SELECT m.month, m.provisional, coalesce(c.k, 0) AS k, coalesce(c.n, 0) AS n
    FROM core.months AS m
    LEFT JOIN counts AS c ON c.month = m.month
)
SELECT
    month AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    provisional
FROM months
ORDER BY period
