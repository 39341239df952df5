/* matins
description: >
  One row, for the day before `$as_of`: of the customers with a valid order in the 12 months before, the share who may be written to.
formula: "customers with `marketing_consent` ÷ customers"
grain: one row
rules:
  - Who never said is not to be written to, and so not in the numerator.
  - Only the present is reckoned, since the register keeps no earlier word; earlier values are kept with the snapshots that published
    them. `kpi.consent_rate` has months, where each word is kept.
reference: "Regulation (EU) 2016/679 art. 7; PIPL art. 14, 15"
columns:
  numerator: customers who said yes
  denominator: customers with a valid order in the 12 months
  n: the denominator
  low: NULL, since all customers are in it
  high: NULL, since all customers are in it
  refused: customers who said no
  unknown: customers who never said, or are in no register
key: [period]
checks:
  - expression: "numerator + refused + unknown = n"
*/
WITH actives AS (
    SELECT DISTINCT customer_key
    FROM core.purchase_days
    WHERE bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
counts AS (
    SELECT
        count(*) AS n,
        count(*) FILTER (WHERE c.marketing_consent) AS k,
        count(*) FILTER (WHERE NOT c.marketing_consent) AS refused
    FROM actives AS a
    LEFT JOIN core.customers AS c ON c.customer_key = a.customer_key
)
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    refused,
    n - k - refused AS unknown,
    FALSE AS provisional
FROM counts
