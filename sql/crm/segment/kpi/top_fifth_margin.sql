/* matins
description: >
  One row for the day before `$as_of` and one for the day before `$prev_as_of`: of the margin of the 12 months to it, what the fifth of
  customers who brought most margin brought.
formula: "margin of the top 20 % of customers by margin ÷ margin of all"
grain: one row per moment
rules:
  - The top fifth is rounded down, but is at least one customer. Customers whose costs are not known are not in it.
  - Above 1 where the others together cost more than they bring.
  - A state at the end of a day, which is over, so it is never provisional.
reference: "Kaplan & Narayanan 2001, J. of Cost Management 15(5):5; the rule of 20/80 claims it to be 0.8"
columns:
  numerator: margin of the top fifth
  denominator: margin of all
  n: customers ranked
  low: NULL, since all customers are in it
  high: NULL, since all customers are in it
key: [period]
closed: month
*/
WITH sums AS (
    SELECT
        as_of,
        sum(margin) FILTER (WHERE place <= greatest(base / 5, 1)) AS top,
        sum(margin) AS total,
        count(margin) AS customers
    FROM segment.margin_tiers
    GROUP BY as_of
)
SELECT
    CAST(as_of - INTERVAL '1 day' AS DATE) AS period,
    CASE WHEN total > 0 THEN CAST(top AS DOUBLE) / CAST(total AS DOUBLE) END AS value,
    CAST(top AS DECIMAL(18, 4)) AS numerator,
    CAST(total AS DECIMAL(18, 4)) AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM sums
ORDER BY period
