/* matins
description: >
  One row per ordered pair of products that were bought together often in the 12 months before `$as_of`: who buys one, how
  often has the other in the same order.
formula: "support = P(A and B), confidence = P(B | A), lift = P(A and B) / (P(A) · P(B))"
rules:
  - A basket is a valid order that is not refunded in full; a product counts once in it.
  - At least 30 baskets with both, and at least 0.1 % of all baskets.
reference: "Agrawal, Imieliński & Swami 1993, SIGMOD"
columns:
  product_a: the one that is there
  product_b: the one that is there too
  together: baskets with both
  baskets_a: baskets with the first
  baskets_b: baskets with the second
  baskets: all of them
key: [product_a, product_b]
closed: month
*/
WITH counted AS (
    SELECT frequent_pairs(l.order_id, l.product_id, 30) AS pairs
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND v.bdate < $as_of AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
found AS (
    SELECT unnest(pairs) AS pair
    FROM counted
),
directed AS (
    SELECT
        pair['a'] AS product_a,
        pair['b'] AS product_b,
        pair['together'] AS together,
        pair['baskets_a'] AS baskets_a,
        pair['baskets_b'] AS baskets_b,
        pair['baskets'] AS baskets
    FROM found
    UNION ALL
    SELECT
        pair['b'] AS product_a,
        pair['a'] AS product_b,
        pair['together'] AS together,
        pair['baskets_b'] AS baskets_a,
        pair['baskets_a'] AS baskets_b,
        pair['baskets'] AS baskets
    FROM found
)
SELECT
    product_a,
    product_b,
    together,
    baskets_a,
    baskets_b,
    baskets,
    CAST(together AS DOUBLE) / baskets AS support,
    CAST(together AS DOUBLE) / baskets_a AS confidence,
    CAST(together AS DOUBLE) * baskets / (CAST(baskets_a AS DOUBLE) * baskets_b) AS lift
FROM directed
WHERE together * 1000 >= baskets
