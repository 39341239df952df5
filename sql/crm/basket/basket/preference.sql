/* matins
description: >
  One row per customer with a line of known category on a valid order in the 12 months before `$as_of`: the category most was spent
  on, if any stands out, and whether it is the only one.
rules:
  - A preference is at least half of the net and at least 3 orders; all else is `none`.
  - One category only makes a habit from the second order on, as in `segment.behaviour`.
  - An order that was refunded in full is no purchase, and its lines are not in it. Net is that of the lines; a partial refund names no
    line.
  - As of the end of the last closed month, being the same all month. Who first bought since is not in it until the next is closed.
columns:
  category: the one most was spent on
  share: of the net of known category
  categories: different ones
  orders: with a line of known category
  preference: the category, or none
  single_category: two such orders or more, and all of one category
key: [customer_key]
closed: month
*/
WITH purchases AS (
    SELECT v.customer_key, l.category, l.order_id, l.net
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND l.category IS NOT NULL AND v.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
spending AS (
    SELECT customer_key, category, sum(net) AS net
    FROM purchases
    GROUP BY customer_key, category
),
ordering AS (
    SELECT customer_key, count(DISTINCT order_id) AS orders
    FROM purchases
    GROUP BY customer_key
),
ranking AS (
    SELECT
        customer_key,
        category,
        CAST(net AS DOUBLE) / CAST(nullif(sum(net) OVER (PARTITION BY customer_key), 0) AS DOUBLE) AS share,
        count(*) OVER (PARTITION BY customer_key) AS categories,
        row_number() OVER (PARTITION BY customer_key ORDER BY net DESC, category) AS place
    FROM spending
)
SELECT
    r.customer_key,
    r.category,
    r.share,
    r.categories,
    o.orders,
    CASE WHEN r.share >= 0.5 AND o.orders >= 3 THEN r.category ELSE 'none' END AS preference,
    r.categories = 1 AND o.orders >= 2 AS single_category
FROM ranking AS r
INNER JOIN ordering AS o ON o.customer_key = r.customer_key
WHERE r.place = 1
