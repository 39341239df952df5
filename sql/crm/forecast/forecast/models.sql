/* matins
description: >
  One row per series: Holt–Winters of net as originated, by day with a season of a week, by week as the total of such days, and
  by month with a season of a year, and whether it beats the season before.
rules:
  - Closed days and months only; a day without an order is a zero.
  - The daily and the weekly series are the last 364 days, a week being seven of them; the monthly one is all closed months.
  - Two whole seasons are needed, and a third to test with, or 13 weeks; `reason` says what is wanting.
  - "A forecast ships only when mase < 1: over the last season, or 13 weeks, its errors are smaller than those of the season before."
reference:
  - "Winters 1960, Management Science 6:324; intervals: Yar & Chatfield 1990, Int. J. of Forecasting 6:127"
  - "Hyndman & Koehler 2006, Int. J. of Forecasting 22:679, for MASE"
  - "Snyder, Koehler, Hyndman & Ord 2004, European J. of Operational Research 158:444, for the intervals of weeks"
columns:
  series: daily, weekly or monthly
  n: periods fitted, days where the series is of weeks
  last_period: the last of them
  mase: mean absolute error over that of the season before, from a rolling origin
  ship: mase < 1
  forecast: list of steps with value, low80, high80, low95, high95, and naive, the season before
key: [series]
*/
WITH bounds AS (
    SELECT min(bdate) AS first_day, CAST($as_of AS DATE) AS end_day
    FROM core.valid_orders
),
days AS (
    SELECT
        CAST(unnest(generate_series(
            greatest(first_day, CAST(end_day - INTERVAL '364 days' AS DATE)),
            CAST(end_day - INTERVAL '1 day' AS DATE),
            INTERVAL '1 day'
        )) AS DATE) AS day
    FROM bounds
    WHERE first_day IS NOT NULL
),
sales AS (
    SELECT bdate, sum(net) AS net
    FROM core.valid_orders
    GROUP BY bdate
),
daily AS (
    SELECT
        row_number() OVER (ORDER BY d.day) AS at,
        CAST(coalesce(s.net, 0) AS DOUBLE) AS net,
        d.day
    FROM days AS d
    LEFT JOIN sales AS s ON s.bdate = d.day
),
monthly_sales AS (
    SELECT month, sum(net) AS net
    FROM core.customer_months
    GROUP BY month
),
monthly AS (
    SELECT
        row_number() OVER (ORDER BY m.month) AS at,
        CAST(coalesce(s.net, 0) AS DOUBLE) AS net,
        m.month
    FROM core.months AS m
    LEFT JOIN monthly_sales AS s ON s.month = m.month
    WHERE NOT m.provisional
),
fits AS (
    SELECT 'daily' AS series, max(day) AS last_period, holt_winters(at, net, 7, 28, 'additive') AS fit
    FROM daily
    UNION ALL
    SELECT 'weekly' AS series, max(day) AS last_period, holt_winters_totals(at, net, 7, 4, 'additive') AS fit
    FROM daily
    UNION ALL
    SELECT 'monthly' AS series, max(month) AS last_period, holt_winters(at, net, 12, 3, 'additive') AS fit
    FROM monthly
)
SELECT
    series,
    fit['n'] AS n,
    last_period,
    fit['alpha'] AS alpha,
    fit['beta'] AS beta,
    fit['gamma'] AS gamma,
    fit['mase'] AS mase,
    fit['ship'] AS ship,
    fit['reason'] AS reason,
    fit['forecast'] AS forecast
FROM fits
