/* matins
description: >
  One row per month: of the customers active in it, the share that has brought, by an invitation of the month, somebody who
  became a customer.
formula: "active customers with a successful referral ÷ active customers"
rules:
  - Successful is an invitation whose referred customer has a valid order on the day of the invitation or later.
  - By the month of the invitation, so the latest months go on rising. Who invited him- or herself invited nobody.
columns:
  numerator: active customers with a successful referral of the month
  denominator: customers with a valid order in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
*/
WITH successes AS (
    SELECT DISTINCT r.referrer_key, CAST(date_trunc('month', r.bdate) AS DATE) AS month
    FROM core.referrals AS r
    INNER JOIN core.valid_orders AS v ON v.customer_key = r.referred_key AND v.bdate >= r.bdate
    WHERE r.bdate < $as_of AND r.referred_key <> r.referrer_key
),
counts AS (
    SELECT a.month, count(s.referrer_key) AS k, count(*) AS n
    FROM core.customer_months AS a
    LEFT JOIN successes AS s ON s.referrer_key = a.customer_key AND s.month = a.month
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
