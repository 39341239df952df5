/* matins
description: >
  One row per month: the textbook's customer retention rate. Customers who came back after a gap are part of the end count, so
  it stands above period retention and may pass 1; with them taken off the two are equal.
formula: "(E − N) ÷ S: customers at the end less new ones, over customers at the start"
rules:
  - Customers of a month are those with a valid order in it. A month that is not over has no value.
reference: "Farris et al., Marketing Metrics; the retained over those at risk is `kpi.retention`"
columns:
  numerator: customers active in the month, without those whose first valid order it was
  denominator: customers active in the month before
  n: the denominator
  low: NULL, since it is no share of the denominator
  high: NULL, since it is no share of the denominator
key: [period]
closed: month
*/
WITH actives AS (
    SELECT month, count(*) AS customers, count(*) FILTER (WHERE month = first_month) AS new
    FROM core.customer_months
    GROUP BY month
),
counts AS (
    SELECT
        m.month,
        m.provisional,
        coalesce(e.customers, 0) - coalesce(e.new, 0) AS k,
        coalesce(s.customers, 0) AS n
    FROM core.months AS m
    LEFT JOIN actives AS e ON e.month = m.month
    LEFT JOIN actives AS s ON s.month = CAST(m.month - INTERVAL '1 month' AS DATE)
    WHERE m.month > (SELECT min(month) FROM core.months)
)
SELECT
    month AS period,
    CASE WHEN NOT provisional THEN CAST(k AS DOUBLE) / nullif(n, 0) END AS value,
    k AS numerator,
    n AS denominator,
    n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM counts
ORDER BY period
