/* matins
description: >
  One row per incident as its last event leaves it. The log says neither when somebody first answered nor when an incident was due,
  only whether its service level was kept.
columns:
  opened_at: as the log has it; it names no time zone and is taken for UTC
  resolved_at: NULL for incidents that were closed and never resolved
  resolved_on: the day they were closed, for those
  sla_met: as the last event says
  reopened_at: NULL, of the log only the last event is kept
  contacts: NULL, the log does not count them
key: [ticket_id]
*/
SELECT
    number AS ticket_id,
    caller_id AS customer_key,
    opened_at,
    CAST(NULL AS TIMESTAMP) AS first_reply_at,
    resolved_at,
    CAST(NULL AS TIMESTAMP) AS due_at,
    CAST(opened_at AS DATE) AS bdate,
    CAST(coalesce(resolved_at, closed_at) AS DATE) AS resolved_on,
    CAST(NULL AS DATE) AS due_on,
    made_sla AS sla_met,
    category AS topic,
    contact_type AS channel,
    priority,
    assigned_to AS agent,
    CAST(NULL AS BIGINT) AS contacts,
    reopen_count > 0 AS reopened,
    CAST(NULL AS TIMESTAMP) AS reopened_at
FROM raw.events
