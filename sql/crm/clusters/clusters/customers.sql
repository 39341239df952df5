/* matins
description: >
  One row per customer with a valid order in the 24 months before `$as_of`: recency, frequency and money, and the cluster of customers
  alike in them. `clusters.model` says how many clusters there are, and `clusters.summary` who is in them.
grain: one row per customer
rules:
  - The cluster whose centre is nearest, by the three logarithms in standard deviations; of two as near, the lower.
  - A customer whose net is not positive is in no cluster; nobody is where there are none.
  - As of the end of the last closed month, being the same all month. Who first bought since is not in it until the next is closed.
reference: "Lloyd 1982, IEEE Trans. on Information Theory 28:129"
columns:
  recency_days: days from the last valid order to `$as_of`
  frequency: days with a purchase
  orders: valid orders
  net: as originated
  cluster: 1 is the one whose centre has the greatest net; NULL of who is in none
key: [customer_key]
closed: month
*/
WITH histories AS (
    SELECT
        customer_key,
        $as_of - max(bdate) AS recency_days,
        count(*) AS frequency,
        CAST(sum(orders) AS BIGINT) AS orders,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net
    FROM core.purchase_days
    WHERE bdate >= CAST($as_of - INTERVAL '24 months' AS DATE)
    GROUP BY customer_key
)
SELECT
    h.customer_key,
    h.recency_days,
    h.frequency,
    h.orders,
    h.net,
    nearest_centre(
        m.centres,
        make_array(
            (ln(1.0 + h.recency_days) - m.recency_mean) / m.recency_deviation,
            (ln(CAST(h.frequency AS DOUBLE)) - m.frequency_mean) / m.frequency_deviation,
            (ln(CASE WHEN h.net > 0 THEN CAST(h.net AS DOUBLE) END) - m.net_mean) / m.net_deviation
        )
    ) AS cluster
FROM histories AS h
CROSS JOIN clusters.model AS m
