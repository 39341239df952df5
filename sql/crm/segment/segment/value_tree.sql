/* matins
description: >
  One row per customer with a valid order: the value tree (价值树), a weighted score of what the customer buys, for how long,
  and how much of it again.
formula: "score = w1·pr(net of 12 months) + w2·pr(tenure) + w3·pr(repurchase share), pr = percent rank among all customers"
reference: No formula is published; the weights are the company's and stand in the table beside every score.
rules:
  - The weights are `value_net_weight` (0.5 unless the pipeline says otherwise), `value_tenure_weight` (0.2) and
    `value_repurchase_weight` (0.3).
  - High from the 0.8 quantile of the score on, low below its 0.4 quantile, middle between.
  - Customers without a valid order are not in the tree. An order that was refunded in full is no purchase, so nothing was bought again
    by it.
  - As of the end of the last closed month, being the same all month. Who first bought since is not in it until the next is closed.
columns:
  net: as originated, in the 12 months before `$as_of`
  tenure_months: since the first valid order, in months of 30.4375 days
  repurchase_share: of the products the customer bought, those bought on more than one day
  net_rank: percent rank, 0 to 1
  tenure_rank: percent rank, 0 to 1
  repurchase_rank: percent rank, 0 to 1
  value_class: high, middle or low
key: [customer_key]
closed: month
checks:
  - name: the weights of the value tree add up to 1
    expression: "abs(net_weight + tenure_weight + repurchase_weight - 1) < 1e-9"
*/
WITH products AS (
    SELECT v.customer_key, l.product_id, min(v.bdate) < max(v.bdate) AS bought_again
    FROM core.order_lines AS l
    INNER JOIN core.valid_orders AS v ON v.order_id = l.order_id
    WHERE l.valid
    GROUP BY v.customer_key, l.product_id
),
repurchases AS (
    SELECT customer_key, CAST(count(*) FILTER (WHERE bought_again) AS DOUBLE) / count(*) AS repurchase_share
    FROM products
    GROUP BY customer_key
),
histories AS (
    SELECT
        customer_key,
        CAST(coalesce(sum(net) FILTER (WHERE bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)), 0) AS DECIMAL(18, 4))
            AS net,
        ($as_of - min(bdate)) / 30.4375 AS tenure_months
    FROM core.valid_orders
    WHERE bdate < $as_of
    GROUP BY customer_key
),
branches AS (
    SELECT
        h.customer_key,
        h.net,
        CAST(h.tenure_months AS DOUBLE) AS tenure_months,
        coalesce(p.repurchase_share, 0.0) AS repurchase_share
    FROM histories AS h
    LEFT JOIN repurchases AS p ON p.customer_key = h.customer_key
),
ranks AS (
    SELECT
        customer_key,
        net,
        tenure_months,
        repurchase_share,
        percent_rank() OVER (ORDER BY net) AS net_rank,
        percent_rank() OVER (ORDER BY tenure_months) AS tenure_rank,
        percent_rank() OVER (ORDER BY repurchase_share) AS repurchase_rank,
        CAST($value_net_weight AS DOUBLE) AS net_weight,
        CAST($value_tenure_weight AS DOUBLE) AS tenure_weight,
        CAST($value_repurchase_weight AS DOUBLE) AS repurchase_weight
    FROM branches
),
scores AS (
    SELECT
        *,
        net_weight * net_rank + tenure_weight * tenure_rank + repurchase_weight * repurchase_rank AS score
    FROM ranks
),
-- It asks for the key, which it does not need, because the engine ranks once for both readers only where they ask for the same columns.
cuts AS (
    SELECT
        percentile_cont(0.4) WITHIN GROUP (ORDER BY score) AS low,
        percentile_cont(0.8) WITHIN GROUP (ORDER BY score) AS high
    FROM scores
    WHERE customer_key IS NOT NULL
)
SELECT
    s.customer_key,
    s.net,
    s.tenure_months,
    s.repurchase_share,
    s.net_rank,
    s.tenure_rank,
    s.repurchase_rank,
    s.net_weight,
    s.tenure_weight,
    s.repurchase_weight,
    s.score,
    CASE WHEN s.score >= c.high THEN 'high' WHEN s.score < c.low THEN 'low' ELSE 'middle' END AS value_class
FROM scores AS s
CROSS JOIN cuts AS c
