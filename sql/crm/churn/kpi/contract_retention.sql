/* matins
description: >
  One row per month: of the terms of contracts that ended in it, the share that was renewed (contractual retention).
formula: "renewed ÷ due for renewal"
rules:
  - A term is due in the month of the last day it covers. One that has no end is never due, and a contract of three terms is due
    three times, so this is no complement of `kpi.contract_churn`, which counts customers.
  - Renewed by the source's word, or because a term of the same customer begins within `contract_grace_days` (15 unless the
    pipeline says otherwise) before or after its end.
  - A month has a value when the days of grace after it are over.
reference: "MASB, marketing-dictionary.org: the ratio of the number retained to the number at risk"
columns:
  numerator: of those due, renewed
  denominator: terms that ended in the month, the ones at risk
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH terms AS (
    SELECT customer_key, contract_id, starts_on, ends_on, coalesce(renewed, FALSE) AS renewed
    FROM core.contracts
    WHERE starts_on < $as_of AND customer_key IS NOT NULL
),
due AS (
    SELECT
        t.contract_id,
        t.starts_on,
        CAST(date_trunc('month', t.ends_on - INTERVAL '1 day') AS DATE) AS month,
        bool_or(t.renewed OR f.customer_key IS NOT NULL) AS renewed
    FROM terms AS t
    LEFT JOIN terms AS f
        ON f.customer_key = t.customer_key
        AND f.starts_on > t.starts_on
        AND f.starts_on >= t.ends_on - $contract_grace_days
        AND f.starts_on <= t.ends_on + $contract_grace_days
    WHERE t.ends_on <= $as_of
    GROUP BY t.contract_id, t.starts_on, t.ends_on
),
months AS (
    SELECT
        CAST(month AS DATE) AS month,
        CAST(month + INTERVAL '1 month' AS DATE) + $contract_grace_days >= $as_of AS provisional
    FROM (
        SELECT unnest(generate_series(
            CAST(date_trunc('month', min(starts_on)) AS DATE),
            CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
            INTERVAL '1 month'
        )) AS month
        FROM terms
    ) AS calendar
),
counts AS (
    SELECT month, count(*) AS n, count(*) FILTER (WHERE renewed) AS k
    FROM due
    GROUP BY month
)
SELECT
    m.month AS period,
    CASE WHEN NOT m.provisional THEN CAST(c.k AS DOUBLE) / c.n END AS value,
    coalesce(c.k, 0) AS numerator,
    coalesce(c.n, 0) AS denominator,
    coalesce(c.n, 0) AS n,
    CASE WHEN NOT m.provisional THEN wilson_low(c.k, c.n) END AS low,
    CASE WHEN NOT m.provisional THEN wilson_high(c.k, c.n) END AS high,
    m.provisional
FROM months AS m
LEFT JOIN counts AS c ON c.month = m.month
ORDER BY period
