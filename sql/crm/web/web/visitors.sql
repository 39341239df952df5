/* matins
description: >
  One row per customer with an event on the web site in the 90 days before `$as_of`: what he or she did there, and the first of four
  habits that holds.
grain: one row per customer
rules:
  - "The first that holds: buyer, with a valid order in the 90 days; undecided, put something into a basket; searching, at least as many
    searches as views; looking, the rest."
  - A list of single customers is for the company's own systems.
reference: "catalogue: segments by browsing (浏览); the rules are ours"
columns:
  days: different ones with an event
  views: in the 90 days
  searches: in the 90 days
  baskets: times something was put into a basket, in the 90 days
  last_seen_on: the last day with an event
  orders: valid orders in the 90 days
  habit: buyer, undecided, searching or looking
key: [customer_key]
checks:
  - accepted: {column: habit, values: [buyer, undecided, searching, looking]}
*/
WITH events AS (
    SELECT
        customer_key,
        count(DISTINCT bdate) AS days,
        count(*) FILTER (WHERE kind = 'view') AS views,
        count(*) FILTER (WHERE kind = 'search') AS searches,
        count(*) FILTER (WHERE kind = 'basket') AS baskets,
        max(bdate) AS last_seen_on
    FROM core.events
    WHERE customer_key IS NOT NULL AND bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '90 days' AS DATE)
    GROUP BY customer_key
),
purchases AS (
    SELECT customer_key, CAST(sum(orders) AS BIGINT) AS orders
    FROM core.purchase_days
    WHERE bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '90 days' AS DATE)
    GROUP BY customer_key
)
SELECT
    e.customer_key,
    e.days,
    e.views,
    e.searches,
    e.baskets,
    e.last_seen_on,
    coalesce(p.orders, 0) AS orders,
    CASE
        WHEN p.orders > 0 THEN 'buyer'
        WHEN e.baskets > 0 THEN 'undecided'
        WHEN e.searches > 0 AND e.searches >= e.views THEN 'searching'
        ELSE 'looking'
    END AS habit
FROM events AS e
LEFT JOIN purchases AS p ON p.customer_key = e.customer_key
