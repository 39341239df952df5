/* matins
description: One row per customer and month with at least one valid order before `$as_of`.
columns:
  orders: valid orders in the month
  net: as originated, so refunds lie in the month of their order
  orders_to_date: valid orders up to and including the month
  first_month: the month of the customer's first valid order
  previous_month: the customer's last active month before this one
  previous_net: what the customer brought in that month
  next_month: the customer's next active month
key: [customer_key, month]
*/
WITH active_months AS (
    -- Not the column `month`: that rows in the order of their days are in that of their months, the engine knows of a function.
    SELECT
        customer_key,
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        count(*) AS orders,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net
    FROM core.valid_orders
    GROUP BY 1, 2
)
SELECT
    customer_key,
    month,
    orders,
    net,
    sum(orders) OVER history AS orders_to_date,
    min(month) OVER history AS first_month,
    lag(month) OVER history AS previous_month,
    lag(net) OVER history AS previous_net,
    lead(month) OVER history AS next_month
FROM active_months
WINDOW history AS (PARTITION BY customer_key ORDER BY month)
