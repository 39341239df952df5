/* matins
description: >
  One row per month and reason: of the customers under contract on the month's first day, the share lost in it for this reason.
formula: "ended and not renewed for the reason ÷ under contract on the first day"
rules:
  - The reason of the last term; `unknown` where nobody wrote it down.
  - Reasons of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. A month in which
    less than 5 were lost has no rows.
  - Months that `kpi.contract_churn` has no value of are not in it.
columns:
  dimension: the reason
  numerator: customers whose last day under contract lies in the month, lost for the reason
  denominator: customers under contract on the month's first day
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period, dimension]
checks:
  - name: the reasons of a month add up to those lost in it
    query: >
      SELECT r.period
      FROM (SELECT period, sum(numerator) AS lost FROM kpi.contract_churn_by_reason GROUP BY period) AS r
      INNER JOIN kpi.contract_churn AS c ON c.period = r.period
      WHERE r.lost <> c.numerator
*/
WITH losses AS (
    SELECT c.period, c.n, coalesce(s.reason, 'unknown') AS reason, count(*) AS k
    FROM kpi.contract_churn AS c
    INNER JOIN churn.contracts AS s
        ON s.began_on <= c.period AND s.ended_on > c.period AND s.ended_on <= CAST(c.period + INTERVAL '1 month' AS DATE)
    WHERE NOT c.provisional
    GROUP BY c.period, c.n, coalesce(s.reason, 'unknown')
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(k) OVER (
            PARTITION BY period ORDER BY k, reason ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM losses
),
told AS (
    SELECT
        period,
        n,
        CASE WHEN k < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE reason END AS reason,
        CAST(sum(k) AS BIGINT) AS k
    FROM sizes
    GROUP BY 1, 2, 3
    HAVING sum(k) >= 5
)
SELECT
    period,
    reason AS dimension,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    FALSE AS provisional
FROM told
ORDER BY period, dimension
