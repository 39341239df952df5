/* matins
description: >
  One row per core table and dimension of quality: of what was checked, how much failed. Rows that the contract or a check of
  severity quarantine took out are not in the tables any more; `system.quarantine` and the balance of each source count them.
formula: "score = 1 − failing ÷ checked"
rules:
  - Completeness, a key figure is missing; validity, a value that cannot be; uniqueness, a key twice; consistency, a
    reference that leads nowhere.
  - A refund without its order is incomplete where others name theirs. Where none does, the company's export does not say it.
  - Timeliness, of the 28 days before `$as_of` those without an order, less those expected by the quietest weekday of the
    12 weeks before; accuracy, texts that look decoded with the wrong encoding.
reference: "ISO/IEC 25012; DAMA UK 2013, the six primary dimensions for data quality assessment"
columns:
  table_name: which core table
  checked: rows, values or days
  failing: of those
  score: NULL when nothing was checked
key: [table_name, dimension]
checks:
  - expression: "score IS NULL OR score BETWEEN 0 AND 1"
*/
WITH days AS (
    SELECT CAST(unnest(generate_series(
        CAST($as_of - INTERVAL '112 days' AS DATE),
        CAST($as_of - INTERVAL '1 day' AS DATE),
        INTERVAL '1 day'
    )) AS DATE) AS day
),
busy AS (
    SELECT DISTINCT bdate
    FROM core.orders
),
calendar AS (
    SELECT
        d.day,
        d.day >= CAST($as_of - INTERVAL '28 days' AS DATE) AS recent,
        b.bdate IS NOT NULL AS has_orders,
        count(b.bdate) FILTER (WHERE d.day < CAST($as_of - INTERVAL '28 days' AS DATE))
            OVER (PARTITION BY date_part('dow', d.day)) > 0 AS expected
    FROM days AS d
    LEFT JOIN busy AS b ON b.bdate = d.day
),
-- The largest tables are read once for all that is counted by row.
order_totals AS (
    SELECT
        count(*) AS orders,
        3 * count(*) - count(customer_key) - count(bdate) - count(net) AS missing,
        count(*) FILTER (WHERE bdate >= $as_of OR (valid AND net <= 0)) AS invalid,
        count(*) - count(DISTINCT order_id) AS repeated
    FROM core.orders
),
line_totals AS (
    SELECT
        count(*) AS lines,
        3 * count(*) - count(product_id) - count(quantity) - count(net) AS missing,
        count(*) FILTER (WHERE valid AND (quantity <= 0 OR net < 0)) AS invalid
    FROM core.order_lines
),
lost_lines AS (
    SELECT count(*) AS lines
    FROM core.order_lines AS l
    WHERE NOT EXISTS (SELECT 1 FROM core.orders AS o WHERE o.order_id = l.order_id)
),
counts AS (
    SELECT
        'core.customers' AS table_name,
        'uniqueness' AS dimension,
        count(*) AS checked,
        count(*) - count(DISTINCT customer_key) AS failing
    FROM core.customers
    UNION ALL
    SELECT
        'core.customers' AS table_name,
        'validity' AS dimension,
        count(created_on) AS checked,
        count(*) FILTER (WHERE created_on >= $as_of) AS failing
    FROM core.customers
    UNION ALL
    SELECT
        'core.customers' AS table_name,
        'accuracy' AS dimension,
        count(name) AS checked,
        count(*) FILTER (WHERE mojibake_score(name) > 0) AS failing
    FROM core.customers
    UNION ALL
    SELECT
        'core.orders' AS table_name,
        d.dimension,
        CASE WHEN d.dimension = 'completeness' THEN 3 * t.orders ELSE t.orders END AS checked,
        CASE d.dimension WHEN 'completeness' THEN t.missing WHEN 'validity' THEN t.invalid ELSE t.repeated END AS failing
    FROM order_totals AS t
    CROSS JOIN (VALUES ('completeness'), ('validity'), ('uniqueness')) AS d (dimension)
    UNION ALL
    SELECT
        'core.orders' AS table_name,
        'consistency' AS dimension,
        count(o.customer_key) AS checked,
        count(o.customer_key) - count(c.customer_key) AS failing
    FROM core.orders AS o
    LEFT JOIN core.customers AS c ON c.customer_key = o.customer_key
    UNION ALL
    SELECT
        'core.orders' AS table_name,
        'timeliness' AS dimension,
        count(*) FILTER (WHERE recent AND expected) AS checked,
        count(*) FILTER (WHERE recent AND expected AND NOT has_orders) AS failing
    FROM calendar
    UNION ALL
    SELECT
        'core.order_lines' AS table_name,
        d.dimension,
        CASE WHEN d.dimension = 'completeness' THEN 3 * t.lines ELSE t.lines END AS checked,
        CASE d.dimension WHEN 'completeness' THEN t.missing WHEN 'validity' THEN t.invalid ELSE l.lines END AS failing
    FROM line_totals AS t
    CROSS JOIN lost_lines AS l
    CROSS JOIN (VALUES ('completeness'), ('validity'), ('consistency')) AS d (dimension)
    UNION ALL
    SELECT
        'core.refunds' AS table_name,
        'completeness' AS dimension,
        count(*) + CASE WHEN count(order_id) = 0 THEN 0 ELSE count(*) END AS checked,
        count(*) - count(bdate) + CASE WHEN count(order_id) = 0 THEN 0 ELSE count(*) - count(order_id) END AS failing
    FROM core.refunds
    UNION ALL
    SELECT
        'core.refunds' AS table_name,
        'validity' AS dimension,
        count(*) AS checked,
        count(*) FILTER (WHERE amount <= 0 OR bdate >= $as_of) AS failing
    FROM core.refunds
    UNION ALL
    SELECT
        'core.refunds' AS table_name,
        'consistency' AS dimension,
        count(r.order_id) AS checked,
        count(r.order_id) - count(o.order_id) AS failing
    FROM core.refunds AS r
    LEFT JOIN core.orders AS o ON o.order_id = r.order_id
)
SELECT
    table_name,
    dimension,
    checked,
    failing,
    1 - CAST(failing AS DOUBLE) / nullif(checked, 0) AS score
FROM counts
ORDER BY table_name, dimension
