/* matins
description: >
  One row per wave of the survey (`satisfaction.csat_waves`), by the day it began: the share of customers content with service.
formula: "customers who gave a 4 or a 5 ÷ customers who answered"
grain: one row per wave
rules:
  - Waves are those the answers name, else the quarters of the year.
  - Of waves that began on one day the one with most answers stands here.
reference: "ISO 10004:2018; Wilson 1927"
columns:
  period: the wave's first day
  wave: its name
  numerator: customers who gave a 4 or a 5
  denominator: customers who answered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
*/
WITH places AS (
    SELECT wave, row_number() OVER (PARTITION BY began_on ORDER BY answers DESC, wave) AS place
    FROM satisfaction.csat_waves
)
SELECT
    w.began_on AS period,
    w.wave,
    w.share AS value,
    w.content AS numerator,
    w.answers AS denominator,
    w.answers AS n,
    w.low,
    w.high,
    w.provisional
FROM satisfaction.csat_waves AS w
INNER JOIN places AS p ON p.wave = w.wave AND p.place = 1
ORDER BY period
