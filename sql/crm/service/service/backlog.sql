/* matins
description: One row per age, tickets open at `$as_of`; an age that no ticket has is a zero.
columns:
  position: ages from young to old
  age: days since the ticket was opened
  oldest_hours: of the oldest ticket of that age; NULL without any
key: [position]
checks:
  - name: every open ticket has an age
    query: >
      SELECT open
      FROM (SELECT sum(tickets) AS tickets FROM service.backlog) AS ages
      CROSS JOIN (SELECT count(*) AS open FROM service.tickets WHERE age_hours IS NOT NULL) AS all_open
      WHERE ages.tickets <> all_open.open
*/
WITH ages AS (
    SELECT position, age
    FROM (VALUES (1, '0-1'), (2, '1-3'), (3, '3-7'), (4, '7-14'), (5, '>14')) AS ages (position, age)
),
open_tickets AS (
    SELECT
        CASE
            WHEN age_hours <= 24 THEN 1
            WHEN age_hours <= 72 THEN 2
            WHEN age_hours <= 168 THEN 3
            WHEN age_hours <= 336 THEN 4
            ELSE 5
        END AS position,
        count(*) AS tickets,
        max(age_hours) AS oldest_hours
    FROM service.tickets
    WHERE age_hours IS NOT NULL
    GROUP BY 1
)
SELECT CAST(a.position AS BIGINT) AS position, a.age, coalesce(o.tickets, 0) AS tickets, o.oldest_hours
FROM ages AS a
LEFT JOIN open_tickets AS o ON o.position = a.position
ORDER BY position
