/* matins
description: >
  One row per month from the first event of a ticket to the month of the last day before `$as_of`: tickets open when it ended, or at
  `$as_of` when it is not over, by the log of their events.
rules:
  - A ticket is open from any event but `resolved` and `closed` to the next of those. One that was resolved, opened again and resolved
    once more was open twice; a table that keeps its last resolution only makes it open all the time, and one that keeps its first
    loses it in between.
columns:
  open_at_end: tickets
  open_again: of those, opened again after they were resolved
  oldest_days: since the first event of the oldest of them
key: [month]
checks:
  - expression: "open_again <= open_at_end"
*/
WITH log AS (
    SELECT
        ticket_id,
        event,
        bdate,
        lead(bdate) OVER (PARTITION BY ticket_id ORDER BY event_no) AS until,
        min(bdate) OVER (PARTITION BY ticket_id) AS first_on,
        max(CASE WHEN event = 'reopened' THEN 1 ELSE 0 END) OVER (
            PARTITION BY ticket_id ORDER BY event_no ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS again
    FROM core.ticket_events
    WHERE bdate < $as_of
),
calendar AS (
    SELECT unnest(generate_series(
        CAST(date_trunc('month', min(bdate)) AS DATE),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM log
),
months AS (
    SELECT
        month,
        least(CAST(month + INTERVAL '1 month' AS DATE), CAST($as_of AS DATE)) AS ends_on,
        month >= date_trunc('month', $as_of) AS provisional
    FROM calendar
),
counts AS (
    SELECT m.month, count(*) AS open, sum(l.again) AS again, max(m.ends_on - l.first_on) AS oldest_days
    FROM months AS m
    INNER JOIN log AS l ON l.bdate < m.ends_on AND (l.until IS NULL OR l.until >= m.ends_on)
    WHERE l.event NOT IN ('resolved', 'closed')
    GROUP BY m.month
)
SELECT
    m.month,
    coalesce(c.open, 0) AS open_at_end,
    CAST(coalesce(c.again, 0) AS BIGINT) AS open_again,
    CAST(c.oldest_days AS BIGINT) AS oldest_days,
    m.provisional
FROM months AS m
LEFT JOIN counts AS c ON c.month = m.month
ORDER BY m.month
