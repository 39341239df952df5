/* matins
description: One row per core table, the mean of the scores of its dimensions, and how far to trust it.
rules: Every dimension weighs the same; amber below 0.95, red below 0.80.
columns:
  table_name: which core table
  dimensions: with something to check
  worst_dimension: the one with the lowest score
key: [table_name]
*/
WITH ranking AS (
    SELECT
        table_name,
        dimension,
        score,
        row_number() OVER (PARTITION BY table_name ORDER BY score, dimension) AS place
    FROM quality.dimensions
    WHERE score IS NOT NULL
),
means AS (
    SELECT
        table_name,
        count(*) AS dimensions,
        avg(score) AS score,
        max(dimension) FILTER (WHERE place = 1) AS worst_dimension
    FROM ranking
    GROUP BY table_name
)
SELECT
    table_name,
    dimensions,
    score,
    worst_dimension,
    CASE WHEN score < 0.8 THEN 'red' WHEN score < 0.95 THEN 'amber' ELSE 'green' END AS light
FROM means
ORDER BY score, table_name
