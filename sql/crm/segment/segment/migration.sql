/* matins
description: >
  One row per scheme (rfm, tier, lifecycle), where customers stood at `$prev_as_of`, and where they stand at `$as_of`. Both
  are computed from the orders, never taken from an earlier run.
rules:
  - A customer without a place in a scheme at one of the moments is `none` there.
  - A flow of less than 5 customers is not singled out.
columns:
  place_before: at `$prev_as_of`
  place_now: at `$as_of`
  from_customers: all customers of place_before
  share: of from_customers; the shares of one place_before add up to 1
  notable: more than 5 % of from_customers changed to this place, at least 5 of them
key: [scheme, place_before, place_now]
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
flows AS (
    SELECT scheme, place_before, place_now, count(*) AS customers
    FROM moves
    GROUP BY scheme, place_before, place_now
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
    place_before <> place_now AND customers >= 5 AND customers * 20 > from_customers AS notable
FROM shares
ORDER BY scheme, place_before, place_now
