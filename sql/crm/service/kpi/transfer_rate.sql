/* matins
description: >
  One row per month: of the tickets resolved in it, the share that was handed from one person or team to another on the way, by the log
  of their events.
formula: "tickets with a transfer ÷ tickets resolved"
grain: one row per month
rules:
  - A ticket handed on twice counts once. A transfer counts whenever it was before `$as_of`, also one after a resolution that did not last.
  - Tickets of which the log has no event at all are not counted, since nobody can say whether they were handed on.
reference: "ISO 18295-1:2017, customer contact centres; HDI, on escalation"
columns:
  numerator: of those, transferred at least once
  denominator: tickets resolved in the month that the log knows
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH logged AS (
    SELECT ticket_id, bool_or(event = 'transferred') AS transferred
    FROM core.ticket_events
    WHERE bdate < $as_of
    GROUP BY ticket_id
),
tallies AS (
    SELECT t.resolved_month AS month, count(*) AS n, count(*) FILTER (WHERE l.transferred) AS k
    FROM service.tickets AS t
    INNER JOIN logged AS l ON l.ticket_id = t.ticket_id
    WHERE t.resolved_month IS NOT NULL
    GROUP BY t.resolved_month
)
SELECT
    m.month AS period,
    CAST(t.k AS DOUBLE) / t.n AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    m.provisional
FROM service.months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
