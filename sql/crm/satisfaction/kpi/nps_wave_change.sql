/* matins
description: >
  One row per wave of the survey (`satisfaction.nps_waves`), by the day it began: by how much the net promoter score differs from that of the wave
  before, in points.
formula: "value of the wave − value of the wave before"
grain: one row per wave
rules:
  - NULL of the first wave, of one that is not closed, and where either has less than 10 answers.
  - n is that of the wave with fewer answers, since a change is no better known than the worse of the two.
  - Of waves that began on one day the one with most answers stands here.
reference: "Reichheld 2003, Harvard Business Review 81(12):46; Rocks 2016, The American Statistician 70:365"
columns:
  period: the wave's first day
  wave: its name
  numerator: NULL, since it is a difference
  denominator: NULL, since it is a difference
  n: answers of the wave or of the one before, whichever is less
  low: lower bound of the 95 % interval of the difference
  high: upper bound of the 95 % interval of the difference
key: [period]
*/
WITH places AS (
    SELECT
        began_on,
        wave,
        least(answers, coalesce(answers_before, 0)) AS n,
        change,
        change_low,
        change_high,
        provisional,
        row_number() OVER (PARTITION BY began_on ORDER BY answers DESC, wave) AS place
    FROM satisfaction.nps_waves
)
SELECT
    began_on AS period,
    wave,
    CASE WHEN n >= 10 THEN change END AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    n,
    CASE WHEN n >= 10 THEN change_low END AS low,
    CASE WHEN n >= 10 THEN change_high END AS high,
    provisional
FROM places
WHERE place = 1
ORDER BY period
