/* matins
description: >
  One row per customer and offer, three at most: which category to offer next, by what others went on to from the category that was new to
  the customer last.
grain: one row per customer and place
rules:
  - From `basket.next_category`, so only where 30 customers went on from the category and 5 to the next. A category that the customer has
    bought of is not offered.
  - Where several categories were new on one day, all of them are asked, and the best answer counts.
  - Only customers with a valid line in the 12 months before `$as_of`.
  - A list of single customers is for the company's own systems; whoever writes to them asks `marketing_consent` first.
reference: "catalogue: next-best category, for export; the rule is that of `basket.next_category`"
columns:
  place: 1 is the best
  category: to offer
  after: the category that was new to the customer last
  share: of those who went on from it, who went on to the offered one
  lift: share against that from all categories together
key: [customer_key, place]
checks:
  - expression: "place BETWEEN 1 AND 3"
*/
WITH firsts AS (
    SELECT customer_key, category, min(bdate) AS first_day, max(bdate) AS last_day
    FROM core.order_lines
    WHERE valid AND category IS NOT NULL AND customer_key IS NOT NULL AND bdate < $as_of
    GROUP BY customer_key, category
),
recent AS (
    SELECT customer_key, max(first_day) AS last_new_day
    FROM firsts
    GROUP BY customer_key
    HAVING max(last_day) >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
candidates AS (
    SELECT
        f.customer_key,
        n.next_category,
        n.category AS after,
        n.share,
        n.lift,
        row_number() OVER (PARTITION BY f.customer_key, n.next_category ORDER BY n.share DESC, n.category) AS best
    FROM recent AS r
    INNER JOIN firsts AS f ON f.customer_key = r.customer_key AND f.first_day = r.last_new_day
    INNER JOIN basket.next_category AS n ON n.category = f.category
    LEFT JOIN firsts AS had ON had.customer_key = f.customer_key AND had.category = n.next_category
    WHERE had.customer_key IS NULL
),
ranking AS (
    SELECT
        customer_key,
        next_category,
        after,
        share,
        lift,
        row_number() OVER (PARTITION BY customer_key ORDER BY share DESC, next_category) AS place
    FROM candidates
    WHERE best = 1
)
SELECT customer_key, CAST(place AS BIGINT) AS place, next_category AS category, after, share, lift
FROM ranking
WHERE place <= 3
