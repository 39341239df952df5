/* matins
description: >
  One row per customer with a valid order before `$as_of`: what purchase models read, and what the customer has brought so
  far.
rules:
  - A purchase is a day with a valid order; the first one is where the time begins, and no repeat.
  - Margin is net less the cost of the goods. It is NULL for a customer with an order whose cost is not known.
reference: "Fader, Hardie & Lee 2005, Marketing Science 24:275, for x, t_x and t"
columns:
  x: repeat purchase days
  t_x: weeks from the first to the last purchase day
  t: weeks from the first purchase day to `$as_of`
  repeat_mean: mean net of repeat purchase days; NULL without any
  net: to date, as originated
  margin: to date
  net_compounded: net to date, each order's at 10 % a year from its day to `$as_of`
key: [customer_key]
*/
WITH purchase_days AS (
    SELECT
        v.customer_key,
        v.bdate,
        sum(v.net) AS net,
        sum(o.cost) AS cost,
        count(*) - count(o.cost) AS without_cost
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    WHERE v.bdate < $as_of
    GROUP BY v.customer_key, v.bdate
),
histories AS (
    SELECT
        customer_key,
        bdate,
        net,
        cost,
        without_cost,
        min(bdate) OVER (PARTITION BY customer_key) AS first_order
    FROM purchase_days
)
SELECT
    customer_key,
    min(first_order) AS first_order,
    max(bdate) AS last_order,
    count(*) - 1 AS x,
    (max(bdate) - min(first_order)) / 7.0 AS t_x,
    ($as_of - min(first_order)) / 7.0 AS t,
    avg(CAST(net AS DOUBLE)) FILTER (WHERE bdate > first_order) AS repeat_mean,
    CAST(sum(net) AS DECIMAL(18, 4)) AS net,
    CASE WHEN sum(without_cost) = 0 THEN CAST(sum(net) - sum(cost) AS DECIMAL(18, 4)) END AS margin,
    sum(CAST(net AS DOUBLE) * power(1.1, ($as_of - bdate) / 365.0)) AS net_compounded
FROM histories
GROUP BY customer_key
