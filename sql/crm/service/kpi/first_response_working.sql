/* matins
description: >
  One row per month: how long the customer of a ticket opened in it waited for the first answer of a person, in hours in which the
  service is open.
rules:
  - "Open are `service_hours` of the company's clock (`Mon-Fri 09:00-17:30` unless the pipeline says otherwise) less
    `service_holidays`. A ticket opened and answered outside of them waited for 0 hours."
  - The ninth decile is in `service.times`.
columns:
  value: the median, in working hours
  n: tickets of the month that were answered
  low: NULL, since a median is no share
  high: NULL, since a median is no share
key: [period]
*/
SELECT
    month AS period,
    first_reply_working_median AS value,
    CAST(NULL AS BIGINT) AS numerator,
    CAST(NULL AS BIGINT) AS denominator,
    answered AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM service.times
ORDER BY period
