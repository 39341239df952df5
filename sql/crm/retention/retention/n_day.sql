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
closed: month
checks:
  - expression: "on_day <= customers AND within <= customers AND from_day <= customers"
*/
WITH days AS (
    SELECT unnest([7, 30, 60, 90, 180, 365]) AS day
),
-- Each customer counts once: at the first day, at the first purchase between the bounds, at the second day, and at the last.
first_days AS (
    SELECT
        p.first_day,
        d.day,
        count(*) FILTER (WHERE p.previous_day IS NULL) AS customers,
        count(*) FILTER (
            WHERE p.bdate - p.first_day BETWEEN d.day - 3 AND d.day + 3
                AND p.previous_day - p.first_day < d.day - 3
        ) AS on_day,
        count(*) FILTER (WHERE p.previous_day = p.first_day AND p.bdate - p.first_day <= d.day) AS within,
        count(*) FILTER (WHERE p.next_day IS NULL AND p.bdate - p.first_day >= d.day) AS from_day
    FROM days AS d
    CROSS JOIN core.purchase_days AS p
    GROUP BY p.first_day, d.day
),
cohorts AS (
    SELECT
        CAST(date_trunc('month', f.first_day) AS DATE) AS cohort,
        f.day,
        CAST(sum(f.customers) AS BIGINT) AS everybody,
        CAST(coalesce(sum(f.customers) FILTER (WHERE $as_of - f.first_day > f.day), 0) AS BIGINT) AS customers,
        CAST(coalesce(sum(f.customers) FILTER (WHERE $as_of - f.first_day > f.day + 3), 0) AS BIGINT) AS older,
        CAST(sum(f.on_day) FILTER (WHERE $as_of - f.first_day > f.day + 3) AS BIGINT) AS on_day,
        CAST(sum(f.within) FILTER (WHERE $as_of - f.first_day > f.day) AS BIGINT) AS within,
        CAST(sum(f.from_day) FILTER (WHERE $as_of - f.first_day > f.day) AS BIGINT) AS from_day
    FROM first_days AS f
    GROUP BY 1, f.day
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
