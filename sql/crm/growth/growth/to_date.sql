/* matins
description: >
  One row per measure, net revenue and active customers: what the month of the day before `$as_of` has brought so far, beside as
  many days of the month before and of the same month a year before.
rules:
  - As many days from the first of the month as have gone by. A shorter month counts up to its end, so that 31 March stands beside
    all of February, and 29 February beside 28.
  - "Revenue is that of `kpi.net_revenue`: a refund lies on the day it was paid. A customer is active with a valid order in the
    days."
  - NULL where the company's orders do not reach back to that month; a change is against a base above zero.
columns:
  month: the month
  days: that have gone by in it
  value: in those days
  days_before: of the month before that stand beside them
  month_before: the value in those
  month_change: value ÷ month_before − 1
  days_year_before: of the same month a year before that stand beside them
  year_before: the value in those
  year_change: value ÷ year_before − 1
  provisional: whether the month was not over at `$as_of`
key: [measure]
checks:
  - name: the month so far is that of the KPIs
    query: >
      SELECT d.measure
      FROM growth.to_date AS d
      INNER JOIN (
          SELECT 'net revenue' AS measure, period, CAST(value AS DOUBLE) AS value FROM kpi.net_revenue
          UNION ALL
          SELECT 'active customers' AS measure, period, CAST(value AS DOUBLE) AS value FROM kpi.active_customers
      ) AS k ON k.measure = d.measure AND k.period = d.month
      WHERE k.value <> CAST(d.value AS DOUBLE)
*/
WITH starts AS (
    SELECT
        CAST(date_trunc('month', last_day) AS DATE) AS month,
        CAST(date_part('day', last_day) AS BIGINT) AS days
    FROM (SELECT CAST($as_of - INTERVAL '1 day' AS DATE) AS last_day) AS day
),
windows AS (
    SELECT 'now' AS which, month AS begins, CAST($as_of AS DATE) AS ends
    FROM starts
    UNION ALL
    SELECT
        'month before' AS which,
        CAST(month - INTERVAL '1 month' AS DATE) AS begins,
        least(CAST(month - INTERVAL '1 month' AS DATE) + CAST(days AS INT), month) AS ends
    FROM starts
    UNION ALL
    SELECT
        'year before' AS which,
        CAST(month - INTERVAL '12 months' AS DATE) AS begins,
        least(CAST(month - INTERVAL '12 months' AS DATE) + CAST(days AS INT), CAST(month - INTERVAL '11 months' AS DATE)) AS ends
    FROM starts
),
daily AS (
    SELECT bdate, net AS amount
    FROM core.orders
    WHERE valid AND customer_key IS NOT NULL AND bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '14 months' AS DATE)
    UNION ALL
    SELECT r.bdate, -r.amount AS amount
    FROM core.refunds AS r
    INNER JOIN core.orders AS o ON o.order_id = r.order_id
    WHERE o.valid AND o.customer_key IS NOT NULL AND r.bdate < $as_of AND r.bdate >= CAST($as_of - INTERVAL '14 months' AS DATE)
),
sales AS (
    SELECT bdate, sum(amount) AS amount
    FROM daily
    GROUP BY bdate
),
revenue AS (
    SELECT w.which, sum(s.amount) AS value
    FROM windows AS w
    INNER JOIN sales AS s ON s.bdate >= w.begins AND s.bdate < w.ends
    GROUP BY w.which
),
actives AS (
    SELECT w.which, count(DISTINCT p.customer_key) AS value
    FROM windows AS w
    INNER JOIN core.purchase_days AS p ON p.bdate >= w.begins AND p.bdate < w.ends
    GROUP BY w.which
),
figures AS (
    SELECT
        m.measure,
        w.which,
        w.begins,
        w.ends - w.begins AS days,
        CASE
            WHEN w.begins >= (SELECT min(month) FROM core.months)
                THEN CAST(CASE WHEN m.measure = 'net revenue' THEN coalesce(r.value, 0) ELSE coalesce(a.value, 0) END AS DECIMAL(18, 4))
        END AS value
    FROM (VALUES ('net revenue'), ('active customers')) AS m (measure)
    CROSS JOIN windows AS w
    LEFT JOIN revenue AS r ON r.which = w.which
    LEFT JOIN actives AS a ON a.which = w.which
),
measures AS (
    SELECT
        measure,
        max(begins) AS month,
        CAST(max(days) FILTER (WHERE which = 'now') AS BIGINT) AS days,
        max(value) FILTER (WHERE which = 'now') AS value,
        CAST(max(days) FILTER (WHERE which = 'month before') AS BIGINT) AS days_before,
        max(value) FILTER (WHERE which = 'month before') AS month_before,
        CAST(max(days) FILTER (WHERE which = 'year before') AS BIGINT) AS days_year_before,
        max(value) FILTER (WHERE which = 'year before') AS year_before
    FROM figures
    GROUP BY measure
)
SELECT
    measure,
    month,
    days,
    value,
    days_before,
    month_before,
    CASE WHEN month_before > 0 THEN CAST(value AS DOUBLE) / CAST(month_before AS DOUBLE) - 1 END AS month_change,
    days_year_before,
    year_before,
    CASE WHEN year_before > 0 THEN CAST(value AS DOUBLE) / CAST(year_before AS DOUBLE) - 1 END AS year_change,
    date_part('day', $as_of) <> 1 AS provisional
FROM measures
ORDER BY measure DESC
