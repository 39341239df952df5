/* matins
description: One row per service ticket as it stands at `$as_of`.
columns:
  opened_at: UTC, as all its times
  bdate: the business date it was opened, in London
  resolved_at: NULL while it is open
  due_at: when the service level says it must be resolved
  resolved_on: the business date of resolved_at
  due_on: the business date of due_at
  contacts: how often the customer and the company spoke
  sla_met: NULL, since due_at says it
  reopened_at: NULL, the service desk only says whether
  order_id: NULL, the service desk does not write it down
key: [ticket_id]
checks:
  - not_null: [customer_key, opened_at, due_at]
  - expression: "resolved_at IS NULL OR resolved_at >= opened_at"
*/
SELECT
    ticket_id,
    customer_id AS customer_key,
    opened_at,
    CAST(to_local_time(opened_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/London') AS DATE) AS bdate,
    first_reply_at,
    resolved_at,
    due_at,
    CAST(to_local_time(resolved_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/London') AS DATE) AS resolved_on,
    CAST(to_local_time(due_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/London') AS DATE) AS due_on,
    topic,
    channel,
    contacts,
    reopened,
    CAST(NULL AS TIMESTAMP) AS reopened_at,
    CAST(NULL AS BOOLEAN) AS sla_met,
    topic = 'complaint' AS is_complaint,
    CAST(NULL AS VARCHAR) AS order_id
FROM raw.tickets
