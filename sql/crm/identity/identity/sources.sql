/* matins
description: >
  One row per source system of the identity map: how many ids it has, how many customers these are, and whom no other system knows.
grain: one row per source
rules:
  - Links known before `$as_of`; a link without a day counts.
  - Shared is a customer whom another system knows as well.
reference: "Fellegi & Sunter 1969, J. of the American Statistical Association 64:1183, on record linkage; DAMA UK 2013, uniqueness"
columns:
  ids: of the system
  customers: whom these ids are of
  duplicate_ids: ids less customers, one id a customer being enough
  shared: customers whom another system knows too
  only_here: the others
  surviving: customers whose attributes are taken from here
key: [source]
checks:
  - expression: "customers <= ids AND shared + only_here = customers"
*/
WITH links AS (
    SELECT source, source_id, customer_key, survives
    FROM core.customer_sources
    WHERE linked_on IS NULL OR linked_on < $as_of
),
known AS (
    SELECT
        source,
        customer_key,
        count(*) AS ids,
        bool_or(survives) AS survives,
        count(*) OVER (PARTITION BY customer_key) AS sources
    FROM links
    GROUP BY source, customer_key
)
SELECT
    source,
    CAST(sum(ids) AS BIGINT) AS ids,
    count(*) AS customers,
    CAST(sum(ids) AS BIGINT) - count(*) AS duplicate_ids,
    count(*) FILTER (WHERE sources > 1) AS shared,
    count(*) FILTER (WHERE sources = 1) AS only_here,
    count(*) FILTER (WHERE survives) AS surviving
FROM known
GROUP BY source
ORDER BY source
