/* matins
description: >
  One row, for the day before `$as_of`: of the ids by which the company's systems know their customers, the share that stands beside
  another id of the same customer in the same system.
formula: "(ids − customers, system by system) ÷ ids"
grain: one row
rules:
  - An id in each of two systems is no duplicate; two in one are, and one of them is too many.
  - Only what was found out is counted, so a company that looks harder has more of them.
  - Only the present is reckoned; earlier values are kept with the snapshots that published them.
reference: "DAMA UK 2013, the six primary dimensions for data quality assessment: uniqueness"
columns:
  numerator: ids that are too many
  denominator: ids
  n: the denominator
  low: NULL, since all ids are in it
  high: NULL, since all ids are in it
key: [period]
*/
WITH totals AS (
    SELECT CAST(coalesce(sum(duplicate_ids), 0) AS BIGINT) AS k, CAST(coalesce(sum(ids), 0) AS BIGINT) AS n
    FROM identity.sources
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
