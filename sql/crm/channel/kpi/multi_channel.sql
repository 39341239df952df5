/* matins
description: >
  One row per month: of the customers with a valid order in the 12 months that end with it, the share that used two channels
  or more.
formula: "customers of two channels or more ÷ customers"
rules: An order whose channel is not known adds a customer, but no channel.
columns:
  numerator: customers of two channels or more
  denominator: customers with a valid order in the 12 months
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
closed: month
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
-- Numbers instead of texts: the least and the greatest of every customer are looked for.
WITH channels AS (
    SELECT channel, row_number() OVER (ORDER BY channel) AS number
    FROM (SELECT DISTINCT channel FROM core.orders WHERE channel IS NOT NULL) AS named
),
uses AS (
    SELECT v.customer_key, v.month, min(c.number) AS least, max(c.number) AS greatest
    FROM channels AS c
    INNER JOIN core.orders AS o ON o.channel = c.channel
    INNER JOIN core.valid_orders AS v ON v.order_id = o.order_id
    GROUP BY v.customer_key, v.month
),
pairs AS (
    SELECT
        customer_key,
        month,
        least < greatest AS several,
        lag(month) OVER history AS previous_month,
        lag(least) OVER history <> least OR lag(greatest) OVER history <> greatest AS changed,
        lead(month) OVER history AS next_month
    FROM uses
    WINDOW history AS (PARTITION BY customer_key ORDER BY month)
),
-- The 12 months hold two channels while they hold a month of two, or two months that follow each other among those with orders and
-- differ. `last_start` is the latest month with which they can begin for that.
starts AS (
    SELECT
        month,
        next_month,
        max(CASE WHEN several THEN month WHEN changed THEN previous_month END) OVER (
            PARTITION BY customer_key ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS last_start
    FROM pairs
),
-- Customers whose months are the same are one row, so that every month looks at few.
habits AS (
    SELECT month, next_month, last_start, count(*) AS customers
    FROM starts
    WHERE last_start IS NOT NULL
    GROUP BY month, next_month, last_start
),
several AS (
    SELECT m.month, sum(h.customers) AS customers
    FROM core.months AS m
    INNER JOIN habits AS h
        ON h.month <= m.month
        AND (h.next_month IS NULL OR h.next_month > m.month)
        AND h.last_start > CAST(m.month - INTERVAL '12 months' AS DATE)
    GROUP BY m.month
),
last_months AS (
    SELECT month, next_month, count(*) AS customers
    FROM core.customer_months
    GROUP BY month, next_month
),
active AS (
    SELECT m.month, sum(a.customers) AS customers
    FROM core.months AS m
    INNER JOIN last_months AS a
        ON a.month <= m.month
        AND (a.next_month IS NULL OR a.next_month > m.month)
        AND a.month > CAST(m.month - INTERVAL '12 months' AS DATE)
    GROUP BY m.month
),
months AS (
    SELECT
        m.month,
        m.provisional,
        CAST(coalesce(s.customers, 0) AS BIGINT) AS k,
        CAST(coalesce(a.customers, 0) AS BIGINT) AS n
    FROM core.months AS m
    LEFT JOIN active AS a ON a.month = m.month
    LEFT JOIN several AS s ON s.month = m.month
)
SELECT
    month AS period,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    provisional
FROM months
ORDER BY period
