/* matins
description: One row per state of the lifecycle that has customers at `$as_of` or had some at `$prev_as_of`.
columns:
  customers: in the state at `$as_of`
  share: of all customers known then
  customers_before: in the state at `$prev_as_of`
key: [state]
*/
WITH counts AS (
    SELECT
        state,
        phase,
        category,
        count(*) FILTER (WHERE as_of = $as_of) AS customers,
        count(*) FILTER (WHERE as_of = $prev_as_of) AS customers_before
    FROM segment.lifecycle_states
    GROUP BY state, phase, category
)
SELECT
    state,
    phase,
    category,
    customers,
    CAST(customers AS DOUBLE) / nullif(sum(customers) OVER (), 0) AS share,
    customers_before
FROM counts
ORDER BY customers DESC, state
