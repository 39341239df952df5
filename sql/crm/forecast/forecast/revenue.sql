/* matins
description: >
  One row per series and period to come: the forecast with its intervals where `forecast.models` ships it, else what the
  season before brought, without an interval.
rules: A series shorter than two seasons has no row; `forecast.models` says why.
columns:
  series: daily, weekly or monthly
  period: the day, the first of the seven days, or the first day of the month
  method: Holt–Winters, or season before
  value: net expected
  low80: lower bound of the 80 % interval
  low95: lower bound of the 95 % interval
  mase: as in `forecast.models`
key: [series, period]
*/
WITH steps AS (
    SELECT series, last_period, ship, mase, unnest(forecast) AS step
    FROM forecast.models
),
values_ahead AS (
    SELECT
        series,
        CASE
            WHEN series = 'daily' THEN CAST(last_period + CAST(step['step'] AS INT) AS DATE)
            WHEN series = 'weekly' THEN CAST(last_period + 7 * CAST(step['step'] AS INT) - 6 AS DATE)
            WHEN step['step'] = 1 THEN CAST(last_period + INTERVAL '1 month' AS DATE)
            WHEN step['step'] = 2 THEN CAST(last_period + INTERVAL '2 months' AS DATE)
            ELSE CAST(last_period + INTERVAL '3 months' AS DATE)
        END AS period,
        ship,
        mase,
        step
    FROM steps
)
SELECT
    series,
    period,
    CASE WHEN ship THEN 'Holt–Winters' ELSE 'season before' END AS method,
    CASE WHEN ship THEN step['value'] ELSE step['naive'] END AS value,
    CASE WHEN ship THEN step['low80'] END AS low80,
    CASE WHEN ship THEN step['high80'] END AS high80,
    CASE WHEN ship THEN step['low95'] END AS low95,
    CASE WHEN ship THEN step['high95'] END AS high95,
    mase
FROM values_ahead
ORDER BY series, period
