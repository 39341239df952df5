/* matins
description: >
  One row per customer and day with a valid order before `$as_of`, beside the days before and after it: what retention, churn and
  rhythms are read from.
columns:
  orders: valid orders of the day
  net: as originated, so refunds lie on the day of their order
  first_day: the customer's first purchase day
  previous_day: the purchase day before this one; NULL on the first
  next_day: the purchase day after this one; NULL on the last
  days: purchase days of the customer
key: [customer_key, bdate]
*/
WITH purchase_days AS (
    SELECT customer_key, bdate, count(*) AS orders, CAST(sum(net) AS DECIMAL(18, 4)) AS net
    FROM core.valid_orders
    GROUP BY customer_key, bdate
)
SELECT
    customer_key,
    bdate,
    orders,
    net,
    min(bdate) OVER history AS first_day,
    lag(bdate) OVER history AS previous_day,
    lead(bdate) OVER history AS next_day,
    count(*) OVER (PARTITION BY customer_key) AS days
FROM purchase_days
WINDOW history AS (PARTITION BY customer_key ORDER BY bdate)
