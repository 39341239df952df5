/* matins
description: >
  One row per month: of the customers whose comment to a survey could be scored, the share whose latest of the month sounds negative
  (`satisfaction.comment_scores`).
formula: "customers who sound negative ÷ customers with a scored comment"
grain: one row per month
rules:
  - Comments in a language without a lexicon are not counted.
  - Who has something to complain of writes more often, so this is no share of all customers.
reference: "Hutto & Gilbert 2014, ICWSM, for the lexicon; Wilson 1927, for the interval"
columns:
  numerator: customers who sound negative
  denominator: customers with a scored comment
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
SELECT
    period,
    CAST(negative AS DOUBLE) / nullif(n, 0) AS value,
    negative AS numerator,
    n AS denominator,
    n,
    wilson_low(negative, n) AS low,
    wilson_high(negative, n) AS high,
    provisional
FROM kpi.sentiment
ORDER BY period
