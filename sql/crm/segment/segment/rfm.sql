/* matins
description: >
  One row per customer with a valid order in the 24 months before `$as_of`: recency, frequency and money, each scored 1 to 5
  against the quintiles of the base. Equal values always share a score. Where frequency hardly varies (four equal
  thresholds) fixed cuts 1, 2, 3, 4–5, 6+ stand in.
columns:
  recency_days: days from the last valid order to `$as_of`
  frequency: days with a purchase
  orders: valid orders
  net: as originated
  r: 5 is the most recent fifth
  f: 5 is the most frequent fifth
  m: 5 is the fifth that spends most
  segment: the first rule that matches; rarer, more telling rules stand before the wider ones that would swallow them
key: [customer_key]
*/
WITH customer_facts AS (
    SELECT
        customer_key,
        max(bdate) AS last_order,
        $as_of - max(bdate) AS recency_days,
        count(DISTINCT bdate) AS frequency,
        count(*) AS orders,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net
    FROM core.valid_orders
    WHERE bdate >= CAST($as_of - INTERVAL '24 months' AS DATE) AND bdate < $as_of
    GROUP BY customer_key
),
thresholds AS (
    SELECT
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
),
cuts AS (
    SELECT
        r20, r40, r60, r80, m20, m40, m60, m80,
        CASE WHEN f20 = f80 THEN 1.0 ELSE f20 END AS f20,
        CASE WHEN f20 = f80 THEN 2.0 ELSE f40 END AS f40,
        CASE WHEN f20 = f80 THEN 3.0 ELSE f60 END AS f60,
        CASE WHEN f20 = f80 THEN 5.0 ELSE f80 END AS f80
    FROM thresholds
),
scores AS (
    SELECT
        c.customer_key,
        c.last_order,
        c.recency_days,
        c.frequency,
        c.orders,
        c.net,
        CASE
            WHEN c.recency_days > t.r80 THEN 1
            WHEN c.recency_days > t.r60 THEN 2
            WHEN c.recency_days > t.r40 THEN 3
            WHEN c.recency_days > t.r20 THEN 4
            ELSE 5
        END AS r,
        CASE
            WHEN c.frequency > t.f80 THEN 5
            WHEN c.frequency > t.f60 THEN 4
            WHEN c.frequency > t.f40 THEN 3
            WHEN c.frequency > t.f20 THEN 2
            ELSE 1
        END AS f,
        CASE
            WHEN CAST(c.net AS DOUBLE) > t.m80 THEN 5
            WHEN CAST(c.net AS DOUBLE) > t.m60 THEN 4
            WHEN CAST(c.net AS DOUBLE) > t.m40 THEN 3
            WHEN CAST(c.net AS DOUBLE) > t.m20 THEN 2
            ELSE 1
        END AS m
    FROM customer_facts AS c
    CROSS JOIN cuts AS t
)
SELECT
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
        WHEN r >= 4 AND f = 1 AND m = 1 THEN 'New'
        WHEN r = 3 AND f = 1 AND m = 1 THEN 'Promising'
        WHEN r >= 3 AND f <= 3 AND m <= 3 THEN 'Potential loyalist'
        WHEN r BETWEEN 2 AND 3 AND f BETWEEN 2 AND 3 AND m BETWEEN 2 AND 3 THEN 'Need attention'
        WHEN r BETWEEN 2 AND 3 AND f <= 2 AND m <= 2 THEN 'About to sleep'
        WHEN r = 1 AND f >= 4 AND m >= 4 THEN 'Can''t lose'
        WHEN r <= 2 AND f >= 2 AND m >= 2 THEN 'At risk'
        WHEN r <= 2 AND f <= 2 AND m <= 2 THEN 'Lost'
        ELSE 'Others'
    END AS segment
FROM scores
