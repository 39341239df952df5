-- basket.affinity without `frequent_pairs`, for DuckDB (benches/packs.py): the same rows.
WITH items AS (
    SELECT DISTINCT l.order_id, l.product_id
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND v.bdate < $as_of AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
baskets AS (
    SELECT order_id, row_number() OVER (ORDER BY order_id) AS basket, count(*) OVER () AS n
    FROM (SELECT DISTINCT order_id FROM items) AS orders
),
total AS (
    SELECT max(n) AS n
    FROM baskets
),
-- Numbers instead of texts: millions of pairs are grouped.
frequent AS (
    SELECT product_id, count(*) AS n, row_number() OVER (ORDER BY product_id) AS item
    FROM items
    GROUP BY product_id
    HAVING count(*) >= 30
),
common AS (
    SELECT b.basket, f.item
    FROM items AS i
    INNER JOIN frequent AS f ON f.product_id = i.product_id
    INNER JOIN baskets AS b ON b.order_id = i.order_id
),
pairs AS (
    SELECT a.item AS item_a, b.item AS item_b, count(*) AS together
    FROM common AS a
    INNER JOIN common AS b ON b.basket = a.basket AND b.item > a.item
    GROUP BY a.item, b.item
    HAVING count(*) >= 30
),
directed AS (
    SELECT item_a, item_b, together FROM pairs
    UNION ALL
    SELECT item_b AS item_a, item_a AS item_b, together FROM pairs
)
SELECT
    a.product_id AS product_a,
    b.product_id AS product_b,
    d.together,
    a.n AS baskets_a,
    b.n AS baskets_b,
    t.n AS baskets,
    CAST(d.together AS DOUBLE) / t.n AS support,
    CAST(d.together AS DOUBLE) / a.n AS confidence,
    CAST(d.together AS DOUBLE) * t.n / (CAST(a.n AS DOUBLE) * b.n) AS lift
FROM directed AS d
INNER JOIN frequent AS a ON a.item = d.item_a
INNER JOIN frequent AS b ON b.item = d.item_b
CROSS JOIN total AS t
WHERE d.together * 1000 >= t.n
