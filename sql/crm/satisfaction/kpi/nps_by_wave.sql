/* matins
description: >
  One row per wave of the survey (`satisfaction.nps_waves`), by the day it began: the net promoter score.
formula: "100 · (promoters − detractors) ÷ n"
grain: one row per wave
rules:
  - Waves are those the answers name, else the quarters of the year.
  - Of waves that began on one day the one with most answers stands here.
reference: "Reichheld 2003, Harvard Business Review 81(12):46; Rocks 2016, The American Statistician 70:365"
columns:
  period: the wave's first day
  wave: its name
  numerator: promoters less detractors
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % adjusted-Wald interval
  high: upper bound of the 95 % adjusted-Wald interval
key: [period]
*/
WITH places AS (
    SELECT wave, row_number() OVER (PARTITION BY began_on ORDER BY answers DESC, wave) AS place
    FROM satisfaction.nps_waves
)
SELECT
    w.began_on AS period,
    w.wave,
    w.nps AS value,
    w.promoters - w.detractors AS numerator,
    w.answers AS denominator,
    w.answers AS n,
    w.low,
    w.high,
    w.provisional
FROM satisfaction.nps_waves AS w
INNER JOIN places AS p ON p.wave = w.wave AND p.place = 1
ORDER BY period
