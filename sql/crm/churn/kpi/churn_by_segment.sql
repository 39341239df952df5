/* matins
description: >
  One row per month and segment of the company's own: of its customers not lost when the month began, the share whose silence passed
  the limit in it, as in `kpi.churn`, but by the segment's own limit where it has enough purchases to tell.
formula: "newly lost ÷ active at the start"
rules:
  - A segment of 200 gaps between purchase days or more has a limit of its own, reckoned from them as that of `segment.rhythm` is from
    everybody's; the others have everybody's. So a segment may lose more or fewer than its part of `kpi.churn`.
  - The segment is the one a customer has now; who has none, or is not in the register, is `unknown`.
  - Segments of less than 5 customers at the start are one, `few`, with the next smallest where they are still less than 5 together. A
    month of less than 5 customers has no rows, and neither has one that is not over.
columns:
  dimension: the segment
  numerator: customers whose silence passed the limit in the month
  denominator: customers not lost when the month began
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
  lost_after: days of silence that mean loss in the segment; NULL of `few`, where each has its own
key: [period, dimension]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH rhythm AS (
    SELECT CAST(floor(lost_after) AS INT) AS lost_after
    FROM segment.rhythm
    WHERE as_of = $as_of
),
-- Millions of days are grouped by the number of a segment, which is shorter than its name; 0 is unknown.
segments AS (
    SELECT segment, CAST(row_number() OVER (ORDER BY segment) AS BIGINT) AS number
    FROM (SELECT DISTINCT segment FROM core.customers WHERE segment <> 'unknown') AS names
),
members AS (
    SELECT c.customer_key, s.number
    FROM segments AS s
    INNER JOIN core.customers AS c ON c.segment = s.segment
),
-- From a purchase day to the next, if there is one: each gap between two once. No reader of it leaves rows out before grouping them,
-- or the engine would make it once for each.
spans AS (
    SELECT coalesce(m.number, 0) AS number, p.bdate, p.next_day, count(*) AS customers
    FROM members AS m
    RIGHT JOIN core.purchase_days AS p ON p.customer_key = m.customer_key
    GROUP BY m.number, p.bdate, p.next_day
),
gaps AS (
    SELECT number, next_day - bdate AS gap, sum(customers) FILTER (WHERE next_day IS NOT NULL) AS n
    FROM spans
    GROUP BY 1, 2
),
-- The last place of a segment is that of its days without a next one, which add nothing.
places AS (
    SELECT
        number,
        gap,
        sum(n) OVER (PARTITION BY number ORDER BY gap) AS through,
        sum(n) OVER (PARTITION BY number) AS gaps,
        0.9 * (sum(n) OVER (PARTITION BY number) - 1) AS place
    FROM gaps
),
deciles AS (
    SELECT
        number,
        max(place) AS place,
        CAST(min(gap) FILTER (WHERE through > floor(place)) AS DOUBLE) AS below,
        CAST(min(gap) FILTER (WHERE through > ceil(place)) AS DOUBLE) AS above
    FROM places
    WHERE gaps >= 200
    GROUP BY number
),
own_rhythms AS (
    SELECT
        number,
        CAST(floor(greatest(least(round(below + (place - floor(place)) * (above - below), 3), 365.0), 30.0)) AS INT) AS lost_after
    FROM deciles
),
limits AS (
    SELECT
        d.number,
        d.bdate,
        d.next_day,
        d.customers,
        coalesce(o.lost_after, r.lost_after) AS lost_after,
        d.bdate + coalesce(o.lost_after, r.lost_after) AS limit_on
    FROM rhythm AS r
    CROSS JOIN spans AS d
    LEFT JOIN own_rhythms AS o ON o.number = d.number
),
-- Months are all that is asked of these days, so those of the same months are one.
silences AS (
    SELECT
        number,
        lost_after,
        date_trunc('month', bdate) AS bought_in,
        date_trunc('month', next_day) AS next_in,
        date_trunc('month', limit_on) AS limit_in,
        coalesce(next_day, $as_of) > limit_on AS passes,
        sum(customers) AS customers
    FROM limits
    GROUP BY 1, 2, 3, 4, 5, 6
),
-- A customer is there by the last purchase day before the month, and lost when the day of the limit passes without another.
tallies AS (
    SELECT
        m.month,
        s.number,
        s.lost_after,
        CAST(sum(s.customers) AS BIGINT) AS n,
        CAST(coalesce(sum(s.customers) FILTER (WHERE s.limit_in < m.next_month AND s.passes), 0) AS BIGINT) AS k
    FROM core.months AS m
    INNER JOIN silences AS s
        ON s.bought_in < m.month AND s.limit_in >= m.month AND (s.next_in IS NULL OR s.next_in >= m.month)
    WHERE NOT m.provisional
    GROUP BY m.month, s.number, s.lost_after
),
counts AS (
    SELECT t.month, coalesce(s.segment, 'unknown') AS segment, t.lost_after, t.n, t.k
    FROM tallies AS t
    LEFT JOIN segments AS s ON s.number = t.number
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(n) OVER (
            PARTITION BY month ORDER BY n, segment ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM counts
),
told AS (
    SELECT
        month,
        CASE WHEN n < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE segment END AS segment,
        CASE WHEN n < 5 OR smaller BETWEEN 1 AND 4 THEN NULL ELSE lost_after END AS lost_after,
        CAST(sum(n) AS BIGINT) AS n,
        CAST(sum(k) AS BIGINT) AS k
    FROM sizes
    GROUP BY 1, 2, 3
    HAVING sum(n) >= 5
)
SELECT
    month AS period,
    segment AS dimension,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    FALSE AS provisional,
    lost_after
FROM told
ORDER BY period, dimension
