/* matins
description: >
  One row, for the day before `$as_of`: of the customers of whom a name, an e-mail address or a phone number is known, the share who probably are
  somebody else among them too.
formula: "customers in at least one pair of identity.candidates ÷ customers in identity.records"
grain: one row
rules:
  - Suspected is who is one person or account with another customer at least with the probability `duplicate_probability`, by what they have in common.
    Nobody has looked yet; what was looked at and put together is one customer, and `duplicate_ids` counts it.
  - Both of a pair are counted, so that of a hundred customers who all are there twice, all are suspected.
  - Only the present is reckoned; earlier values are kept with the snapshots that published them.
reference: "Fellegi & Sunter 1969, J. of the American Statistical Association 64:1183; DAMA UK 2013, uniqueness"
columns:
  numerator: customers in a pair
  denominator: customers who were compared
  n: the denominator
  low: NULL, since all customers are in it
  high: NULL, since all customers are in it
key: [period]
*/
WITH suspected AS (
    SELECT customer_key FROM identity.candidates
    UNION
    SELECT other_key AS customer_key FROM identity.candidates
),
totals AS (
    SELECT
        (SELECT count(*) FROM suspected) AS k,
        (SELECT count(*) FROM identity.records) AS n
)
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM totals
