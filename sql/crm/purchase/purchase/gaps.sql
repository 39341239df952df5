/* matins
description: >
  One row: how long customers wait between two purchase days, and how long it takes them to come back at all.
rules:
  - Gaps of customers who came back; biased short, since the gap that is still open is not counted. `median_to_second` is not, since
    it is taken from the Kaplan–Meier curve, which counts those who have not come back yet.
columns:
  gaps: gaps seen
  mean: days
  median: days
  p90: days, the ninth decile
  median_to_second: days from the first purchase day to the second, for half of all customers; NULL when fewer have come back
key: [gaps]
closed: month
*/
WITH gaps AS (
    SELECT CAST(bdate - previous_day AS DOUBLE) AS days
    FROM core.purchase_days
    WHERE previous_day IS NOT NULL
),
measures AS (
    SELECT
        count(days) AS gaps,
        avg(days) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS median,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY days) AS p90
    FROM gaps
)
SELECT g.gaps, g.mean, g.median, g.p90, m.median AS median_to_second
FROM measures AS g
LEFT JOIN retention.medians AS m ON m.curve = 'second order'
