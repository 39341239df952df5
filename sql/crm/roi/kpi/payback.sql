/* matins
description: >
  One row per month: after how many months the customers who first bought in it had brought back what it cost to win them, by
  margin (payback of the cost of acquisition).
formula: "the first month of life up to which Σ margin ÷ customers ≥ acquisition costs ÷ customers"
rules:
  - Month 1 is that of the first order. NULL where it has not come back yet, so the latest months are filled later.
  - With costs of 30 days before it is in `roi.payback`.
columns:
  value: months
  numerator: NULL, since it is no ratio
  denominator: NULL, since it is no ratio
  n: customers whose first valid order lies in the month
  low: NULL, since it is no share
  high: NULL, since it is no share
key: [period]
*/
SELECT
    cohort AS period,
    CASE WHEN NOT provisional THEN payback_months END AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM roi.payback
ORDER BY period
