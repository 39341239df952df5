/* matins
description: >
  One row per month: of the tickets resolved in it, the share that was opened again within `reopen_days` (14 unless the pipeline
  says otherwise).
formula: "opened again in time ÷ resolved"
rules:
  - A month is provisional until its last day lies that many days back, since a ticket resolved lately may still be opened again.
  - Where a source says that a ticket was opened again and not when, it counts; so does one opened again before its last resolution.
columns:
  numerator: of those, opened again within the days
  denominator: tickets resolved in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH tallies AS (
    SELECT
        resolved_month AS month,
        count(*) AS n,
        count(*) FILTER (WHERE reopened AND coalesce(reopened_on <= resolved_on + $reopen_days, TRUE)) AS k
    FROM service.tickets
    WHERE resolved_month IS NOT NULL
    GROUP BY resolved_month
),
shares AS (
    SELECT
        m.month,
        m.next_month + $reopen_days > $as_of AS provisional,
        coalesce(t.k, 0) AS k,
        coalesce(t.n, 0) AS n,
        CAST(t.k AS DOUBLE) AS hits,
        CAST(t.n AS DOUBLE) AS trials
    FROM service.months AS m
    LEFT JOIN tallies AS t ON t.month = m.month
)
SELECT
    month AS period,
    hits / trials AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(hits, trials) AS low,
    wilson_high(hits, trials) AS high,
    provisional
FROM shares
ORDER BY period
