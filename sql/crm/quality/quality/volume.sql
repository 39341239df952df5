/* matins
description: >
  One row per core table and each of the 28 days before `$as_of`: how many rows of that business day there are, and whether that is
  unusual for its weekday. A part of an export that did not arrive, or arrived twice, shows here and in no other dimension of quality.
formula: "unusual = rows outside (1 + median) · e^(±4 · MAD) − 1, MAD being that of ln(1 + rows) of the same weekday of the weeks before"
grain: one row per table and day
rules:
  - Of the up to `volume_weeks` (28 unless the pipeline says otherwise) days seven days apart before the day, from the first day the table
    has a row of; a day without rows counts as nought. With less than 8 of them nothing is said of the day.
  - "By logarithms, since sales rise and fall by shares: a season is no fault of an export, and where there were always rows a day without any
    is one. By numbers a real shop's best month was unusual on 16 nights of 30 (by logarithms on 3), and on every third day its rows could
    all have been missing unseen."
  - "The band is never narrower than that of a Poisson count with the same median, or with 1 where that is less: median ± 4 · 0.6745 · √median.
    So a number that hardly ever changes may change a little, and few rows may be none."
  - Median and MAD bear a few unusual days among those they are made of, so days that were unusual stay in.
  - "By business date, not by export: rows that came late count on the day they are of. With normal counts one day in 140 is unusual by
    chance. Holidays are unusual by right."
reference:
  - "Hampel 1974, J. of the American Statistical Association 69:383, for the median and MAD"
  - "Leys et al. 2013, J. of Experimental Social Psychology 49:764, for MAD against standard deviations"
columns:
  table_name: which core table
  day: business date
  row_count: rows of the day
  days_before: days of the same weekday it is held against
  usual: their median
  spread: MAD of the logarithms of 1 + rows
  low: below it is unusual; NULL with less than 8 days
  high: above it is unusual; NULL with less than 8 days
  unusual: NULL with less than 8 days
key: [table_name, day]
checks:
  - expression: "low IS NULL OR (low <= usual AND usual <= high)"
*/
WITH counts AS (
    SELECT 'core.orders' AS table_name, bdate AS day, count(*) AS row_count
    FROM core.orders
    WHERE bdate < $as_of
    GROUP BY bdate
    UNION ALL
    SELECT 'core.order_lines' AS table_name, bdate AS day, count(*) AS row_count
    FROM core.order_lines
    WHERE bdate < $as_of
    GROUP BY bdate
    UNION ALL
    SELECT 'core.refunds' AS table_name, bdate AS day, count(*) AS row_count
    FROM core.refunds
    WHERE bdate < $as_of
    GROUP BY bdate
),
calendar AS (
    SELECT CAST(unnest(generate_series(
        CAST($as_of - (28 + 7 * $volume_weeks) AS DATE),
        CAST($as_of - 1 AS DATE),
        INTERVAL '1 day'
    )) AS DATE) AS day
),
-- Each part is read whole by all its readers, or the engine would make it once for each: so `s` looks at `row_count` too, and days are
-- left out at the end, by an aggregate.
days AS (
    SELECT s.table_name, d.day, coalesce(c.row_count, 0) AS row_count, date_part('dow', d.day) AS weekday
    FROM (SELECT table_name, min(day) AS first_day, sum(row_count) AS row_count FROM counts GROUP BY table_name) AS s
    INNER JOIN calendar AS d ON d.day >= s.first_day AND s.row_count > 0
    LEFT JOIN counts AS c ON c.table_name = s.table_name AND c.day = d.day
),
held_against AS (
    SELECT
        d.table_name,
        d.day,
        d.row_count,
        count(b.day) AS days_before,
        median(CAST(b.row_count AS DOUBLE)) AS usual,
        mad(ln(1.0 + b.row_count)) AS spread
    FROM days AS d
    LEFT JOIN days AS b
        ON b.table_name = d.table_name AND b.weekday = d.weekday AND b.day < d.day AND b.day >= d.day - 7 * $volume_weeks
    GROUP BY d.table_name, d.day, d.row_count
    HAVING max(d.day) >= CAST($as_of - 28 AS DATE)
),
bands AS (
    SELECT
        *,
        4 * 0.6745 * sqrt(greatest(usual, 1.0)) AS reach
    FROM held_against
),
limits AS (
    SELECT
        *,
        CASE WHEN days_before >= 8 THEN greatest(least((1 + usual) * exp(-4 * spread) - 1, usual - reach), 0.0) END AS low,
        CASE WHEN days_before >= 8 THEN greatest((1 + usual) * exp(4 * spread) - 1, usual + reach) END AS high
    FROM bands
)
SELECT
    table_name,
    day,
    row_count,
    days_before,
    usual,
    spread,
    low,
    high,
    row_count < low OR row_count > high AS unusual
FROM limits
ORDER BY table_name, day
