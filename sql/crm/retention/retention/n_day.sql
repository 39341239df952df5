/* matins
description: >
  One row per cohort and number of days: who ordered on about that day after the first order, by then, and ever from then on. A
  cohort is the customers whose first valid order lies in one month.
rules:
  - Only customers whose first order is at least `day` days (and three more for `on_day`) before `$as_of` are counted, since the
    others have not had the time.
  - A day is bounded by three days to each side, since few buy by the calendar.
  - "`from_day` rises when later orders come in: it is what was known at `$as_of`."
columns:
  cohort: the month of the first valid order
  day: 7, 30, 60, 90, 180 or 365 days after it
  customers: of the cohort, old enough
  on_day: customers with an order from day - 3 to day + 3 (bounded N-day retention); NULL when nobody is old enough
  within: customers with a second order by then (unbounded)
  from_day: customers with an order on that day or later (rolling retention)
  complete: whether all of the cohort are old enough
key: [cohort, day]
checks:
  - expression: "on_day <= customers AND within <= customers AND from_day <= customers"
*/
WITH purchase_days AS (
    SELECT customer_key, bdate
    FROM core.valid_orders
    GROUP BY customer_key, bdate
),
histories AS (
    SELECT
        customer_key,
        bdate,
        min(bdate) OVER (PARTITION BY customer_key) AS first_order
    FROM purchase_days
),
days AS (
    SELECT unnest([7, 30, 60, 90, 180, 365]) AS day
),
customers AS (
    SELECT
        d.day,
        h.first_order,
        h.customer_key,
        max(CASE WHEN h.bdate - h.first_order BETWEEN greatest(d.day - 3, 1) AND d.day + 3 THEN 1 ELSE 0 END) AS on_day,
        max(CASE WHEN h.bdate - h.first_order BETWEEN 1 AND d.day THEN 1 ELSE 0 END) AS within,
        max(CASE WHEN h.bdate - h.first_order >= d.day THEN 1 ELSE 0 END) AS from_day
    FROM histories AS h
    CROSS JOIN days AS d
    WHERE h.bdate < $as_of
    GROUP BY d.day, h.first_order, h.customer_key
),
cohorts AS (
    SELECT
        CAST(date_trunc('month', first_order) AS DATE) AS cohort,
        day,
        count(*) AS everybody,
        count(*) FILTER (WHERE $as_of - first_order > day) AS customers,
        count(*) FILTER (WHERE $as_of - first_order > day + 3) AS older,
        sum(on_day) FILTER (WHERE $as_of - first_order > day + 3) AS on_day,
        sum(within) FILTER (WHERE $as_of - first_order > day) AS within,
        sum(from_day) FILTER (WHERE $as_of - first_order > day) AS from_day
    FROM customers
    GROUP BY 1, day
)
SELECT
    cohort,
    CAST(day AS INT) AS day,
    customers,
    on_day,
    within,
    from_day,
    CAST(on_day AS DOUBLE) / nullif(older, 0) AS on_day_share,
    CAST(within AS DOUBLE) / nullif(customers, 0) AS within_share,
    CAST(from_day AS DOUBLE) / nullif(customers, 0) AS from_day_share,
    older = everybody AS complete
FROM cohorts
ORDER BY cohort, day
