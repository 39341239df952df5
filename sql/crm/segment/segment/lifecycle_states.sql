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
days AS (
    SELECT
        p.customer_key,
        p.bdate,
        p.orders,
        p.net,
        p.bdate - p.previous_day > (SELECT lost_after FROM limits) AS returns,
        p.bdate >= CAST($as_of - INTERVAL '12 months' AS DATE) AS in_year,
        p.bdate < CAST($as_of - INTERVAL '12 months' AS DATE)
        AND p.bdate >= CAST($as_of - INTERVAL '24 months' AS DATE) AS in_last_year,
        p.bdate < $prev_as_of AS earlier,
        p.bdate < $prev_as_of AND p.bdate >= CAST($prev_as_of - INTERVAL '12 months' AS DATE) AS in_earlier_year,
        p.bdate < CAST($prev_as_of - INTERVAL '12 months' AS DATE)
        AND p.bdate >= CAST($prev_as_of - INTERVAL '24 months' AS DATE) AS in_earlier_last_year
    FROM core.purchase_days AS p
),
-- Both moments in one pass over the days, since grouping them is what costs; `earlier_` is as of `$prev_as_of`.
histories AS (
    SELECT
        customer_key,
        min(bdate) AS first_order,
        max(bdate) AS last_order,
        sum(orders) AS orders,
        count(*) AS days,
        max(bdate) FILTER (WHERE returns) AS came_back,
        sum(net) FILTER (WHERE in_year) AS net_year,
        sum(net) FILTER (WHERE in_last_year) AS net_last_year,
        max(bdate) FILTER (WHERE earlier) AS earlier_last_order,
        sum(orders) FILTER (WHERE earlier) AS earlier_orders,
        count(*) FILTER (WHERE earlier) AS earlier_days,
        max(bdate) FILTER (WHERE earlier AND returns) AS earlier_came_back,
        sum(net) FILTER (WHERE in_earlier_year) AS earlier_net_year,
        sum(net) FILTER (WHERE in_earlier_last_year) AS earlier_net_last_year
    FROM days
    GROUP BY customer_key
),
gaps AS (
    SELECT
        customer_key,
        CAST(bdate - previous_day AS DOUBLE) AS gap,
        CASE WHEN bdate < $prev_as_of THEN CAST(bdate - previous_day AS DOUBLE) END AS earlier_gap
    FROM core.purchase_days
    WHERE days >= 4
),
own_rhythms AS (
    SELECT
        customer_key,
        percentile_cont(0.75) WITHIN GROUP (ORDER BY gap) AS own_gap,
        percentile_cont(0.75) WITHIN GROUP (ORDER BY earlier_gap) AS earlier_own_gap
    FROM gaps
    GROUP BY customer_key
),
-- What is held while the other side passes by stands first: the narrow one.
known AS (
    SELECT
        c.customer_key,
        c.created_on,
        h.first_order,
        h.last_order,
        h.orders,
        h.days,
        h.came_back,
        h.net_year,
        h.net_last_year,
        h.own_gap,
        h.earlier_last_order,
        h.earlier_orders,
        h.earlier_days,
        h.earlier_came_back,
        h.earlier_net_year,
        h.earlier_net_last_year,
        h.earlier_own_gap
    FROM core.customers AS c
    LEFT JOIN (
        SELECT d.*, o.own_gap, o.earlier_own_gap
        FROM own_rhythms AS o
        RIGHT JOIN histories AS d ON d.customer_key = o.customer_key
    ) AS h ON h.customer_key = c.customer_key
),
looked_back AS (
    SELECT
        t.as_of,
        k.customer_key,
        k.created_on,
        CASE WHEN t.as_of = $as_of OR k.earlier_days > 0 THEN k.first_order END AS first_order,
        CASE WHEN t.as_of = $as_of THEN k.last_order ELSE k.earlier_last_order END AS last_order,
        coalesce(CASE WHEN t.as_of = $as_of THEN k.orders ELSE k.earlier_orders END, 0) AS orders,
        coalesce(CASE WHEN t.as_of = $as_of THEN k.days ELSE k.earlier_days END, 0) AS days,
        CASE WHEN t.as_of = $as_of THEN k.came_back ELSE k.earlier_came_back END AS came_back,
        CASE WHEN t.as_of = $as_of THEN k.net_year ELSE k.earlier_net_year END AS net_year,
        CASE WHEN t.as_of = $as_of THEN k.net_last_year ELSE k.earlier_net_last_year END AS net_last_year,
        CASE WHEN t.as_of = $as_of THEN k.own_gap ELSE k.earlier_own_gap END AS own_gap
    FROM segment.rhythm AS t
    CROSS JOIN known AS k
),
states AS (
    SELECT
        b.as_of,
        b.customer_key,
        b.first_order,
        b.last_order,
        b.orders,
        CASE
            WHEN b.days = 0 THEN 'potential'
            WHEN b.as_of - b.last_order > r.lost_after THEN 'lost'
            WHEN b.as_of - b.came_back <= 90 THEN 'won-back'
            WHEN b.as_of - b.first_order <= 90 AND b.orders = 1 THEN 'new'
            WHEN b.orders >= 2
                AND b.as_of - b.last_order > CASE WHEN b.days >= 4 THEN b.own_gap ELSE r.late_after END THEN 'at-risk'
            WHEN b.orders >= 2 AND b.net_last_year > 0 AND 10 * b.net_year >= 11 * b.net_last_year THEN 'expanding'
            WHEN b.orders >= 2 THEN 'retained'
            ELSE 'one-time'
        END AS state
    FROM limits AS r
    CROSS JOIN looked_back AS b
    WHERE b.created_on < b.as_of OR b.days > 0
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
