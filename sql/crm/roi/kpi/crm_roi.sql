/* matins
description: >
  One row per month: what the campaigns that reached their last customer in it brought beyond their cost, for each unit of
  cost; only campaigns with customers held out.
formula: "(Σ increment − Σ cost) ÷ Σ cost"
rules:
  - Campaigns without a held-out group have no increment and stay out; `roi.campaigns` shows what is put down to them.
  - A month without such a campaign has no row.
columns:
  numerator: increment less cost
  denominator: cost
  n: customers reached
  low: NULL, since it is no share of a count
  high: NULL, since it is no share of a count
key: [period]
*/
SELECT
    month AS period,
    (sum(increment) - CAST(sum(cost) AS DOUBLE)) / CAST(nullif(sum(cost), 0) AS DOUBLE) AS value,
    sum(increment) - CAST(sum(cost) AS DOUBLE) AS numerator,
    CAST(sum(cost) AS DECIMAL(18, 4)) AS denominator,
    CAST(sum(reached) AS BIGINT) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    bool_or(provisional) AS provisional
FROM roi.campaigns
WHERE method = 'incremental' AND cost IS NOT NULL
GROUP BY month
ORDER BY period
