/* matins
description: >
  One row per month from the first valid order, refunded in full or not, to the month of the last day before `$as_of`, with or
  without orders, so that a month in which nothing happened is a zero and not a gap.
columns:
  next_month: the first day of the month after
  provisional: whether the month was not over at `$as_of`
key: [month]
*/
WITH calendar AS (
    SELECT
        unnest(generate_series(
            CAST(date_trunc('month', min(bdate)) AS DATE),
            CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
            INTERVAL '1 month'
        )) AS month
    FROM core.orders
    WHERE valid AND customer_key IS NOT NULL AND bdate < $as_of
)
SELECT
    month,
    CAST(month + INTERVAL '1 month' AS DATE) AS next_month,
    month >= date_trunc('month', $as_of) AS provisional
FROM calendar
ORDER BY month
