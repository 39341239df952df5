/* matins
description: >
  One row per seven days of the last 13 times seven before `$as_of`: what they brought, to stand beside the weeks to come.
rules:
  - Net as originated; a day without an order is a zero.
  - Only weeks that began on the day of the first order or later.
columns:
  week: the first of the seven days
  revenue: net of the valid orders of the week
key: [week]
*/
WITH bounds AS (
    SELECT min(bdate) AS first_day, CAST($as_of AS DATE) AS end_day
    FROM core.valid_orders
),
days AS (
    SELECT
        first_day,
        CAST(unnest(generate_series(
            CAST(end_day - INTERVAL '91 days' AS DATE),
            CAST(end_day - INTERVAL '1 day' AS DATE),
            INTERVAL '1 day'
        )) AS DATE) AS day
    FROM bounds
),
numbered AS (
    SELECT first_day, day, (row_number() OVER (ORDER BY day) - 1) % 7 AS day_of_week
    FROM days
),
sales AS (
    SELECT bdate, sum(net) AS net
    FROM core.valid_orders
    GROUP BY bdate
),
weeks AS (
    SELECT d.first_day, CAST(d.day - CAST(d.day_of_week AS INT) AS DATE) AS week, s.net
    FROM numbered AS d
    LEFT JOIN sales AS s ON s.bdate = d.day
)
SELECT week, CAST(coalesce(sum(net), 0) AS DECIMAL(18, 4)) AS revenue
FROM weeks
WHERE week >= first_day
GROUP BY week
ORDER BY week
