/* matins
description: >
  One row per month: customers with a valid order in the 90 days that end with the month. A month whose 90 days begin before the
  first valid order, or that is not over, has no value, since the window is not whole.
columns:
  n: the same customers
key: [period]
*/
WITH purchase_days AS (
    SELECT customer_key, bdate
    FROM core.valid_orders
    GROUP BY customer_key, bdate
),
bounds AS (
    SELECT min(bdate) AS first_day
    FROM purchase_days
),
actives AS (
    SELECT month, count(*) AS customers
    FROM (
        SELECT m.month, p.customer_key
        FROM core.months AS m
        INNER JOIN purchase_days AS p
            ON p.bdate < m.next_month AND p.bdate >= CAST(m.next_month - INTERVAL '90 days' AS DATE)
        GROUP BY m.month, p.customer_key
    ) AS customers
    GROUP BY month
)
SELECT
    m.month AS period,
    CASE
        WHEN NOT m.provisional AND b.first_day <= CAST(m.next_month - INTERVAL '90 days' AS DATE)
            THEN coalesce(a.customers, 0)
    END AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    coalesce(a.customers, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
CROSS JOIN bounds AS b
LEFT JOIN actives AS a ON a.month = m.month
ORDER BY period
