/* matins
description: >
  One row per customer whom the company's systems know by two ids or more: the log of what was found to be one person or account.
grain: one row per customer with several ids
rules:
  - Links known before `$as_of`; a link without a day counts.
  - It shows what the company's own pack put together; how it did so, `rule` says. Nothing is put together here.
  - A list of single customers is for the company's own systems.
reference: "Fellegi & Sunter 1969, J. of the American Statistical Association 64:1183, on record linkage"
columns:
  ids: of the customer, in all systems
  sources: systems that know the customer
  names: source and id of each, in order
  rules: by what they were linked, each once, in order; NULL where nobody wrote it down
  last_linked_on: when the last of them was found; NULL where nobody wrote it down
  surviving: ids that attributes are taken from; more than 1 is a contradiction
key: [customer_key]
checks:
  - name: attributes are taken from one place
    expression: "surviving <= 1"
    severity: warn
*/
WITH links AS (
    SELECT source, source_id, customer_key, linked_on, rule, survives
    FROM core.customer_sources
    WHERE linked_on IS NULL OR linked_on < $as_of
),
known AS (
    SELECT
        customer_key,
        count(*) AS ids,
        count(DISTINCT source) AS sources,
        string_agg(concat(source, ' ', source_id), ', ' ORDER BY source, source_id) AS names,
        max(linked_on) AS last_linked_on,
        count(*) FILTER (WHERE survives) AS surviving
    FROM links
    GROUP BY customer_key
    HAVING count(*) > 1
),
reasons AS (
    SELECT customer_key, string_agg(rule, ', ' ORDER BY rule) AS rules
    FROM (SELECT DISTINCT customer_key, rule FROM links WHERE rule IS NOT NULL) AS each
    GROUP BY customer_key
)
SELECT
    k.customer_key,
    k.ids,
    k.sources,
    k.names,
    r.rules,
    k.last_linked_on,
    k.surviving
FROM known AS k
LEFT JOIN reasons AS r ON r.customer_key = k.customer_key
