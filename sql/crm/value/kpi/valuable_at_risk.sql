/* matins
description: >
  One row, for the day before `$as_of`: of the top fifth by net of 24 months that came back at least once, the share that is
  probably lost. `value.at_risk` names the ten of whom most is at stake.
formula: "customers with alive ≤ 0.5 ÷ customers"
rules:
  - Alive by MBG/NBD; NULL where the model could not be fitted or knows no loss.
  - Only the present is reckoned; earlier values are kept with the snapshots that published them. It is a state at the end of a day, which
    is over, so it is never provisional; having one period, it is compared with none.
reference: "Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
columns:
  numerator: those probably lost
  denominator: customers of the top fifth with two purchase days or more
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
*/
WITH counts AS (
    SELECT
        count(*) FILTER (WHERE v.alive <= 0.5) AS lost,
        count(v.alive) AS scored,
        count(*) AS n
    FROM segment.rfm AS s
    INNER JOIN value.scores AS v ON v.customer_key = s.customer_key
    WHERE s.m = 5 AND s.frequency >= 2
),
shares AS (
    SELECT CASE WHEN scored = n THEN lost END AS k, n
    FROM counts
)
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    FALSE AS provisional
FROM shares
