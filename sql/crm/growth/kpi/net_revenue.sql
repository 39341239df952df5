/* matins
description: >
  One row per month: what valid orders brought in the month, less the refunds of such orders paid in it (accounting view).
  Before tax and freight. A refund that does not say which order it belongs to is not taken off.
columns:
  value: ordered less refunded
  numerator: NULL, since it is no ratio
  denominator: NULL, since it is no ratio
  n: valid orders of the month, those refunded in full included
key: [period]
*/
WITH sales AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, sum(net) AS ordered, count(*) AS orders
    FROM core.orders
    WHERE valid AND customer_key IS NOT NULL AND bdate < $as_of
    GROUP BY 1
),
paid_back AS (
    SELECT CAST(date_trunc('month', r.bdate) AS DATE) AS month, sum(r.amount) AS refunded
    FROM core.refunds AS r
    INNER JOIN core.orders AS o ON o.order_id = r.order_id
    WHERE o.valid AND o.customer_key IS NOT NULL AND r.bdate < $as_of
    GROUP BY 1
)
SELECT
    m.month AS period,
    CAST(coalesce(s.ordered, 0) - coalesce(p.refunded, 0) AS DECIMAL(18, 4)) AS value,
    CAST(NULL AS DECIMAL(18, 4)) AS numerator,
    CAST(NULL AS DECIMAL(18, 4)) AS denominator,
    coalesce(s.orders, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM core.months AS m
LEFT JOIN sales AS s ON s.month = m.month
LEFT JOIN paid_back AS p ON p.month = m.month
ORDER BY period
