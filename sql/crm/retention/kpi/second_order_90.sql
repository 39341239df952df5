/* matins
description: >
  One row per month: of the customers whose first valid order lies in it, the share that ordered again on a later day within 90
  days. A month has a value once all of its customers have had the 90 days.
formula: "customers with another order within 90 days ÷ customers of the cohort"
columns:
  period: the month of the first order
  numerator: customers with a second purchase day within 90 days
  denominator: customers of the cohort
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
  provisional: whether some of them have not had the time
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
-- `complete` of `retention.n_day` waits three days longer, for what is bought about the day. The first of a month comes before these are over,
-- and every month would be told a month late.
WITH cohorts AS (
    SELECT month AS cohort, count(*) AS customers
    FROM core.customer_months
    WHERE month = first_month
    GROUP BY month
),
counts AS (
    SELECT
        m.month,
        coalesce(d.customers < c.customers, m.provisional) AS provisional,
        coalesce(d.within, 0) AS k,
        coalesce(d.customers, 0) AS n,
        CASE WHEN d.customers = c.customers THEN CAST(d.within AS DOUBLE) END AS hits,
        CASE WHEN d.customers = c.customers THEN CAST(d.customers AS DOUBLE) END AS trials
    FROM core.months AS m
    LEFT JOIN cohorts AS c ON c.cohort = m.month
    LEFT JOIN retention.n_day AS d ON d.cohort = m.month AND d.day = 90
)
SELECT
    month AS period,
    hits / trials AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(hits, trials) AS low,
    wilson_high(hits, trials) AS high,
    provisional
FROM counts
ORDER BY period
