/* matins
description: One row per month, how many customers each active customer brought by invitations of the month (k-factor).
formula: "invitations ÷ active customers · customers who came ÷ invitations"
rules: Who came is whoever has a valid order on the day of the invitation or later; each counts once. Who invited him- or herself invited nobody.
columns:
  numerator: customers who came by an invitation of the month
  denominator: customers with a valid order in the month
  n: the denominator
  low: NULL, since one customer may bring several
  high: NULL, since one customer may bring several
key: [period]
closed: month
*/
WITH arrivals AS (
    SELECT CAST(date_trunc('month', r.bdate) AS DATE) AS month, count(DISTINCT r.referred_key) AS customers
    FROM core.referrals AS r
    INNER JOIN core.valid_orders AS v ON v.customer_key = r.referred_key AND v.bdate >= r.bdate
    WHERE r.bdate < $as_of AND r.referred_key <> r.referrer_key
    GROUP BY 1
),
actives AS (
    SELECT month, count(*) AS customers
    FROM core.customer_months
    GROUP BY month
)
SELECT
    m.month AS period,
    CAST(coalesce(k.customers, 0) AS DOUBLE) / nullif(a.customers, 0) AS value,
    coalesce(k.customers, 0) AS numerator,
    coalesce(a.customers, 0) AS denominator,
    coalesce(a.customers, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN actives AS a ON a.month = m.month
LEFT JOIN arrivals AS k ON k.month = m.month
ORDER BY period
