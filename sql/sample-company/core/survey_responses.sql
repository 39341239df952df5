/* matins
description: One row per answer to a survey; an answer with a score off its scale is quarantined.
columns:
  answered_at: UTC
  bdate: the business date of the answer, in London
  survey: relational (asks for a recommendation) or transactional (asks about one contact)
  wave: NULL, the company asks all the time
  nps: 0 to 10, in the relational survey
  csat: 1 to 5, in the transactional survey
  touchpoint: the transactional survey follows a ticket; NULL in the relational one, which asks about the company
key: [response_id]
checks:
  - not_null: [customer_key, bdate]
  - accepted: {column: survey, values: [relational, transactional]}
  - range: {column: nps, min: 0, max: 10}
    severity: quarantine
  - range: {column: csat, min: 1, max: 5}
    severity: quarantine
*/
SELECT
    response_id,
    customer_id AS customer_key,
    answered_at,
    CAST(to_local_time(answered_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/London') AS DATE) AS bdate,
    survey,
    CAST(NULL AS VARCHAR) AS wave,
    nps,
    csat,
    CASE WHEN survey = 'transactional' THEN 'service' END AS touchpoint,
    comment
FROM raw.survey
