/* matins
description: >
  One row per customer with a valid order in the 12 months before `$as_of`: the category most was spent on, if any stands out.
rules: A preference is at least half of the net and at least 3 orders; all else is `none`.
columns:
  category: the one most was spent on
  share: of the net of known category
  categories: different ones
  preference: the category, or none
key: [customer_key]
*/
WITH spending AS (
    SELECT customer_key, category, sum(net) AS net
    FROM core.order_lines
    WHERE valid AND category IS NOT NULL AND bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
    GROUP BY customer_key, category
),
ordering AS (
    SELECT customer_key, count(DISTINCT order_id) AS orders
    FROM core.order_lines
    WHERE valid AND category IS NOT NULL AND bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
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
    CASE WHEN r.share >= 0.5 AND o.orders >= 3 THEN r.category ELSE 'none' END AS preference
FROM ranking AS r
INNER JOIN ordering AS o ON o.customer_key = r.customer_key
WHERE r.place = 1
