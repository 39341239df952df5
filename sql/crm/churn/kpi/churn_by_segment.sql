/* matins
description: >
  One row per month and segment of the company's own: of its customers not lost when the month began, the share whose silence passed
  the limit in it, as in `kpi.churn`.
formula: "newly lost ÷ active at the start"
rules:
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
key: [period, dimension]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH rhythm AS (
    SELECT CAST(floor(lost_after) AS INT) AS lost_after
    FROM segment.rhythm
    WHERE as_of = $as_of
),
silences AS (
    SELECT
        coalesce(c.segment, 'unknown') AS segment,
        p.bdate,
        p.next_day,
        p.bdate + r.lost_after AS limit_on,
        count(*) AS customers
    FROM core.purchase_days AS p
    CROSS JOIN rhythm AS r
    LEFT JOIN core.customers AS c ON c.customer_key = p.customer_key
    GROUP BY 1, 2, 3, 4
),
-- A customer is there by the last purchase day before the month, and lost when the day of the limit passes without another.
counts AS (
    SELECT
        m.month,
        s.segment,
        CAST(sum(s.customers) AS BIGINT) AS n,
        CAST(coalesce(sum(s.customers) FILTER (
            WHERE s.limit_on < m.next_month AND coalesce(s.next_day, $as_of) > s.limit_on
        ), 0) AS BIGINT) AS k
    FROM core.months AS m
    INNER JOIN silences AS s
        ON s.bdate < m.month AND s.limit_on >= m.month AND (s.next_day IS NULL OR s.next_day >= m.month)
    WHERE NOT m.provisional
    GROUP BY m.month, s.segment
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
        CAST(sum(n) AS BIGINT) AS n,
        CAST(sum(k) AS BIGINT) AS k
    FROM sizes
    GROUP BY 1, 2
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
    FALSE AS provisional
FROM told
ORDER BY period, dimension
