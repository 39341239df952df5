/* matins
description: >
  One row per moment: how long customers usually wait between two purchase days, which says when silence is loss. The moments
  are `$as_of` and `$prev_as_of`.
rules:
  - Gaps between consecutive purchase days of all customers who came back, before the moment; biased short, since the gap
    that is still open is not counted.
  - Both are kept between 30 and 365 days; without any gap `lost_after` is 365 and `late_after` 182.
columns:
  as_of: the moment looked back from
  gaps: gaps seen
  late_after: days, the third quartile of the gaps
  lost_after: days, their ninth decile; a customer silent for longer is lost
key: [as_of]
*/
WITH moments AS (
    SELECT $as_of AS as_of
    UNION ALL
    SELECT $prev_as_of AS as_of
),
gaps AS (
    SELECT bdate, bdate - previous_day AS days
    FROM core.purchase_days
    WHERE previous_day IS NOT NULL
)
-- Between whole days quantiles are tenths and quarters. The engine's lie up to a millionth of the gap below, and a day less would be lost
-- where whole days are taken of them.
SELECT
    t.as_of,
    count(g.days) AS gaps,
    greatest(least(coalesce(round(percentile_cont(0.75) WITHIN GROUP (ORDER BY CAST(g.days AS DOUBLE)), 3), 182.0), 365.0), 30.0)
        AS late_after,
    greatest(least(coalesce(round(percentile_cont(0.9) WITHIN GROUP (ORDER BY CAST(g.days AS DOUBLE)), 3), 365.0), 365.0), 30.0)
        AS lost_after
FROM moments AS t
LEFT JOIN gaps AS g ON g.bdate < t.as_of
GROUP BY t.as_of
