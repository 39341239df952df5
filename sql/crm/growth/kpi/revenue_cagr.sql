/* matins
description: >
  One row per month: by how much revenue has grown a year in the mean since the company's first twelve months (compound annual
  growth rate).
formula: "(revenue of the last 12 months ÷ revenue of the first 12)^(1 ÷ years between) − 1"
rules:
  - Both are whole twelve months, as originated, and the years between are those from the end of one to the end of the other. A
    value takes two years of orders.
  - A month that is not over has no value, nor has a base of zero or less.
columns:
  numerator: NULL, since it is no plain ratio
  denominator: NULL, since it is no plain ratio
  n: months between the two
  low: NULL, since it is no share of a count
  high: NULL, since it is no share of a count
key: [period]
closed: month
*/
WITH sums AS (
    SELECT
        month,
        provisional,
        row_number() OVER (ORDER BY month) AS nth,
        sum(revenue) OVER (ORDER BY month ROWS BETWEEN 11 PRECEDING AND CURRENT ROW) AS last_twelve
    FROM growth.revenue
),
bases AS (
    SELECT max(last_twelve) AS first_twelve
    FROM sums
    WHERE nth = 12
),
windows AS (
    SELECT
        s.month,
        s.provisional,
        s.nth - 12 AS months_between,
        CASE WHEN s.nth >= 24 THEN CAST(s.last_twelve AS DOUBLE) END AS last_twelve,
        CASE WHEN s.nth >= 24 THEN CAST(b.first_twelve AS DOUBLE) END AS first_twelve
    FROM sums AS s
    CROSS JOIN bases AS b
)
SELECT
    month AS period,
    CASE
        WHEN NOT provisional AND first_twelve > 0 AND last_twelve >= 0
            THEN power(last_twelve / first_twelve, 12.0 / months_between) - 1
    END AS value,
    CAST(NULL AS DOUBLE) AS numerator,
    CAST(NULL AS DOUBLE) AS denominator,
    CAST(CASE WHEN first_twelve IS NULL THEN 0 ELSE months_between END AS BIGINT) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM windows
ORDER BY period
