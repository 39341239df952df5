/* matins
description: >
  One row: how the customers with a valid order in the 24 months before `$as_of` fall into clusters by recency, frequency and money, what
  `clusters.customers` puts each of them in one by.
formula: "of each customer ln(1 + recency in days), ln(purchase days) and ln(net), each less its mean and over its standard deviation; k-means"
grain: one row
rules:
  - From four to eight clusters; those with the greatest mean silhouette width are taken, of equal ones the fewer.
  - A customer whose net is not positive has no logarithm, and is in none.
  - Cluster 1 is the one whose centre has the greatest net.
  - A silhouette up to 0.25 tells of no clusters to speak of, up to 0.5 of weak ones, above 0.7 of strong ones.
  - The same customers give the same clusters, whatever the order of rows and the number of cores.
  - Where fewer than four customers differ there are no clusters, and `reason` says so.
  - A centre may be that of one customer, so this table is for the company's own systems; `clusters.summary` is what may be passed on.
  - As of the end of the last closed month, being the same all month.
reference:
  - "Lloyd 1982, IEEE Trans. on Information Theory 28:129; seeds: Arthur & Vassilvitskii 2007, SODA, p. 1027"
  - "Silhouettes: Rousseeuw 1987, J. of Computational and Applied Mathematics 20:53; what widths mean: Kaufman & Rousseeuw 1990, p. 88"
columns:
  as_of: the moment looked back from
  n: customers it was made from
  k: how many clusters
  silhouette: mean width, from -1 to 1; of more than 2,000 customers that of an even sample
  silhouette_4: with four clusters, whether taken or not; the others likewise
  within: sum of squared distances from the centres, in squares of standard deviations
  recency_mean: of ln(1 + recency in days)
  recency_deviation: its standard deviation; 1 where all are alike
  frequency_mean: of ln(purchase days)
  frequency_deviation: as recency_deviation
  net_mean: of ln(net)
  net_deviation: as recency_deviation
  centres: one list of recency, frequency and net a cluster, as distances from their means in standard deviations
  reason: why there are no clusters
key: [as_of]
closed: month
*/
WITH histories AS (
    SELECT
        customer_key,
        $as_of - max(bdate) AS recency_days,
        count(*) AS frequency,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net
    FROM core.purchase_days
    WHERE bdate >= CAST($as_of - INTERVAL '24 months' AS DATE)
    GROUP BY customer_key
    HAVING sum(net) > 0
),
logarithms AS (
    SELECT
        ln(1.0 + recency_days) AS recency,
        ln(CAST(frequency AS DOUBLE)) AS frequency,
        ln(CAST(net AS DOUBLE)) AS net
    FROM histories
),
scales AS (
    SELECT
        avg(recency) AS recency_mean,
        coalesce(nullif(stddev_pop(recency), 0), 1) AS recency_deviation,
        avg(frequency) AS frequency_mean,
        coalesce(nullif(stddev_pop(frequency), 0), 1) AS frequency_deviation,
        avg(net) AS net_mean,
        coalesce(nullif(stddev_pop(net), 0), 1) AS net_deviation
    FROM logarithms
),
fits AS (
    SELECT
        fit_kmeans(
            make_array(
                (l.recency - s.recency_mean) / s.recency_deviation,
                (l.frequency - s.frequency_mean) / s.frequency_deviation,
                (l.net - s.net_mean) / s.net_deviation
            ),
            4,
            8
        ) AS fit
    FROM logarithms AS l
    CROSS JOIN scales AS s
)
SELECT
    $as_of AS as_of,
    f.fit['n'] AS n,
    f.fit['k'] AS k,
    f.fit['silhouette'] AS silhouette,
    f.fit['tried'][1]['silhouette'] AS silhouette_4,
    f.fit['tried'][2]['silhouette'] AS silhouette_5,
    f.fit['tried'][3]['silhouette'] AS silhouette_6,
    f.fit['tried'][4]['silhouette'] AS silhouette_7,
    f.fit['tried'][5]['silhouette'] AS silhouette_8,
    f.fit['within'] AS within,
    s.recency_mean,
    s.recency_deviation,
    s.frequency_mean,
    s.frequency_deviation,
    s.net_mean,
    s.net_deviation,
    f.fit['centres'] AS centres,
    f.fit['reason'] AS reason
FROM fits AS f
CROSS JOIN scales AS s
