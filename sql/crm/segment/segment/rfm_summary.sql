/* matins
description: "One row per RFM segment that has customers: its size, its share of revenue, and how long ago it bought."
columns:
  customer_share: of all customers in `segment.rfm`
  net_share: of the net of all customers in `segment.rfm`
  median_recency_days: half of the segment bought more recently
key: [segment]
*/
WITH totals AS (
    SELECT count(*) AS customers, sum(net) AS net
    FROM segment.rfm
),
groups AS (
    SELECT
        segment,
        count(*) AS customers,
        sum(net) AS net,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY recency_days) AS median_recency_days
    FROM segment.rfm
    GROUP BY segment
)
SELECT
    g.segment,
    g.customers,
    CAST(g.customers AS DOUBLE) / t.customers AS customer_share,
    CAST(g.net AS DECIMAL(18, 4)) AS net,
    CAST(g.net AS DOUBLE) / CAST(nullif(t.net, 0) AS DOUBLE) AS net_share,
    g.median_recency_days
FROM groups AS g
CROSS JOIN totals AS t
ORDER BY net DESC, g.segment
