/* matins
description: >
  One row per month: of the lost customers who came back in it, the share with another valid order within 90 days.
formula: "returns followed by a purchase day within 90 days ÷ returns"
rules:
  - A return is a purchase day after a silence longer than `lost_after` of `segment.rhythm`, in whole days, as in `churn.months`.
  - Only a month whose last day lies 90 days back has a value; later ones would only look worse.
columns:
  numerator: returns with another purchase day in the 90 days after
  denominator: returns of the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH rhythm AS (
    SELECT CAST(floor(lost_after) AS INT) AS lost_after
    FROM segment.rhythm
    WHERE as_of = $as_of
),
returns AS (
    SELECT
        CAST(date_trunc('month', p.bdate) AS DATE) AS month,
        count(*) AS n,
        count(*) FILTER (WHERE p.next_day - p.bdate <= 90) AS k
    FROM core.purchase_days AS p
    CROSS JOIN rhythm AS r
    WHERE p.bdate - p.previous_day > r.lost_after
    GROUP BY 1
),
months AS (
    SELECT
        m.month,
        coalesce(t.n, 0) AS n,
        coalesce(t.k, 0) AS k,
        CAST(m.next_month + INTERVAL '90 days' AS DATE) > $as_of AS young
    FROM core.months AS m
    LEFT JOIN returns AS t ON t.month = m.month
)
SELECT
    month AS period,
    CASE WHEN NOT young THEN CAST(k AS DOUBLE) / nullif(n, 0) END AS value,
    k AS numerator,
    n AS denominator,
    n,
    CASE WHEN NOT young THEN wilson_low(k, n) END AS low,
    CASE WHEN NOT young THEN wilson_high(k, n) END AS high,
    young AS provisional
FROM months
ORDER BY period
