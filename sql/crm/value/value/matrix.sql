/* matins
description: >
  One row per field of value by potential, of the customers with a valid order in the 12 months before `$as_of`: what they brought in these
  beside what is expected of the next 12.
formula: "value: net of the 12 months, high from its 0.8 quantile on; potential: `clv_12` of `value.scores`, high from its 0.8 quantile on"
grain: one row per field
rules:
  - "keep, high in both; develop, potential alone; defend, value alone, since less is expected of those who brought much; maintain, the
    rest."
  - Quantiles are continuous (type 7), and whoever stands on one is above it. Where more than a fifth stand on it, more are high.
  - Fields of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows for less than
    5 customers in all, nor where the models of `value.models` could not be fitted.
reference:
  - "catalogue: identification–selection matrix (识别选择矩阵); the cuts are ours, as those of the value tree"
  - "Venkatesan & Kumar 2004, J. of Marketing 68(4):106, on choosing customers by expected value"
columns:
  field: keep, develop, defend, maintain or few
  customers: in the field
  customer_share: of all in the matrix
  net: as originated, in the 12 months
  net_share: of the net of all in the matrix
  expected: value expected of the next 12 months
  expected_share: of that of all in the matrix
key: [field]
closed: month
checks:
  - accepted: {column: field, values: [keep, develop, defend, maintain, few]}
*/
WITH customers AS (
    SELECT t.customer_key, t.net, s.clv_12
    FROM segment.tiers AS t
    INNER JOIN value.scores AS s ON s.customer_key = t.customer_key
    WHERE t.as_of = $as_of AND s.clv_12 IS NOT NULL
),
cuts AS (
    SELECT
        percentile_cont(0.8) WITHIN GROUP (ORDER BY CAST(net AS DOUBLE)) AS net,
        percentile_cont(0.8) WITHIN GROUP (ORDER BY clv_12) AS clv_12
    FROM customers
),
placed AS (
    SELECT
        CASE
            WHEN CAST(c.net AS DOUBLE) >= q.net AND c.clv_12 >= q.clv_12 THEN 'keep'
            WHEN c.clv_12 >= q.clv_12 THEN 'develop'
            WHEN CAST(c.net AS DOUBLE) >= q.net THEN 'defend'
            ELSE 'maintain'
        END AS field,
        c.net,
        c.clv_12
    FROM customers AS c
    CROSS JOIN cuts AS q
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (ORDER BY customers, field ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller
    FROM (
        SELECT field, count(*) AS customers, sum(net) AS net, sum(clv_12) AS expected
        FROM placed
        GROUP BY field
    ) AS fields
),
groups AS (
    SELECT
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE field END AS field,
        CAST(sum(customers) AS BIGINT) AS customers,
        sum(net) AS net,
        sum(expected) AS expected
    FROM sizes
    GROUP BY 1
    HAVING sum(customers) >= 5
)
SELECT
    field,
    customers,
    CAST(customers AS DOUBLE) / sum(customers) OVER () AS customer_share,
    CAST(net AS DECIMAL(18, 4)) AS net,
    CAST(net AS DOUBLE) / CAST(nullif(sum(net) OVER (), 0) AS DOUBLE) AS net_share,
    expected,
    expected / nullif(sum(expected) OVER (), 0) AS expected_share
FROM groups
ORDER BY expected DESC, field
