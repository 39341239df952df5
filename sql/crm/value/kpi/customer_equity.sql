/* matins
description: >
  One row, for the day before `$as_of`: the value of 36 months of the present customers and of those who will come (`equity`
  of `value.equity`).
formula: "Σ clv_36 + new customers to come · clv of a new one, discounted"
rules:
  - Margin where costs are known, else net; `value.assumptions` says which.
  - Only the end of the last closed month is reckoned; earlier values are kept with the snapshots that published them. It is a state at the end of a day, which
    is over, so it is never provisional; having one period, it is compared with none.
reference: "Rust, Lemon & Zeithaml 2004, J. of Marketing 68:109"
columns:
  numerator: NULL, since it is no ratio
  denominator: NULL, since it is no ratio
  n: customers with a valid order so far
key: [period]
closed: month
*/
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    equity AS value,
    CAST(NULL AS DOUBLE) AS numerator,
    CAST(NULL AS DOUBLE) AS denominator,
    customers AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM value.equity
