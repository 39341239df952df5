/* matins
description: >
  One row per moment and customer with a valid order in the 24 months before it: recency, frequency and money, each scored 1
  to 5 against the quintiles of the base. The moments are `$as_of` and `$prev_as_of`, a month earlier, so that
  `segment.migration` can compare them.
grain: one row per moment and customer
rules:
  - Equal values always share a score.
  - Where frequency hardly varies (four equal thresholds) fixed cuts 1, 2, 3, 4–5, 6+ stand in.
  - Frequency and money come from the same 24 months.
  - The first segment that matches counts; rarer, more telling rules stand before the wider ones that would swallow them.
  - With `rfm_compat` scores and segments are those of R's package rfm, for whoever compares with it. A cut is passed at the cut and
    one, there are no fixed cuts, and New, Promising and Can't lose stand where the wider rules leave them nobody.
reference:
  - "Type-7 quantiles: Hyndman & Fan 1996, The American Statistician 50:361"
  - "Segments: R package rfm, in another order, since its own leaves New, Promising and Can't lose without customers"
columns:
  as_of: the moment looked back from
  recency_days: days from the last valid order to the moment
  frequency: days with a purchase
  orders: valid orders
  net: as originated
  r: 5 is the most recent fifth
  f: 5 is the most frequent fifth
  m: 5 is the fifth that spends most
  segment: by r, f and m
  cell: "the eight cells of Chinese practice: 重要 or 一般 by money, then 价值, 发展, 保持 or 挽留 by recency and frequency, each against the mean of the base"
key: [as_of, customer_key]
*/
WITH moments AS (
    SELECT $as_of AS as_of
    UNION ALL
    SELECT $prev_as_of AS as_of
),
days AS (
    SELECT
        customer_key,
        bdate,
        orders,
        net,
        bdate >= CAST($as_of - INTERVAL '24 months' AS DATE) AS counts_now,
        bdate < $prev_as_of AS counts_before
    FROM core.purchase_days
    WHERE bdate >= CAST($prev_as_of - INTERVAL '24 months' AS DATE)
),
-- Both moments in one pass over the days, since grouping them is what costs.
histories AS (
    SELECT
        customer_key,
        max(bdate) FILTER (WHERE counts_now) AS last_order,
        count(*) FILTER (WHERE counts_now) AS frequency,
        sum(orders) FILTER (WHERE counts_now) AS orders,
        sum(net) FILTER (WHERE counts_now) AS net,
        max(bdate) FILTER (WHERE counts_before) AS last_order_before,
        count(*) FILTER (WHERE counts_before) AS frequency_before,
        sum(orders) FILTER (WHERE counts_before) AS orders_before,
        sum(net) FILTER (WHERE counts_before) AS net_before
    FROM days
    GROUP BY customer_key
),
looked_back AS (
    SELECT
        t.as_of,
        h.customer_key,
        CASE WHEN t.as_of = $as_of THEN h.last_order ELSE h.last_order_before END AS last_order,
        CASE WHEN t.as_of = $as_of THEN h.frequency ELSE h.frequency_before END AS frequency,
        CASE WHEN t.as_of = $as_of THEN h.orders ELSE h.orders_before END AS orders,
        CASE WHEN t.as_of = $as_of THEN h.net ELSE h.net_before END AS net
    FROM moments AS t
    CROSS JOIN histories AS h
),
-- Both readers of it ask for `orders`, so the engine makes `histories` once.
customer_facts AS (
    SELECT
        as_of,
        customer_key,
        last_order,
        as_of - last_order AS recency_days,
        frequency,
        orders,
        CAST(net AS DECIMAL(18, 4)) AS net
    FROM looked_back
    WHERE orders > 0
),
thresholds AS (
    SELECT
        as_of,
        avg(CAST(recency_days AS DOUBLE)) AS mean_recency_days,
        avg(CAST(frequency AS DOUBLE)) AS mean_frequency,
        count(*) AS customers,
        sum(net) AS total_net,
        percentile_cont(0.2) WITHIN GROUP (ORDER BY recency_days) AS r20,
        percentile_cont(0.4) WITHIN GROUP (ORDER BY recency_days) AS r40,
        percentile_cont(0.6) WITHIN GROUP (ORDER BY recency_days) AS r60,
        percentile_cont(0.8) WITHIN GROUP (ORDER BY recency_days) AS r80,
        percentile_cont(0.2) WITHIN GROUP (ORDER BY frequency) AS f20,
        percentile_cont(0.4) WITHIN GROUP (ORDER BY frequency) AS f40,
        percentile_cont(0.6) WITHIN GROUP (ORDER BY frequency) AS f60,
        percentile_cont(0.8) WITHIN GROUP (ORDER BY frequency) AS f80,
        percentile_cont(0.2) WITHIN GROUP (ORDER BY CAST(net AS DOUBLE)) AS m20,
        percentile_cont(0.4) WITHIN GROUP (ORDER BY CAST(net AS DOUBLE)) AS m40,
        percentile_cont(0.6) WITHIN GROUP (ORDER BY CAST(net AS DOUBLE)) AS m60,
        percentile_cont(0.8) WITHIN GROUP (ORDER BY CAST(net AS DOUBLE)) AS m80
    FROM customer_facts
    GROUP BY as_of
),
cuts AS (
    SELECT
        as_of, mean_recency_days, mean_frequency, customers, total_net,
        r20, r40, r60, r80, m20, m40, m60, m80,
        CASE WHEN f20 = f80 AND NOT $rfm_compat THEN 1.0 ELSE f20 END AS f20,
        CASE WHEN f20 = f80 AND NOT $rfm_compat THEN 2.0 ELSE f40 END AS f40,
        CASE WHEN f20 = f80 AND NOT $rfm_compat THEN 3.0 ELSE f60 END AS f60,
        CASE WHEN f20 = f80 AND NOT $rfm_compat THEN 5.0 ELSE f80 END AS f80
    FROM thresholds
),
scores AS (
    SELECT
        c.as_of,
        c.customer_key,
        c.last_order,
        c.recency_days,
        c.frequency,
        c.orders,
        c.net,
        CASE
            WHEN $rfm_compat THEN 6 - quantile_score_rfm(c.recency_days, t.r20, t.r40, t.r60, t.r80)
            ELSE 6 - quantile_score(c.recency_days, t.r20, t.r40, t.r60, t.r80)
        END AS r,
        CASE
            WHEN $rfm_compat THEN quantile_score_rfm(c.frequency, t.f20, t.f40, t.f60, t.f80)
            ELSE quantile_score(c.frequency, t.f20, t.f40, t.f60, t.f80)
        END AS f,
        CASE
            WHEN $rfm_compat THEN quantile_score_rfm(CAST(c.net AS DOUBLE), t.m20, t.m40, t.m60, t.m80)
            ELSE quantile_score(CAST(c.net AS DOUBLE), t.m20, t.m40, t.m60, t.m80)
        END AS m,
        c.recency_days <= t.mean_recency_days AS recent,
        c.frequency >= t.mean_frequency AS frequent,
        -- Exactly, so that customers who all spend the same are all at the mean.
        c.net * t.customers >= t.total_net AS important
    FROM cuts AS t
    INNER JOIN customer_facts AS c ON c.as_of = t.as_of
)
SELECT
    as_of,
    customer_key,
    last_order,
    recency_days,
    frequency,
    orders,
    net,
    r,
    f,
    m,
    CASE
        WHEN r >= 4 AND f >= 4 AND m >= 4 THEN 'Champions'
        WHEN r >= 2 AND f >= 3 AND m >= 3 THEN 'Loyal'
        WHEN r >= 4 AND f = 1 AND m = 1 AND NOT $rfm_compat THEN 'New'
        WHEN r = 3 AND f = 1 AND m = 1 AND NOT $rfm_compat THEN 'Promising'
        WHEN r >= 3 AND f <= 3 AND m <= 3 THEN 'Potential loyalist'
        WHEN r BETWEEN 2 AND 3 AND f BETWEEN 2 AND 3 AND m BETWEEN 2 AND 3 THEN 'Need attention'
        WHEN r BETWEEN 2 AND 3 AND f <= 2 AND m <= 2 THEN 'About to sleep'
        WHEN r = 1 AND f >= 4 AND m >= 4 AND NOT $rfm_compat THEN 'Can''t lose'
        WHEN r <= 2 AND f >= 2 AND m >= 2 THEN 'At risk'
        WHEN r <= 2 AND f <= 2 AND m <= 2 THEN 'Lost'
        ELSE 'Others'
    END AS segment,
    CASE WHEN important THEN '重要' ELSE '一般' END || CASE
        WHEN recent AND frequent THEN '价值'
        WHEN recent THEN '发展'
        WHEN frequent THEN '保持'
        ELSE '挽留'
    END AS cell
FROM scores
