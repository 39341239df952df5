/* matins
description: One row, for the day before `$as_of`, the score of the worst core table (`quality.tables`), not their mean.
formula: "min over tables of the mean over dimensions of 1 − failing ÷ checked"
rules:
  - Only the present is reckoned; earlier values are kept with the snapshots that published them. It is a state at the end of a day, which
    is over, so it is never provisional; having one period, it is compared with none.
reference: "ISO/IEC 25012; DAMA UK 2013"
columns:
  numerator: NULL, since it is a mean of shares
  denominator: NULL, since it is a mean of shares
  n: rows, values and days that were checked
  low: NULL, since everything there is was checked
  high: NULL, since everything there is was checked
key: [period]
*/
WITH checked AS (
    SELECT CAST(sum(checked) AS BIGINT) AS n
    FROM quality.dimensions
),
worst AS (
    SELECT min(score) AS score
    FROM quality.tables
)
SELECT
    CAST($as_of - INTERVAL '1 day' AS DATE) AS period,
    w.score AS value,
    CAST(NULL AS DOUBLE) AS numerator,
    CAST(NULL AS DOUBLE) AS denominator,
    c.n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    FALSE AS provisional
FROM worst AS w
CROSS JOIN checked AS c
