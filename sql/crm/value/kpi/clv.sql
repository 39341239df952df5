/* matins
description: >
  One row, for the day before `$as_of`: the mean of what is expected of a customer in the 12 months to come (`clv_12` of
  `value.scores`).
formula: "Σ clv_12 ÷ customers"
rules:
  - Margin where costs are known, else net; `value.assumptions` says which.
  - Only the end of the last closed month is reckoned; earlier values are kept with the snapshots that published them. It is a state at the end of a day, which
    is over, so it is never provisional; having one period, it is compared with none.
reference: "Batislam, Denizel & Filiztekin 2007; Fader & Hardie 2013, note 025"
columns:
  numerator: what is expected of all of them
  denominator: customers with a valid order so far
  n: the denominator
key: [period]
closed: month
*/
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    sum(clv_12) / nullif(count(*), 0) AS value,
    sum(clv_12) AS numerator,
    count(*) AS denominator,
    count(*) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM value.scores
