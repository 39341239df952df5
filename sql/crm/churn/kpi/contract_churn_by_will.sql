/* matins
description: >
  One row per month and kind of loss: of the customers under contract on the month's first day, the share lost in it by their
  own will (voluntary), without it (involuntary), or nobody knows how.
formula: "ended and not renewed in this way ÷ under contract on the first day"
rules:
  - Involuntary are the reasons in `involuntary_reasons`, a list with commas that the pipeline can replace; in any letter case.
    Every other reason is voluntary, and `unknown` is where nobody wrote one down.
  - Kinds of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. A month in
    which less than 5 were lost has no rows.
  - Months that `kpi.contract_churn` has no value of are not in it.
columns:
  dimension: voluntary, involuntary, unknown or few
  numerator: customers whose last day under contract lies in the month, lost in this way
  denominator: customers under contract on the month's first day
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period, dimension]
checks:
  - name: the kinds of a month add up to those lost in it
    query: >
      SELECT w.period
      FROM (SELECT period, sum(numerator) AS lost FROM kpi.contract_churn_by_will GROUP BY period) AS w
      INNER JOIN kpi.contract_churn AS c ON c.period = w.period
      WHERE w.lost <> c.numerator
*/
WITH losses AS (
    SELECT
        c.period,
        c.n,
        CASE
            WHEN s.reason IS NULL THEN 'unknown'
            WHEN strpos(
                concat(',', replace(lower($involuntary_reasons), ', ', ','), ','), concat(',', lower(trim(s.reason)), ',')
            ) > 0 THEN 'involuntary'
            ELSE 'voluntary'
        END AS kind,
        count(*) AS k
    FROM kpi.contract_churn AS c
    INNER JOIN churn.contracts AS s
        ON s.began_on <= c.period AND s.ended_on > c.period AND s.ended_on <= CAST(c.period + INTERVAL '1 month' AS DATE)
    WHERE NOT c.provisional
    GROUP BY 1, 2, 3
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(k) OVER (
            PARTITION BY period ORDER BY k, kind ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM losses
),
told AS (
    SELECT
        period,
        n,
        CASE WHEN k < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE kind END AS kind,
        CAST(sum(k) AS BIGINT) AS k
    FROM sizes
    GROUP BY 1, 2, 3
    HAVING sum(k) >= 5
)
SELECT
    period,
    kind AS dimension,
    CAST(k AS DOUBLE) / n AS value,
    k AS numerator,
    n AS denominator,
    n,
    wilson_low(k, n) AS low,
    wilson_high(k, n) AS high,
    FALSE AS provisional
FROM told
ORDER BY period, dimension
