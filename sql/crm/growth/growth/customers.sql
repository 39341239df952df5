/* matins
description: >
  One row per month: how the number of active customers came about (growth accounting). In a month that is not over nobody
  has churned yet, so `churned` is NULL there.
columns:
  active: customers with a valid order in the month
  new: those whose first valid order it was
  retained: those active in the month before too
  resurrected: those active before, but not in the month before
  churned: customers active in the month before and not in this one
key: [month]
checks:
  - name: active = new + retained + resurrected
    expression: "active = new + retained + resurrected"
  - name: active before = retained + churned
    query: >
      SELECT month
      FROM (
          SELECT month, retained, churned, provisional, lag(active) OVER (ORDER BY month) AS active_before
          FROM growth.customers
      ) AS pairs
      WHERE NOT provisional AND active_before IS NOT NULL AND active_before IS DISTINCT FROM retained + churned
*/
WITH arrivals AS (
    SELECT
        month,
        count(*) AS active,
        count(*) FILTER (WHERE month = first_month) AS new,
        count(*) FILTER (WHERE previous_month = CAST(month - INTERVAL '1 month' AS DATE)) AS retained,
        count(*) FILTER (WHERE previous_month < CAST(month - INTERVAL '1 month' AS DATE)) AS resurrected
    FROM core.customer_months
    GROUP BY month
),
losses AS (
    SELECT CAST(month + INTERVAL '1 month' AS DATE) AS month, count(*) AS churned
    FROM core.customer_months
    WHERE next_month IS NULL OR next_month > CAST(month + INTERVAL '1 month' AS DATE)
    GROUP BY month
)
SELECT
    m.month,
    coalesce(a.active, 0) AS active,
    coalesce(a.new, 0) AS new,
    coalesce(a.retained, 0) AS retained,
    coalesce(a.resurrected, 0) AS resurrected,
    CASE WHEN NOT m.provisional THEN coalesce(l.churned, 0) END AS churned,
    m.provisional
FROM core.months AS m
LEFT JOIN arrivals AS a ON a.month = m.month
LEFT JOIN losses AS l ON l.month = m.month
ORDER BY m.month
