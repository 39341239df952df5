/* matins
description: >
  One row for the day before `$as_of` and one for the day before `$prev_as_of`: of the customers with a valid order in the 12 months to
  it whose costs are known, the share whose goods cost more than they paid.
formula: "customers with a margin below 0 ÷ customers with a margin"
grain: one row per moment
rules:
  - Cost of the goods only. Service, delivery and what was spent on winning the customer are not in it, so it is the least there is.
  - A state at the end of a day, which is over, so it is never provisional.
reference: "Kaplan & Narayanan 2001, J. of Cost Management 15(5):5"
columns:
  numerator: customers whose margin of the 12 months is below 0
  denominator: customers whose margin is known
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH counts AS (
    SELECT as_of, count(*) FILTER (WHERE margin < 0) AS k, count(margin) AS n
    FROM segment.margin_tiers
    GROUP BY as_of
)
SELECT
    CAST(as_of - INTERVAL '1 day' AS DATE) AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    FALSE AS provisional
FROM counts
ORDER BY period
