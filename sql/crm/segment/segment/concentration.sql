/* matins
description: >
  One row per moment: how much of the net of the 12 months before it hangs on few customers. The moments are `$as_of` and
  `$prev_as_of`.
formula: "gini = Σ (2·place − n − 1)·net / (n·Σ net), place counted from the least net"
reference: "Gini 1912; the share of the top fifth is what the rule of 20/80 claims to be 0.8"
rules: The top fifth is rounded down, but is at least one customer.
columns:
  as_of: the moment looked back from
  customers: with a valid order in the 12 months
  top_fifth_share: of all net, what the top 20 % of customers brought
  customers_for_80: the fewest customers who brought 80 % of all net
  gini: 0 when all brought the same, near 1 when one brought all
key: [as_of]
closed: month
checks:
  - expression: "gini BETWEEN 0 AND 1 AND top_fifth_share BETWEEN 0 AND 1"
    severity: warn
*/
-- Four fifths that are reached exactly are reached, whatever the last digit of the share.
SELECT
    as_of,
    max(base) AS customers,
    max(net_share) FILTER (WHERE place <= greatest(base / 5, 1)) AS top_fifth_share,
    min(place) FILTER (WHERE net_share >= 0.8 - 1e-9) AS customers_for_80,
    sum((CAST(base AS DOUBLE) + 1 - 2 * place) * CAST(net AS DOUBLE))
    / (max(base) * nullif(CAST(sum(net) AS DOUBLE), 0)) AS gini
FROM segment.tiers
GROUP BY as_of
-- A report says the first.
ORDER BY as_of DESC
