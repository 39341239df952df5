/* matins
description: >
  One row per month: the share of tickets resolved in time, of those resolved or past due. A ticket counts in the month of
  its verdict: when it was resolved or, if that came first, when it fell due. One still open within its time has none yet. Where
  the source says nothing of due times, its own word counts (`sla_met`).
rules:
  - A ticket of which neither is known, no due time and no word of the source, cannot be judged and is left out of both counts.
  - Where only the day of the resolution is known, and the source has no word on it, it is held against the day of the due time.
columns:
  numerator: tickets resolved in time
  denominator: tickets with a verdict
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH verdicts AS (
    SELECT
        CAST(date_trunc('month', coalesce(least(coalesce(resolved_on, due_on), due_on), resolved_on, bdate)) AS DATE)
            AS month,
        coalesce(resolved_at <= due_at, sla_met, resolved_on <= due_on, FALSE) AS met
    FROM core.tickets
    WHERE bdate < $as_of
        AND (due_on IS NOT NULL OR sla_met IS NOT NULL)
        AND (resolved_on < $as_of OR due_on < $as_of OR coalesce(resolved_on, due_on) IS NULL)
),
tallies AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE met) AS k
    FROM verdicts
    GROUP BY month
),
shares AS (
    SELECT
        m.month,
        m.provisional,
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
