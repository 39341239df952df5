/* matins
description: >
  One row per month: customers with a valid order in the 28 days that end with the month. A month whose 28 days begin before the
  first valid order, or that is not over, has no value, since the window is not whole.
rules: Four whole weeks, so that every weekday counts alike in it.
columns:
  n: the same customers
key: [period]
*/
WITH bounds AS (
    SELECT min(bdate) AS first_day
    FROM core.purchase_days
),
spans AS (
    SELECT bdate, next_day, count(*) AS customers
    FROM core.purchase_days
    GROUP BY bdate, next_day
),
-- A customer is counted at the last purchase day before the month ends, and so once.
actives AS (
    SELECT m.month, CAST(sum(s.customers) AS BIGINT) AS customers
    FROM core.months AS m
    INNER JOIN spans AS s
        ON s.bdate < m.next_month
            AND s.bdate >= CAST(m.next_month - INTERVAL '28 days' AS DATE)
            AND (s.next_day IS NULL OR s.next_day >= m.next_month)
    GROUP BY m.month
)
SELECT
    m.month AS period,
    CASE
        WHEN NOT m.provisional AND b.first_day <= CAST(m.next_month - INTERVAL '28 days' AS DATE)
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
