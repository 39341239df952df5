/* matins
description: >
  One row per curve, length and end: how long customers were watched until something happened to them, or until `$as_of`.
rules:
  - "`second order`: from the first purchase day to the second, in days; who has not come back is watched until `$as_of`."
  - "`loss`: from the first purchase day to the last, in days, for a customer silent for longer than `lost_after`; the others are
    customers still and watched until `$as_of`."
  - "`lost_after` is churn's: the ninth decile of the gaps between purchase days, kept between 30 and 365, in whole days; 365 where nobody
    came back. It is reckoned here as `segment.rhythm` does at `$as_of`, so that this pack needs no other."
columns:
  t: days
  event: 1 when it happened after t days, 0 when the customer was watched for t days and it had not
  customers: how many
  lost_after: days of silence that mean loss; NULL of `second order`
key: [curve, t, event]
closed: month
*/
-- Rounded as in `segment.rhythm`, before whole days are taken.
WITH rhythm AS (
    SELECT
        CAST(floor(greatest(least(coalesce(
            round(percentile_cont(0.9) WITHIN GROUP (ORDER BY CAST(bdate - previous_day AS DOUBLE)), 3), 365.0
        ), 365.0), 30.0)) AS BIGINT) AS lost_after
    FROM core.purchase_days
    WHERE previous_day IS NOT NULL
),
customers AS (
    SELECT customer_key, first_day, max(bdate) AS last_day, min(next_day) AS second_day
    FROM core.purchase_days
    GROUP BY customer_key, first_day
),
lives AS (
    SELECT
        'second order' AS curve,
        coalesce(second_day, $as_of) - first_day AS t,
        CASE WHEN second_day IS NULL THEN 0 ELSE 1 END AS event,
        CAST(NULL AS BIGINT) AS lost_after
    FROM customers
    UNION ALL
    SELECT
        'loss' AS curve,
        CASE WHEN $as_of - c.last_day > r.lost_after THEN c.last_day ELSE $as_of END - c.first_day AS t,
        CASE WHEN $as_of - c.last_day > r.lost_after THEN 1 ELSE 0 END AS event,
        r.lost_after
    FROM customers AS c
    CROSS JOIN rhythm AS r
)
SELECT curve, CAST(t AS BIGINT) AS t, CAST(event AS BIGINT) AS event, count(*) AS customers, lost_after
FROM lives
GROUP BY curve, t, event, lost_after
