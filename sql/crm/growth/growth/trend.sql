/* matins
description: >
  One row per month: where revenue and customers are heading. Revenue is as originated, see `growth.revenue`; a month that is not
  over has no changes.
rules:
  - A change is against a base above zero, otherwise NULL. A window that is not whole is NULL.
columns:
  revenue: net of the valid orders of the month
  revenue_mom: change on the month before
  revenue_yoy: change on the same month a year before
  rolling_3: revenue of the three months that end with this one
  rolling_12: revenue of the twelve months that end with this one
  rolling_12_yoy: change of that on a year before
  net_growth: change of the number of active customers on the month before
key: [month]
closed: month
*/
WITH months AS (
    SELECT
        r.month,
        r.provisional,
        r.revenue,
        c.active,
        row_number() OVER (ORDER BY r.month) AS nth,
        lag(r.revenue, 1) OVER (ORDER BY r.month) AS revenue_1,
        lag(r.revenue, 12) OVER (ORDER BY r.month) AS revenue_12,
        lag(c.active, 1) OVER (ORDER BY r.month) AS active_1,
        sum(r.revenue) OVER (ORDER BY r.month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS sum_3,
        sum(r.revenue) OVER (ORDER BY r.month ROWS BETWEEN 11 PRECEDING AND CURRENT ROW) AS sum_12
    FROM growth.revenue AS r
    INNER JOIN growth.customers AS c ON c.month = r.month
),
windows AS (
    SELECT
        *,
        CASE WHEN nth >= 3 THEN sum_3 END AS rolling_3,
        CASE WHEN nth >= 12 THEN sum_12 END AS rolling_12,
        CASE WHEN nth >= 24 THEN lag(sum_12, 12) OVER (ORDER BY month) END AS rolling_12_before
    FROM months
)
SELECT
    month,
    revenue,
    active,
    CASE WHEN NOT provisional AND revenue_1 > 0 THEN CAST(revenue AS DOUBLE) / CAST(revenue_1 AS DOUBLE) - 1 END
        AS revenue_mom,
    CASE WHEN NOT provisional AND revenue_12 > 0 THEN CAST(revenue AS DOUBLE) / CAST(revenue_12 AS DOUBLE) - 1 END
        AS revenue_yoy,
    CASE WHEN NOT provisional THEN CAST(rolling_3 AS DECIMAL(18, 4)) END AS rolling_3,
    CASE WHEN NOT provisional THEN CAST(rolling_12 AS DECIMAL(18, 4)) END AS rolling_12,
    CASE
        WHEN NOT provisional AND rolling_12_before > 0
            THEN CAST(rolling_12 AS DOUBLE) / CAST(rolling_12_before AS DOUBLE) - 1
    END AS rolling_12_yoy,
    CASE WHEN NOT provisional AND active_1 > 0 THEN CAST(active AS DOUBLE) / active_1 - 1 END AS net_growth,
    provisional
FROM windows
ORDER BY month
