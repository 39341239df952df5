/* matins
description: >
  One row per ticket opened before `$as_of`, as it stood then: what happened later is not known yet.
rules:
  - Times are UTC and are held against the company's midnight in UTC; days are the company's.
  - Where a source says that a ticket was opened again and not when, its word stands at every moment.
  - An export that keeps only the last resolution of a ticket makes one look open from its first resolution to that.
columns:
  month: the month it was opened in
  reopened: whether it was opened again before `$as_of`
  reopened_on: the day of it; NULL where only the fact is known
  first_reply_hours: from opening to the first answer of a person, by the calendar; NULL while it waits
  first_reply_working_hours: the same, counting `service_hours` only, less `service_holidays`
  resolution_hours: from opening to being resolved, by the calendar; NULL while it is open, and where only the day is known
  resolved_month: the month it was resolved in; NULL while it is open
  age_hours: of an open ticket, at `$as_of`
  again_on: when the same customer next opened a ticket on the same topic
key: [ticket_id]
checks:
  - expression: "first_reply_hours IS NULL OR first_reply_hours >= 0"
    severity: warn
  - expression: "resolution_hours IS NULL OR resolution_hours >= 0"
    severity: warn
*/
WITH known AS (
    SELECT
        ticket_id,
        customer_key,
        opened_at,
        bdate,
        topic,
        contacts,
        coalesce(reopened_at < $as_of_utc, reopened, FALSE) AS reopened,
        CASE WHEN reopened_at < $as_of_utc THEN reopened_at END AS reopened_at,
        CASE WHEN first_reply_at < $as_of_utc THEN first_reply_at END AS first_reply_at,
        CASE WHEN resolved_on < $as_of THEN resolved_at END AS resolved_at,
        CASE WHEN resolved_on < $as_of THEN resolved_on END AS resolved_on,
        lead(bdate) OVER (PARTITION BY customer_key, topic ORDER BY opened_at, ticket_id) AS next_on
    FROM core.tickets
    WHERE bdate < $as_of
)
SELECT
    ticket_id,
    customer_key,
    topic,
    bdate,
    CAST(date_trunc('month', bdate) AS DATE) AS month,
    contacts,
    reopened,
    CAST(to_local_time(reopened_at AT TIME ZONE 'UTC' AT TIME ZONE $time_zone) AS DATE) AS reopened_on,
    CAST(date_part('epoch', first_reply_at - opened_at) AS DOUBLE) / 3600 AS first_reply_hours,
    business_seconds(
        to_local_time(opened_at AT TIME ZONE 'UTC' AT TIME ZONE $time_zone),
        to_local_time(first_reply_at AT TIME ZONE 'UTC' AT TIME ZONE $time_zone),
        $service_hours,
        $service_holidays
    ) / 3600 AS first_reply_working_hours,
    CAST(date_part('epoch', resolved_at - opened_at) AS DOUBLE) / 3600 AS resolution_hours,
    resolved_on,
    CAST(date_trunc('month', resolved_on) AS DATE) AS resolved_month,
    CASE
        WHEN resolved_on IS NULL THEN CAST(date_part('epoch', $as_of_utc - opened_at) AS DOUBLE) / 3600
    END AS age_hours,
    CASE WHEN topic IS NOT NULL AND customer_key IS NOT NULL THEN next_on END AS again_on
FROM known
