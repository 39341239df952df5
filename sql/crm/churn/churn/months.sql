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
-- From a purchase day to the next: customers of the same two days are one row, so that all the rest looks at few.
silences AS (
    SELECT bdate, next_day, count(*) AS customers, count(*) FILTER (WHERE previous_day IS NULL) AS arrived
    FROM core.purchase_days
    GROUP BY bdate, next_day
),
-- In `lost_in` the silence passes the limit: on that month's first morning the customer is still active, on the next one's no longer.
moves AS (
    SELECT
        date_trunc('month', s.bdate) AS arrived_in,
        CASE WHEN coalesce(s.next_day, $as_of) - s.bdate > r.lost_after THEN date_trunc('month', s.bdate + r.lost_after) END AS lost_in,
        CASE WHEN s.next_day - s.bdate > r.lost_after THEN date_trunc('month', s.next_day) END AS back_in,
        sum(s.customers) AS customers,
        sum(s.arrived) AS arrived
    FROM rhythm AS r
    CROSS JOIN silences AS s
    GROUP BY 1, 2, 3
),
changes AS (
    SELECT
        m.month,
        m.provisional,
        coalesce(sum(v.arrived) FILTER (WHERE v.arrived_in = m.month), 0) AS arrived,
        coalesce(sum(v.customers) FILTER (WHERE v.lost_in = m.month), 0) AS newly_lost,
        coalesce(sum(v.customers) FILTER (WHERE v.back_in = m.month), 0) AS returned,
        coalesce(sum(v.customers) FILTER (WHERE v.back_in = m.month AND v.lost_in < v.back_in), 0) AS won_back
    FROM core.months AS m
    LEFT JOIN moves AS v ON m.month IN (v.arrived_in, v.lost_in, v.back_in)
    GROUP BY m.month, m.provisional
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
