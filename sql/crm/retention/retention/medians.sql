/* matins
description: >
  One row per curve of `retention.survival`: how many were watched, to how many it happened, and after how long to half of them.
columns:
  events: to whom it happened
  median: the smallest length at which survival is at most one half; NULL when it never falls so far
key: [curve]
*/
WITH watched AS (
    SELECT
        curve,
        CAST(sum(customers) AS BIGINT) AS customers,
        CAST(coalesce(sum(customers) FILTER (WHERE event = 1), 0) AS BIGINT) AS events
    FROM retention.lifetimes
    GROUP BY curve
),
-- A half that is reached exactly is reached, whatever its last digit.
halves AS (
    SELECT curve, min(t) AS median
    FROM retention.survival
    WHERE survival <= 0.5 + 1e-9
    GROUP BY curve
)
SELECT w.curve, w.customers, w.events, h.median
FROM watched AS w
LEFT JOIN halves AS h ON h.curve = w.curve
ORDER BY w.curve
