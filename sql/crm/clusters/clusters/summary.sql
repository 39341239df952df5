/* matins
description: >
  One row per cluster of `clusters.customers`: how many customers, what they brought, and what is usual among them. Who is in no cluster is
  `none`.
grain: one row per cluster
rules:
  - Clusters of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows
    for less than 5 customers in all.
  - The same moment as `clusters.customers`, the end of the last closed month.
columns:
  cluster: 1 is the one whose centre has the greatest net
  customer_share: of all customers in `clusters.customers`
  median_recency_days: half of the cluster bought more recently
  median_frequency: of the days with a purchase in the 24 months
  median_net: of what each brought in the 24 months
  net_share: of the net of all customers in `clusters.customers`
  k: how many clusters there are
  silhouette: "how clearly they lie apart, all together: `clusters.model`"
key: [cluster]
closed: month
*/
WITH totals AS (
    SELECT count(*) AS customers, sum(net) AS net
    FROM clusters.customers
),
members AS (
    SELECT coalesce(CAST(cluster AS VARCHAR), 'none') AS cluster, recency_days, frequency, net
    FROM clusters.customers
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        cluster,
        customers,
        coalesce(sum(customers) OVER (ORDER BY customers, cluster ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
            AS smaller
    FROM (SELECT cluster, count(*) AS customers FROM members GROUP BY cluster) AS counts
),
groups AS (
    SELECT
        CASE WHEN s.customers < 5 OR s.smaller BETWEEN 1 AND 4 THEN 'few' ELSE s.cluster END AS cluster,
        count(*) AS customers,
        sum(m.net) AS net,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(m.recency_days AS DOUBLE)) AS median_recency_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(m.frequency AS DOUBLE)) AS median_frequency,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(m.net AS DOUBLE)) AS median_net
    FROM members AS m
    INNER JOIN sizes AS s ON s.cluster = m.cluster
    GROUP BY 1
    HAVING count(*) >= 5
)
SELECT
    g.cluster,
    g.customers,
    CAST(g.customers AS DOUBLE) / t.customers AS customer_share,
    g.median_recency_days,
    g.median_frequency,
    g.median_net,
    CAST(g.net AS DECIMAL(18, 4)) AS net,
    CAST(g.net AS DOUBLE) / CAST(nullif(t.net, 0) AS DOUBLE) AS net_share,
    c.k,
    c.silhouette
FROM groups AS g
CROSS JOIN totals AS t
CROSS JOIN clusters.model AS c
ORDER BY g.cluster
