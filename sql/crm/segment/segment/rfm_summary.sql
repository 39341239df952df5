/* matins
description: "One row per RFM segment that has customers: its size, its share of revenue, and how long ago it bought."
rules:
  - Segments of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows
    for less than 5 customers in all.
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
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        segment,
        customers,
        coalesce(sum(customers) OVER (ORDER BY customers, segment ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
            AS smaller
    FROM (SELECT segment, count(*) AS customers FROM segment.rfm GROUP BY segment) AS counts
),
groups AS (
    SELECT
        CASE WHEN s.customers < 5 OR s.smaller BETWEEN 1 AND 4 THEN 'few' ELSE s.segment END AS segment,
        count(*) AS customers,
        sum(f.net) AS net,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY f.recency_days) AS median_recency_days
    FROM segment.rfm AS f
    INNER JOIN sizes AS s ON s.segment = f.segment
    GROUP BY 1
    HAVING count(*) >= 5
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
