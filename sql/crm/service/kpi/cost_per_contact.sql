/* matins
description: One row per month, what service cost for each contact on the tickets resolved in it.
formula: "costs of service ÷ contacts on resolved tickets"
grain: one row per month
rules:
  - Costs of the month, by the day they were spent on; a ticket's contacts, all of them, lie in the month it was resolved.
  - NULL for a month in which a ticket was resolved whose contacts nobody counted, for one without any, and for one without costs of
    service, since they come later than its tickets and no service is for nothing.
reference: "ISO 18295-1:2017, customer contact centres; HDI, on cost per contact"
columns:
  numerator: costs of service in the month; NULL while there are none
  denominator: contacts on the tickets resolved in it
  n: tickets resolved in the month
  low: NULL, since it is an amount
  high: NULL, since it is an amount
key: [period]
*/
WITH spending AS (
    SELECT CAST(date_trunc('month', bdate) AS DATE) AS month, sum(amount) AS amount
    FROM core.costs
    WHERE kind = 'service' AND bdate < $as_of
    GROUP BY 1
),
work AS (
    SELECT
        resolved_month AS month,
        count(*) AS tickets,
        CASE WHEN count(contacts) = count(*) THEN sum(contacts) END AS contacts
    FROM service.tickets
    WHERE resolved_month IS NOT NULL
    GROUP BY resolved_month
)
SELECT
    m.month AS period,
    CAST(s.amount AS DOUBLE) / nullif(w.contacts, 0) AS value,
    CAST(s.amount AS DECIMAL(18, 4)) AS numerator,
    CASE WHEN w.tickets IS NULL THEN 0 ELSE w.contacts END AS denominator,
    coalesce(w.tickets, 0) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    m.provisional
FROM service.months AS m
LEFT JOIN spending AS s ON s.month = m.month
LEFT JOIN work AS w ON w.month = m.month
ORDER BY period
