/* matins
description: >
  One row per month: who was a customer at its start, who was lost in it, and who came back. A customer is lost when silent for
  longer than `lost_after` days.
rules:
  - "`lost_after` is that of `segment.rhythm` at `$as_of` in whole days: the ninth decile of the gaps between purchase days, kept
    between 30 and 365. It is used for all months, so they compare with each other."
  - A customer who was lost and came back within one month counts in both.
  - A month that is not over has no losses and nobody who came back.
columns:
  lost_after: days of silence that mean loss
  active_at_start: customers not lost, on the month's first morning
  lost_at_start: customers lost, on the month's first morning
  arrived: customers whose first valid order lies in the month
  newly_lost: customers whose silence passed `lost_after` in the month
  returned: lost customers with a valid order in the month
  won_back: of those, the ones who were lost when the month began
key: [month]
closed: month
checks:
  - name: active at the next start = active at start - newly lost + arrived + returned
    query: >
      SELECT month
      FROM (
          SELECT
              month, provisional,
              lead(active_at_start) OVER (ORDER BY month) AS active_after,
              active_at_start - newly_lost + arrived + returned AS explained
          FROM churn.months
      ) AS pairs
      WHERE NOT provisional AND active_after IS NOT NULL AND active_after IS DISTINCT FROM explained
*/
WITH rhythm AS (
    SELECT CAST(floor(lost_after) AS INT) AS lost_after
    FROM segment.rhythm
    WHERE as_of = $as_of
),
silences AS (
    SELECT
        bdate,
        previous_day IS NULL AS is_first,
        coalesce(next_day, $as_of) AS until,
        next_day IS NOT NULL AS came_back
    FROM core.purchase_days
),
-- The month in which the silence passes the limit: on its first morning the customer is no longer active.
losses AS (
    SELECT
        CAST(date_trunc('month', s.bdate + r.lost_after) AS DATE) AS lost_in,
        CASE WHEN s.came_back THEN CAST(date_trunc('month', s.until) AS DATE) END AS back_in,
        count(*) AS customers
    FROM silences AS s
    CROSS JOIN rhythm AS r
    WHERE s.until - s.bdate > r.lost_after
    GROUP BY 1, 2
),
arrivals AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, count(*) AS customers
    FROM silences
    WHERE is_first
    GROUP BY 1
),
lost_in AS (
    SELECT lost_in AS month, sum(customers) AS customers
    FROM losses
    GROUP BY lost_in
),
back_in AS (
    SELECT back_in AS month, sum(customers) AS customers, sum(customers) FILTER (WHERE lost_in < back_in) AS won_back
    FROM losses
    WHERE back_in IS NOT NULL
    GROUP BY back_in
),
changes AS (
    SELECT
        m.month,
        m.provisional,
        coalesce(a.customers, 0) AS arrived,
        coalesce(l.customers, 0) AS newly_lost,
        coalesce(b.customers, 0) AS returned,
        coalesce(b.won_back, 0) AS won_back
    FROM core.months AS m
    LEFT JOIN arrivals AS a ON a.month = m.month
    LEFT JOIN lost_in AS l ON l.month = m.month
    LEFT JOIN back_in AS b ON b.month = m.month
),
totals AS (
    SELECT
        *,
        sum(arrived + returned - newly_lost) OVER (ORDER BY month) AS active_after,
        sum(newly_lost - returned) OVER (ORDER BY month) AS lost_after_month
    FROM changes
)
SELECT
    t.month,
    r.lost_after,
    CAST(t.active_after - (t.arrived + t.returned - t.newly_lost) AS BIGINT) AS active_at_start,
    CAST(t.lost_after_month - (t.newly_lost - t.returned) AS BIGINT) AS lost_at_start,
    CAST(t.arrived AS BIGINT) AS arrived,
    CASE WHEN NOT t.provisional THEN CAST(t.newly_lost AS BIGINT) END AS newly_lost,
    CASE WHEN NOT t.provisional THEN CAST(t.returned AS BIGINT) END AS returned,
    CASE WHEN NOT t.provisional THEN CAST(t.won_back AS BIGINT) END AS won_back,
    t.provisional
FROM totals AS t
CROSS JOIN rhythm AS r
ORDER BY t.month
