/* matins
description: >
  One row per moment and customer known before it: where the customer stands between first contact and loss. The moments are
  `$as_of` and `$prev_as_of`.
grain: one row per moment and customer
rules:
  - "The first that holds: potential, no valid order yet; lost, silent for longer than `lost_after` of `segment.rhythm`;
    won-back, came back within 90 days after a gap longer than that; new, first order within 90 days and no second;
    at-risk, silent for longer than the third quartile of the own gaps (of everybody's with fewer than 4 purchase days);
    expanding, net of 12 months at least 1.1 × that of the 12 months before, which was not zero; retained, two orders or
    more; one-time, the rest."
  - Both moments are held against the rhythm at `$as_of`, so that nobody who stays silent leaves the lost because others came back
    after long gaps. What was published a month ago may have been held against another.
  - A customer of whom nothing but orders is known is there from the first of them on.
  - New categories and referrals do not make a customer expanding, since few companies export them.
  - By orders alone. Where there are contracts, `churn.lifecycle_states` says who is lost because one ended.
columns:
  as_of: the moment looked back from
  first_order: date of the first valid order
  last_order: date of the last valid order before the moment
  orders: valid orders before the moment
  state: potential, new, one-time, retained, expanding, at-risk, won-back or lost
  phase: "客户生命周期: 识别, 激活, 留存, 扩展; NULL when lost"
  category: "价值分类: 潜在, 新, 成熟, 流失"
key: [as_of, customer_key]
checks:
  - accepted:
      column: state
      values: [potential, new, one-time, retained, expanding, at-risk, won-back, lost]
*/
WITH limits AS (
    SELECT lost_after, late_after
    FROM segment.rhythm
    WHERE as_of = $as_of
),
-- Every purchase day at each moment it lies before.
looked_back AS (
    SELECT $as_of AS as_of, customer_key, bdate, orders, net, bdate - previous_day AS gap, days
    FROM core.purchase_days
    UNION ALL
    SELECT $prev_as_of AS as_of, customer_key, bdate, orders, net, bdate - previous_day AS gap, days
    FROM core.purchase_days
    WHERE bdate < $prev_as_of
),
own_rhythms AS (
    SELECT as_of, customer_key, percentile_cont(0.75) WITHIN GROUP (ORDER BY CAST(gap AS DOUBLE)) AS own_gap
    FROM looked_back
    WHERE days >= 4
    GROUP BY as_of, customer_key
),
histories AS (
    SELECT
        g.as_of,
        g.customer_key,
        min(g.bdate) AS first_order,
        max(g.bdate) AS last_order,
        sum(g.orders) AS orders,
        count(*) AS days,
        max(g.bdate) FILTER (WHERE g.gap > r.lost_after) AS came_back,
        sum(g.net) FILTER (WHERE g.bdate >= CAST(g.as_of - INTERVAL '12 months' AS DATE)) AS net_year,
        sum(g.net) FILTER (
            WHERE g.bdate < CAST(g.as_of - INTERVAL '12 months' AS DATE)
                AND g.bdate >= CAST(g.as_of - INTERVAL '24 months' AS DATE)
        ) AS net_before
    FROM looked_back AS g
    CROSS JOIN limits AS r
    GROUP BY g.as_of, g.customer_key
),
states AS (
    SELECT
        t.as_of,
        c.customer_key,
        h.first_order,
        h.last_order,
        coalesce(h.orders, 0) AS orders,
        CASE
            WHEN h.customer_key IS NULL THEN 'potential'
            WHEN t.as_of - h.last_order > r.lost_after THEN 'lost'
            WHEN t.as_of - h.came_back <= 90 THEN 'won-back'
            WHEN t.as_of - h.first_order <= 90 AND h.orders = 1 THEN 'new'
            WHEN h.orders >= 2
                AND t.as_of - h.last_order > CASE WHEN h.days >= 4 THEN o.own_gap ELSE r.late_after END THEN 'at-risk'
            WHEN h.orders >= 2 AND h.net_before > 0 AND h.net_year >= 1.1 * h.net_before THEN 'expanding'
            WHEN h.orders >= 2 THEN 'retained'
            ELSE 'one-time'
        END AS state
    FROM segment.rhythm AS t
    CROSS JOIN limits AS r
    CROSS JOIN core.customers AS c
    LEFT JOIN histories AS h ON h.as_of = t.as_of AND h.customer_key = c.customer_key
    LEFT JOIN own_rhythms AS o ON o.as_of = t.as_of AND o.customer_key = c.customer_key
    WHERE c.created_on < t.as_of OR h.customer_key IS NOT NULL
)
SELECT
    as_of,
    customer_key,
    first_order,
    last_order,
    CAST(orders AS BIGINT) AS orders,
    state,
    CASE
        WHEN state = 'potential' THEN '识别'
        WHEN state IN ('won-back', 'new', 'one-time') THEN '激活'
        WHEN state IN ('at-risk', 'retained') THEN '留存'
        WHEN state = 'expanding' THEN '扩展'
    END AS phase,
    CASE
        WHEN state = 'potential' THEN '潜在'
        WHEN state IN ('won-back', 'new', 'one-time') THEN '新'
        WHEN state = 'lost' THEN '流失'
        ELSE '成熟'
    END AS category
FROM states
