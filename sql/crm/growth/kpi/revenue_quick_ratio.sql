/* matins
description: >
  One row per month: revenue gained for every unit of revenue lost, against the month before. Below 1 revenue shrinks.
formula: "(new + resurrected + expansion) ÷ (contraction + churned)"
rules: NULL when nothing was lost, and in a month that is not over. Revenue is as originated, see `growth.revenue`.
reference: "Hsu 2015, Diligence at Social Capital"
columns:
  numerator: revenue gained
  denominator: revenue lost
  n: NULL, since it is a ratio of amounts
  low: NULL, since it is a ratio of amounts
  high: NULL, since it is a ratio of amounts
key: [period]
closed: month
*/
WITH amounts AS (
    SELECT
        month,
        provisional,
        new + resurrected + expansion AS gained,
        contraction + churned AS lost
    FROM growth.revenue
    WHERE month > (SELECT min(month) FROM core.months)
)
SELECT
    month AS period,
    CAST(gained AS DOUBLE) / CAST(nullif(lost, 0) AS DOUBLE) AS value,
    CAST(gained AS DECIMAL(18, 4)) AS numerator,
    CAST(lost AS DECIMAL(18, 4)) AS denominator,
    CAST(NULL AS BIGINT) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM amounts
ORDER BY period
