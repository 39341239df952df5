/* matins
description: >
  One row per month: how long it takes to resolve half of the tickets opened in it, those included that are still open at
  `$as_of` and have waited so long already (Kaplan–Meier).
formula: "the smallest t with S(t) ≤ 0.5, S(t) = Π (1 − resolved after t ÷ watched for at least t)"
rules:
  - By the month of opening, so the latest months go on changing while their tickets are resolved. `kpi.resolution_time` is of
    those resolved in the month, and so of none that stays open.
  - Tickets resolved on a known day at an unknown moment are not in it.
  - NULL while fewer than half are resolved.
reference: "Kaplan & Meier 1958, JASA 53:457"
columns:
  value: hours
  numerator: NULL, since a median is no share
  denominator: NULL, since a median is no share
  n: tickets opened in the month, of a known time
  low: NULL, since a median is no share
  high: NULL, since a median is no share
key: [period]
*/
WITH lengths AS (
    SELECT
        month,
        coalesce(resolution_hours, age_hours) AS t,
        count(resolution_hours) AS d,
        count(*) AS tickets
    FROM service.tickets
    WHERE resolution_hours IS NOT NULL OR age_hours IS NOT NULL
    GROUP BY month, coalesce(resolution_hours, age_hours)
),
risks AS (
    SELECT
        month,
        t,
        d,
        sum(tickets) OVER (PARTITION BY month ORDER BY t DESC) AS n,
        sum(tickets) OVER (PARTITION BY month) AS watched
    FROM lengths
),
curves AS (
    SELECT
        month,
        t,
        watched,
        d = n AS none_left,
        sum(CASE WHEN d < n THEN ln(1 - CAST(d AS DOUBLE) / CAST(n AS DOUBLE)) END) OVER (PARTITION BY month ORDER BY t) AS log_s
    FROM risks
),
-- A half that is reached exactly is reached, whatever its last digit.
halves AS (
    SELECT
        month,
        CAST(max(watched) AS BIGINT) AS watched,
        min(t) FILTER (WHERE none_left OR log_s <= ln(0.5) + 1e-9) AS median
    FROM curves
    GROUP BY month
)
SELECT
    m.month AS period,
    h.median AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    coalesce(h.watched, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM service.months AS m
LEFT JOIN halves AS h ON h.month = m.month
ORDER BY period
