/* matins
description: >
  One row per closed month that ends two whole years of orders: what the customers of the year before last brought in it, and what
  they have brought in the year since (trailing twelve months).
rules:
  - Only customers with net in the earlier year count, so new and resurrected ones are left out.
  - Every such month is there, however long ago, so that none loses the value it was published with. A shorter history has no row.
columns:
  base: net of the earlier twelve months
  kept: "of every customer the smaller of both years' net: without what grew"
  now: net of the same customers in the later twelve months
  customers: with net in the earlier year
key: [month]
closed: month
checks:
  - expression: "kept <= base AND kept <= now"
*/
WITH closed AS (
    SELECT month
    FROM core.months
    WHERE NOT provisional
        AND month >= (SELECT CAST(min(month) + INTERVAL '23 months' AS DATE) FROM core.months)
),
years AS (
    SELECT
        c.month,
        m.customer_key,
        coalesce(sum(m.net) FILTER (WHERE m.month <= CAST(c.month - INTERVAL '12 months' AS DATE)), 0) AS before,
        coalesce(sum(m.net) FILTER (WHERE m.month > CAST(c.month - INTERVAL '12 months' AS DATE)), 0) AS after
    FROM closed AS c
    INNER JOIN core.customer_months AS m
        ON m.month <= c.month AND m.month > CAST(c.month - INTERVAL '24 months' AS DATE)
    GROUP BY c.month, m.customer_key
)
SELECT
    month,
    CAST(sum(before) AS DECIMAL(18, 4)) AS base,
    CAST(sum(least(before, after)) AS DECIMAL(18, 4)) AS kept,
    CAST(sum(after) AS DECIMAL(18, 4)) AS now,
    count(*) AS customers
FROM years
WHERE before > 0
GROUP BY month
ORDER BY month
