/* matins
description: >
  One row per month: how long the customer of a ticket opened in it waited for the first answer of a person, by the calendar.
rules:
  - The mean and the ninth decile are in `service.times`.
  - By the calendar, nights and holidays included; `kpi.first_response_working` counts the hours in which somebody is there.
columns:
  value: the median, in hours
  n: tickets of the month that were answered
  low: NULL, since a median is no share
  high: NULL, since a median is no share
key: [period]
*/
SELECT
    month AS period,
    first_reply_median AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    answered AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM service.times
ORDER BY period
