/* matins
description: >
  One row per kind of key by which customers are looked for who may be one: how many share one, and how many are not compared because too many do.
grain: one row per kind of key
rules:
  - The kinds are those of `identity.candidates`, which compares the pairs of a block, and leaves out blocks of more than the parameter `duplicate_block`
    customers, of the name alone of more than a twentieth of that (2 at least).
  - A pair that shares keys of several kinds is in each of their rows. Customers of a block that is left out may be compared by another key.
reference: "Christen 2012, A Survey of Indexing Techniques, IEEE Transactions on Knowledge and Data Engineering 24:1537"
columns:
  kind: beginning, e-mail, name, phone or sound
  customers: who have such a key
  shared: of them, those whose key another has
  blocks: keys that two or more share
  largest: customers of the largest block
  pairs: compared by this key
  left_out_blocks: of the blocks, those that are too large
  left_out_customers: in them
key: [kind]
checks:
  - expression: "left_out_customers <= shared AND shared <= customers AND left_out_blocks <= blocks"
  - name: few customers are left out
    expression: "kind = 'name' OR left_out_customers <= 0.1 * customers"
    severity: info
*/
WITH keys AS (
    SELECT concat('e-mail ', email) AS key FROM identity.records WHERE email IS NOT NULL
    UNION ALL
    SELECT concat('phone ', right(phone, 9)) AS key FROM identity.records WHERE phone IS NOT NULL
    UNION ALL
    SELECT concat('name ', words) AS key FROM identity.records WHERE name IS NOT NULL
    UNION ALL
    SELECT concat('sound ', sound) AS key FROM identity.records WHERE name IS NOT NULL
    UNION ALL
    SELECT concat('beginning ', beginning) AS key FROM identity.records WHERE name IS NOT NULL
),
sizes AS (
    SELECT key, count(*) AS customers
    FROM keys
    GROUP BY key
),
judged AS (
    SELECT
        split_part(key, ' ', 1) AS kind,
        customers,
        customers > CASE WHEN starts_with(key, 'name ') THEN greatest($duplicate_block / 20, 2) ELSE $duplicate_block END AS left_out
    FROM sizes
)
SELECT
    kind,
    CAST(sum(customers) AS BIGINT) AS customers,
    CAST(coalesce(sum(customers) FILTER (WHERE customers > 1), 0) AS BIGINT) AS shared,
    count(*) FILTER (WHERE customers > 1) AS blocks,
    max(customers) AS largest,
    CAST(coalesce(sum(customers * (customers - 1) / 2) FILTER (WHERE NOT left_out), 0) AS BIGINT) AS pairs,
    count(*) FILTER (WHERE left_out AND customers > 1) AS left_out_blocks,
    CAST(coalesce(sum(customers) FILTER (WHERE left_out AND customers > 1), 0) AS BIGINT) AS left_out_customers
FROM judged
GROUP BY kind
ORDER BY kind
