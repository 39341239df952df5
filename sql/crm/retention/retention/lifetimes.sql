/* matins
description: >
  One row per curve, length and end: how long customers were watched until something happened to them, or until `$as_of`.
rules:
  - "`second order`: from the first purchase day to the second, in days; who has not come back is watched until `$as_of`."
  - "`loss`: from the first purchase day to the last, in days, for a customer silent for more than 180 days; the others are
    customers still and watched until `$as_of`."
columns:
  t: days
  event: 1 when it happened after t days, 0 when the customer was watched for t days and it had not
  customers: how many
key: [curve, t, event]
*/
WITH customers AS (
    SELECT customer_key, first_day, max(bdate) AS last_day, min(next_day) AS second_day
    FROM core.purchase_days
    GROUP BY customer_key, first_day
),
lives AS (
    SELECT
        'second order' AS curve,
        coalesce(second_day, $as_of) - first_day AS t,
        CASE WHEN second_day IS NULL THEN 0 ELSE 1 END AS event
    FROM customers
    UNION ALL
    SELECT
        'loss' AS curve,
        CASE WHEN $as_of - last_day > 180 THEN last_day ELSE $as_of END - first_day AS t,
        CASE WHEN $as_of - last_day > 180 THEN 1 ELSE 0 END AS event
    FROM customers
)
SELECT curve, CAST(t AS BIGINT) AS t, CAST(event AS BIGINT) AS event, count(*) AS customers
FROM lives
GROUP BY curve, t, event
