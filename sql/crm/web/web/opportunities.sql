/* matins
description: >
  One row per customer and product that the customer looked at again and again in the 30 days before `$as_of` and has not bought since.
grain: one row per customer and product
rules:
  - Three views or more on two days or more. Bought is any valid line of the product on the day of the first of those views or later.
  - A list of single customers is for the company's own systems. Whoever writes to them asks `marketing_consent` first, where it is known.
reference: "catalogue: repeated views without a purchase are an opportunity (多次瀏覽); the bounds are ours"
columns:
  views: of the product in the 30 days
  days: different ones with a view
  first_viewed_on: in the 30 days
  last_viewed_on: in the 30 days
  in_basket: whether the customer put it into a basket in the 30 days
  bought_before: whether the customer had bought it before the first of those views
key: [customer_key, product_id]
checks:
  - expression: "views >= 3 AND days >= 2 AND days <= views"
*/
WITH looked AS (
    SELECT
        customer_key,
        product_id,
        count(*) FILTER (WHERE kind = 'view') AS views,
        count(DISTINCT bdate) FILTER (WHERE kind = 'view') AS days,
        min(bdate) FILTER (WHERE kind = 'view') AS first_viewed_on,
        max(bdate) FILTER (WHERE kind = 'view') AS last_viewed_on,
        bool_or(kind = 'basket') AS in_basket
    FROM core.events
    WHERE customer_key IS NOT NULL
        AND product_id IS NOT NULL
        AND bdate < $as_of
        AND bdate >= CAST($as_of - INTERVAL '30 days' AS DATE)
    GROUP BY customer_key, product_id
),
purchases AS (
    SELECT customer_key, product_id, min(bdate) AS first_bought_on, max(bdate) AS last_bought_on
    FROM core.order_lines
    WHERE valid AND bdate < $as_of
    GROUP BY customer_key, product_id
)
SELECT
    l.customer_key,
    l.product_id,
    l.views,
    l.days,
    l.first_viewed_on,
    l.last_viewed_on,
    l.in_basket,
    p.first_bought_on IS NOT NULL AS bought_before
FROM looked AS l
LEFT JOIN purchases AS p ON p.customer_key = l.customer_key AND p.product_id = l.product_id
WHERE l.views >= 3 AND l.days >= 2 AND (p.last_bought_on IS NULL OR p.last_bought_on < l.first_viewed_on)
