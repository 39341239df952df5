/* matins
description: >
  One row per cohort and month since its first order, up to the month of `$as_of`. A cohort is the customers whose first valid
  order lies in one month; a real zero is a row, a cell of the future is none, and cells of a month that is not over are
  provisional.
columns:
  cohort: the month of the first valid order
  month_index: whole months since the cohort's month; 0 is that month itself
  customers: customers of the cohort with a valid order in the month
  cohort_size: customers of the cohort
  retention: customers ÷ cohort_size
key: [cohort, month_index]
checks:
  - expression: "customers <= cohort_size AND (month_index > 0 OR customers = cohort_size)"
  - name: the cells of each month add up to its active customers
    query: >
      SELECT number
      FROM (
          SELECT 12 * date_part('year', cohort) + date_part('month', cohort) + month_index AS number, customers
          FROM retention.cohorts
          UNION ALL
          SELECT 12 * date_part('year', month) + date_part('month', month) AS number, -1 AS customers
          FROM core.customer_months
          WHERE month < $as_of
      ) AS both_sides
      GROUP BY number
      HAVING sum(customers) <> 0
*/
WITH sizes AS (
    SELECT month AS cohort, count(*) AS cohort_size
    FROM core.customer_months
    WHERE month = first_month
    GROUP BY month
),
returns AS (
    SELECT first_month AS cohort, month, count(*) AS customers
    FROM core.customer_months
    GROUP BY first_month, month
),
cells AS (
    SELECT s.cohort, s.cohort_size, m.month, m.provisional
    FROM sizes AS s
    INNER JOIN core.months AS m ON m.month >= s.cohort
)
SELECT
    c.cohort,
    CAST(
        12 * (date_part('year', c.month) - date_part('year', c.cohort))
        + date_part('month', c.month) - date_part('month', c.cohort) AS INT
    ) AS month_index,
    coalesce(r.customers, 0) AS customers,
    c.cohort_size,
    CAST(coalesce(r.customers, 0) AS DOUBLE) / c.cohort_size AS retention,
    c.provisional
FROM cells AS c
LEFT JOIN returns AS r ON r.cohort = c.cohort AND r.month = c.month
ORDER BY cohort, month_index
