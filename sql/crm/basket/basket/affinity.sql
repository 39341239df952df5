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
  both: baskets with both
  baskets_a: baskets with the first
  baskets_b: baskets with the second
  baskets: all of them
key: [product_a, product_b]
*/
WITH items AS (
    SELECT DISTINCT l.order_id, l.product_id
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND v.bdate < $as_of AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
baskets AS (
    SELECT count(DISTINCT order_id) AS n
    FROM items
),
frequent AS (
    SELECT i.product_id, count(*) AS n
    FROM items AS i
    GROUP BY i.product_id
    HAVING count(*) >= 30
),
common AS (
    SELECT i.order_id, i.product_id
    FROM items AS i
    INNER JOIN frequent AS f ON f.product_id = i.product_id
),
pairs AS (
    SELECT a.product_id AS product_a, b.product_id AS product_b, count(*) AS both
    FROM common AS a
    INNER JOIN common AS b ON b.order_id = a.order_id AND b.product_id > a.product_id
    GROUP BY a.product_id, b.product_id
    HAVING count(*) >= 30
),
directed AS (
    SELECT product_a, product_b, both FROM pairs
    UNION ALL
    SELECT product_b AS product_a, product_a AS product_b, both FROM pairs
)
SELECT
    d.product_a,
    d.product_b,
    d.both,
    a.n AS baskets_a,
    b.n AS baskets_b,
    t.n AS baskets,
    CAST(d.both AS DOUBLE) / t.n AS support,
    CAST(d.both AS DOUBLE) / a.n AS confidence,
    CAST(d.both AS DOUBLE) * t.n / (CAST(a.n AS DOUBLE) * b.n) AS lift
FROM directed AS d
INNER JOIN frequent AS a ON a.product_id = d.product_a
INNER JOIN frequent AS b ON b.product_id = d.product_b
CROSS JOIN baskets AS t
WHERE d.both * 1000 >= t.n
