/* matins
description: >
  One row per month: how long customers waited. First answers are of the tickets opened in the month, resolutions of those resolved in
  it.
rules:
  - Quantiles are continuous (type 7). Tickets that nobody has answered yet are counted, and in no mean.
columns:
  opened: tickets opened in the month
  answered: of those, answered by `$as_of`
  awaiting: of those, not answered and still open
  first_reply_mean: hours
  first_reply_median: hours
  first_reply_p90: hours
  first_reply_working_median: working hours
  first_reply_working_p90: working hours
  resolved: tickets resolved in the month
  timed: of those, with a known moment; the resolution times are theirs
  resolution_mean: hours
  resolution_median: hours
  resolution_p90: hours
  open_at_end: tickets open when the month ended, or at `$as_of` when it is not over
key: [month]
checks:
  - expression: "answered + awaiting <= opened"
*/
WITH replies AS (
    SELECT
        month,
        count(*) AS opened,
        count(first_reply_hours) AS answered,
        count(*) FILTER (WHERE first_reply_hours IS NULL AND resolved_month IS NULL) AS awaiting,
        avg(first_reply_hours) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY first_reply_hours) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY first_reply_hours) AS p90,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY first_reply_working_hours) AS working_median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY first_reply_working_hours) AS working_p90
    FROM service.tickets
    GROUP BY month
),
resolutions AS (
    SELECT
        resolved_month AS month,
        count(*) AS resolved,
        count(resolution_hours) AS timed,
        avg(resolution_hours) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY resolution_hours) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY resolution_hours) AS p90
    FROM service.tickets
    WHERE resolved_month IS NOT NULL
    GROUP BY resolved_month
)
SELECT
    m.month,
    coalesce(o.opened, 0) AS opened,
    coalesce(o.answered, 0) AS answered,
    coalesce(o.awaiting, 0) AS awaiting,
    o.mean AS first_reply_mean,
    o.median AS first_reply_median,
    o.p90 AS first_reply_p90,
    o.working_median AS first_reply_working_median,
    o.working_p90 AS first_reply_working_p90,
    coalesce(r.resolved, 0) AS resolved,
    coalesce(r.timed, 0) AS timed,
    r.mean AS resolution_mean,
    r.median AS resolution_median,
    r.p90 AS resolution_p90,
    CAST(sum(coalesce(o.opened, 0) - coalesce(r.resolved, 0)) OVER (ORDER BY m.month) AS BIGINT) AS open_at_end,
    m.provisional
FROM service.months AS m
LEFT JOIN replies AS o ON o.month = m.month
LEFT JOIN resolutions AS r ON r.month = m.month
ORDER BY m.month
