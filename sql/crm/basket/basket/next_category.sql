/* matins
description: >
  One row per category and place 1 to 3: which other category the customers who bought of it go on to, among those they had
  never bought of.
rules:
  - "Of each customer and category the first purchase day: the next category is the one, or each of those, whose first day follows
    it. A category that was bought on the same day, or before, is not next, nor is one whose order was refunded in full."
  - At least 30 customers who went on from the category, and at least 5 who went on to the next.
columns:
  place: 1 is the one most went on to
  next_category: never bought before
  customers: who ever bought of the category
  went_on: of those, who later bought of a category that was new to them
  moved: of those, whose next was this one
  share: moved ÷ went_on
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
  base_share: the same from all categories together
  lift: share ÷ base_share
key: [category, place]
*/
WITH firsts AS (
    SELECT v.customer_key, l.category, min(v.bdate) AS first_day
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid AND l.category IS NOT NULL
    GROUP BY v.customer_key, l.category
),
days AS (
    SELECT
        customer_key,
        first_day,
        lead(first_day) OVER (PARTITION BY customer_key ORDER BY first_day) AS next_day
    FROM (SELECT DISTINCT customer_key, first_day FROM firsts) AS each
),
origins AS (
    SELECT f.customer_key, f.category, d.next_day
    FROM firsts AS f
    INNER JOIN days AS d ON d.customer_key = f.customer_key AND d.first_day = f.first_day
),
sizes AS (
    SELECT category, count(*) AS customers, count(next_day) AS went_on
    FROM origins
    GROUP BY category
),
moves AS (
    SELECT o.category, n.category AS next_category, count(*) AS moved
    FROM origins AS o
    INNER JOIN firsts AS n ON n.customer_key = o.customer_key AND n.first_day = o.next_day
    GROUP BY o.category, n.category
),
totals AS (
    SELECT
        m.category,
        m.next_category,
        m.moved,
        s.customers,
        s.went_on,
        CAST(sum(m.moved) OVER (PARTITION BY m.next_category) AS DOUBLE) / CAST(t.went_on AS DOUBLE) AS base_share
    FROM moves AS m
    INNER JOIN sizes AS s ON s.category = m.category
    CROSS JOIN (SELECT sum(went_on) AS went_on FROM sizes) AS t
),
ranking AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY category ORDER BY moved DESC, next_category) AS place
    FROM totals
    WHERE went_on >= 30 AND moved >= 5
)
SELECT
    category,
    CAST(place AS BIGINT) AS place,
    next_category,
    customers,
    went_on,
    moved,
    CAST(moved AS DOUBLE) / went_on AS share,
    wilson_low(moved, went_on) AS low,
    wilson_high(moved, went_on) AS high,
    base_share,
    CAST(moved AS DOUBLE) / went_on / base_share AS lift
FROM ranking
WHERE place <= 3
