/* matins
description: >
  One row per scheme (rfm, tier, lifecycle), where customers stood at `$prev_as_of`, and where they stand at `$as_of`. Both
  are computed from the orders, never taken from an earlier run.
rules:
  - A customer without a place in a scheme at one of the moments is `none` there.
  - No flow of less than 5 customers is told. Places that fewer than 5 came from are one, `few`; of each place, so are the
    places that fewer than 5 went to, with the next smallest where they are still fewer than 5 together, since what is
    missing from a total is told as well. A scheme of less than 5 customers has no rows.
columns:
  place_before: at `$prev_as_of`
  place_now: at `$as_of`
  from_customers: all customers of place_before
  share: of from_customers; the shares of one place_before add up to 1
  notable: more than 5 % of from_customers changed to this place
key: [scheme, place_before, place_now]
closed: month
checks:
  - name: the shares of each place add up to 1
    query: >
      SELECT scheme, place_before
      FROM segment.migration
      GROUP BY scheme, place_before
      HAVING abs(sum(share) - 1) > 1e-9
*/
WITH places AS (
    SELECT 'rfm' AS scheme, as_of, customer_key, segment AS place FROM segment.rfm_scores
    UNION ALL
    SELECT 'tier' AS scheme, as_of, customer_key, tier AS place FROM segment.tiers
    UNION ALL
    SELECT 'lifecycle' AS scheme, as_of, customer_key, state AS place FROM segment.lifecycle_states
),
moves AS (
    SELECT
        coalesce(n.scheme, b.scheme) AS scheme,
        coalesce(b.place, 'none') AS place_before,
        coalesce(n.place, 'none') AS place_now
    FROM (SELECT scheme, customer_key, place FROM places WHERE as_of = $prev_as_of) AS b
    FULL JOIN (SELECT scheme, customer_key, place FROM places WHERE as_of = $as_of) AS n
        ON n.scheme = b.scheme AND n.customer_key = b.customer_key
),
pairs AS (
    SELECT scheme, place_before, place_now, count(*) AS customers
    FROM moves
    GROUP BY scheme, place_before, place_now
),
-- From the smallest on: `smaller` counts the customers of those before.
origins AS (
    SELECT
        scheme,
        place_before,
        customers,
        coalesce(sum(customers) OVER (
            PARTITION BY scheme ORDER BY customers, place_before ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM (
        SELECT scheme, place_before, sum(customers) AS customers
        FROM pairs
        GROUP BY scheme, place_before
    ) AS totals
),
told_origins AS (
    SELECT
        p.scheme,
        CASE WHEN o.customers < 5 OR o.smaller BETWEEN 1 AND 4 THEN 'few' ELSE p.place_before END AS place_before,
        p.place_now,
        sum(p.customers) AS customers
    FROM pairs AS p
    INNER JOIN origins AS o ON o.scheme = p.scheme AND o.place_before = p.place_before
    GROUP BY 1, 2, 3
),
destinations AS (
    SELECT
        scheme,
        place_before,
        place_now,
        customers,
        coalesce(sum(customers) OVER (
            PARTITION BY scheme, place_before
            ORDER BY customers, place_now
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM told_origins
),
flows AS (
    SELECT
        scheme,
        place_before,
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE place_now END AS place_now,
        CAST(sum(customers) AS BIGINT) AS customers
    FROM destinations
    GROUP BY 1, 2, 3
    HAVING sum(customers) >= 5
),
shares AS (
    SELECT
        scheme,
        place_before,
        place_now,
        customers,
        sum(customers) OVER (PARTITION BY scheme, place_before) AS from_customers
    FROM flows
)
SELECT
    scheme,
    place_before,
    place_now,
    customers,
    from_customers,
    CAST(customers AS DOUBLE) / from_customers AS share,
    place_before <> place_now
    AND 'few' NOT IN (place_before, place_now)
    AND customers * 20 > from_customers AS notable
FROM shares
ORDER BY scheme, place_before, place_now
