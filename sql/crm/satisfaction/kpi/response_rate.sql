/* matins
description: "One row per month: of the invitations to a survey that were delivered in it, the share that was answered by `$as_of`."
formula: "answered invitations ÷ delivered invitations"
rules:
  - Invitations that bounced count nowhere. A month is provisional until its last invitation is 14 days old.
reference: "AAPOR, response rate 1, without partial answers"
columns:
  numerator: invitations with an answer
  denominator: invitations delivered
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH answered AS (
    SELECT DISTINCT invitation_id
    FROM core.survey_responses
    WHERE invitation_id IS NOT NULL AND bdate < $as_of
),
tallies AS (
    SELECT
        CAST(date_trunc('month', i.sent_on) AS DATE) AS month,
        count(*) AS n,
        count(a.invitation_id) AS k,
        max(i.sent_on) AS last_sent
    FROM core.survey_invitations AS i
    LEFT JOIN answered AS a ON a.invitation_id = i.invitation_id
    WHERE i.delivered AND i.sent_on < $as_of
    GROUP BY 1
),
-- From the first invitation, since a wave nobody has answered yet is in no calendar of answers.
months AS (
    SELECT unnest(generate_series(
        min(month),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM tallies
)
SELECT
    m.month AS period,
    CAST(t.k AS DOUBLE) / t.n AS value,
    coalesce(t.k, 0) AS numerator,
    coalesce(t.n, 0) AS denominator,
    coalesce(t.n, 0) AS n,
    wilson_low(t.k, t.n) AS low,
    wilson_high(t.k, t.n) AS high,
    m.month >= date_trunc('month', $as_of) OR coalesce($as_of - t.last_sent < 14, FALSE) AS provisional
FROM months AS m
LEFT JOIN tallies AS t ON t.month = m.month
ORDER BY period
