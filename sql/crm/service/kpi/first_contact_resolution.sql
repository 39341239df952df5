/* matins
description: >
  One row per month: of the tickets resolved in it, the share resolved at the first contact (FCR).
rules:
  - A ticket of the same customer on the same topic within `recontact_days` (7) of the resolution means that the first did not
    resolve it, and so does being opened again within `reopen_days` (14).
  - A month is provisional until its last day lies the longer of the two back.
columns:
  numerator: of those, resolved with one contact, not opened again, and not followed by another in the days
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
        count(*) FILTER (
            WHERE contacts = 1
                AND NOT (reopened AND coalesce(reopened_on <= resolved_on + $reopen_days, TRUE))
                AND coalesce(again_on > resolved_on + $recontact_days, TRUE)
        ) AS k
    FROM service.tickets
    WHERE resolved_month IS NOT NULL
    GROUP BY resolved_month
),
shares AS (
    SELECT
        m.month,
        m.next_month + greatest($reopen_days, $recontact_days) > $as_of AS provisional,
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
