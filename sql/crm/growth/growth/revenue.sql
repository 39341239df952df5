/* matins
description: >
  One row per month: how revenue came about from that of the month before (growth accounting). Revenue is as originated:
  refunds lie in the month of their order. In a month that is not over nothing has been lost yet, so `expansion`,
  `contraction` and `churned` are NULL there.
columns:
  revenue: net of the valid orders of the month
  new: from customers whose first valid order lies in the month
  resurrected: from customers active before, but not in the month before
  expansion: what retained customers spent more than in the month before
  contraction: what retained customers spent less than in the month before
  churned: what the customers who did not come again had spent in the month before
key: [month]
checks:
  - name: change = new + resurrected + expansion - contraction - churned
    query: >
      SELECT month
      FROM (
          SELECT
              month, provisional,
              revenue - lag(revenue) OVER (ORDER BY month) AS change,
              new + resurrected + expansion - contraction - churned AS explained
          FROM growth.revenue
      ) AS pairs
      WHERE NOT provisional AND change IS NOT NULL AND change IS DISTINCT FROM explained
*/
WITH changes AS (
    SELECT
        month,
        net,
        month = first_month AS is_new,
        coalesce(previous_month = CAST(month - INTERVAL '1 month' AS DATE), FALSE) AS is_retained,
        net - previous_net AS more
    FROM core.customer_months
),
arrivals AS (
    SELECT
        month,
        sum(net) AS revenue,
        sum(net) FILTER (WHERE is_new) AS new,
        sum(net) FILTER (WHERE NOT is_new AND NOT is_retained) AS resurrected,
        sum(more) FILTER (WHERE is_retained AND more > 0) AS expansion,
        sum(-more) FILTER (WHERE is_retained AND more < 0) AS contraction
    FROM changes
    GROUP BY month
),
losses AS (
    SELECT CAST(month + INTERVAL '1 month' AS DATE) AS month, sum(net) AS churned
    FROM core.customer_months
    WHERE next_month IS NULL OR next_month > CAST(month + INTERVAL '1 month' AS DATE)
    GROUP BY month
)
SELECT
    m.month,
    CAST(coalesce(a.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(a.new, 0) AS DECIMAL(18, 4)) AS new,
    CAST(coalesce(a.resurrected, 0) AS DECIMAL(18, 4)) AS resurrected,
    CAST(CASE WHEN NOT m.provisional THEN coalesce(a.expansion, 0) END AS DECIMAL(18, 4)) AS expansion,
    CAST(CASE WHEN NOT m.provisional THEN coalesce(a.contraction, 0) END AS DECIMAL(18, 4)) AS contraction,
    CAST(CASE WHEN NOT m.provisional THEN coalesce(l.churned, 0) END AS DECIMAL(18, 4)) AS churned,
    m.provisional
FROM core.months AS m
LEFT JOIN arrivals AS a ON a.month = m.month
LEFT JOIN losses AS l ON l.month = m.month
ORDER BY m.month
