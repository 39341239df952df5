/* matins
description: "One row per month, how often the company and a customer were in contact, of those who were at all."
formula: "contacts ÷ customers with a contact"
grain: one row per month
rules:
  - All channels together, whoever began it; orders, tickets and answers to surveys are contacts only where the company's pack says so.
  - Contacts of nobody known are not counted.
reference: "catalogue: contact records (聯繫記錄), customer attention"
columns:
  numerator: contacts in the month
  denominator: customers with a contact in it
  n: the denominator
  low: NULL, since all contacts are in it
  high: NULL, since all contacts are in it
key: [period]
*/
WITH tallies AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, count(*) AS contacts, count(DISTINCT customer_key) AS customers
    FROM core.interactions
    WHERE customer_key IS NOT NULL AND bdate < $as_of
    GROUP BY 1
),
months AS (
    SELECT unnest(generate_series(
        min(month),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM tallies
)
SELECT
    m.month AS period,
    CAST(t.contacts AS DOUBLE) / t.customers AS value,
    coalesce(t.contacts, 0) AS numerator,
    coalesce(t.customers, 0) AS denominator,
    coalesce(t.customers, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.month >= date_trunc('month', $as_of) AS provisional
FROM months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
