/* matins
description: >
  One row per state of the lifecycle, by orders and by contract (`churn.lifecycle_states`), that has customers at `$as_of`, or had some
  at `$prev_as_of`.
grain: one row per state
rules:
  - States of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows
    for less than 5 customers in all.
columns:
  state: as in `churn.lifecycle_states`, or few
  phase: NULL of few
  category: NULL of few
  customers: in the state at `$as_of`
  share: of all customers known then
  customers_before: in the state at `$prev_as_of`; NULL of less than 5
  by_contract: of customers, those whose orders alone would put them elsewhere; NULL where these, or the others, are less than 5
key: [state]
*/
WITH counts AS (
    SELECT
        state,
        phase,
        category,
        count(*) FILTER (WHERE as_of = $as_of) AS customers,
        count(*) FILTER (WHERE as_of = $prev_as_of) AS customers_before,
        count(*) FILTER (WHERE as_of = $as_of AND by_orders IS DISTINCT FROM state) AS by_contract
    FROM churn.lifecycle_states
    GROUP BY state, phase, category
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (ORDER BY customers, state ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
            AS smaller
    FROM counts
),
told AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE state END AS state,
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN NULL ELSE phase END AS phase,
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN NULL ELSE category END AS category,
        CAST(sum(customers) AS BIGINT) AS customers,
        CAST(sum(customers_before) AS BIGINT) AS customers_before,
        CAST(sum(by_contract) AS BIGINT) AS by_contract
    FROM sizes
    GROUP BY 1, 2, 3
    HAVING sum(customers) >= 5
)
SELECT
    state,
    phase,
    category,
    customers,
    CAST(customers AS DOUBLE) / nullif(sum(customers) OVER (), 0) AS share,
    CASE WHEN customers_before >= 5 THEN customers_before END AS customers_before,
    CASE WHEN by_contract >= 5 AND (by_contract = customers OR customers - by_contract >= 5) THEN by_contract END AS by_contract
FROM told
ORDER BY customers DESC, state
