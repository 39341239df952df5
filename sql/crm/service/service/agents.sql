/* matins
description: >
  One row per person who handles tickets, with 30 tickets or more resolved in the three months before `$as_of`: how soon and how lastingly
  they were resolved, beside all others of the time.
grain: one row per agent
rules:
  - Of a team of less than 5 such people there are no rows, since a figure of one is a judgement of a person.
  - A ticket is its agent's by what the source says last; who else worked on it is not known.
  - Different people get different tickets. Standing out means that Wilson's interval of a share does not hold the share of all; one in
    twenty does by chance. It is a question to ask, not an answer.
  - The three months end where tickets have had `reopen_days` (14 unless the pipeline says otherwise) to be opened again.
reference: "ISO 18295-1:2017, customer contact centres"
columns:
  agent: as the source has it
  resolved: tickets resolved in the time
  resolution_median: hours, of those whose moment is known
  reopened_share: of resolved, opened again within the days
  reopened_low: lower bound of the 95 % Wilson interval
  reopened_high: upper bound of the 95 % Wilson interval
  reopened_of_all: the share of everybody's tickets in the time
  stands_out: more or less than the share of all; NULL where it is not clear
key: [agent]
checks:
  - expression: "reopened_low <= reopened_share AND reopened_share <= reopened_high"
*/
WITH resolved AS (
    SELECT
        t.agent,
        s.resolution_hours,
        s.reopened AND coalesce(s.reopened_on <= s.resolved_on + $reopen_days, TRUE) AS again
    FROM service.tickets AS s
    INNER JOIN core.tickets AS t ON t.ticket_id = s.ticket_id
    WHERE s.resolved_on + $reopen_days < $as_of
        AND s.resolved_on >= CAST($as_of - INTERVAL '3 months' AS DATE) - $reopen_days
),
totals AS (
    SELECT CAST(count(*) FILTER (WHERE again) AS DOUBLE) / count(*) AS share
    FROM resolved
),
agents AS (
    SELECT
        agent,
        count(*) AS n,
        count(*) FILTER (WHERE again) AS k,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY resolution_hours) AS resolution_median
    FROM resolved
    WHERE agent IS NOT NULL
    GROUP BY agent
    HAVING count(*) >= 30
),
shares AS (
    SELECT
        *,
        CAST(k AS DOUBLE) / n AS share,
        wilson_low(k, n) AS low,
        wilson_high(k, n) AS high,
        count(*) OVER () AS team
    FROM agents
)
SELECT
    s.agent,
    s.n AS resolved,
    s.resolution_median,
    s.share AS reopened_share,
    s.low AS reopened_low,
    s.high AS reopened_high,
    t.share AS reopened_of_all,
    CASE WHEN s.low > t.share THEN 'more' WHEN s.high < t.share THEN 'less' END AS stands_out
FROM shares AS s
CROSS JOIN totals AS t
WHERE s.team >= 5
ORDER BY s.agent
