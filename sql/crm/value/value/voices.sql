/* matins
description: >
  One row per customer who answered a survey in the 12 months before `$as_of`: what the customer said last, beside what he or she is worth
  to the company.
grain: one row per customer
rules:
  - The latest answer to the question whether to recommend (0 to 10, relational) and the latest to how content with service (1 to 5,
    transactional), each for itself.
  - "unhappy, 6 or less of 10 or 2 or less of 5 in either; happy, 9 or 10 or 4 or 5 in either and not unhappy; neutral, the rest. Who said
    two things is held to the worse, since it is the one that can be mended."
  - A list of single customers is for the company's own systems.
reference: "catalogue: emotional value (情感价值), satisfaction and recommendation joined to value; Reichheld 2003 for the bounds of NPS"
columns:
  nps: NULL where the customer was not asked, or did not say
  csat: NULL where the customer was not asked, or did not say
  last_answer_on: of either
  mood: unhappy, neutral or happy
  tier: by net of the 12 months; NULL when nothing was bought in them
  net: as originated, in the 12 months; nought when nothing was bought in them
key: [customer_key]
checks:
  - accepted: {column: mood, values: [unhappy, neutral, happy]}
*/
WITH answers AS (
    SELECT
        customer_key,
        CASE WHEN survey = 'relational' THEN nps END AS nps,
        CASE WHEN survey = 'transactional' THEN csat END AS csat,
        answered_at,
        response_id,
        bdate
    FROM core.survey_responses
    WHERE customer_key IS NOT NULL AND bdate < $as_of AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
recommended AS (
    SELECT
        customer_key, nps, bdate, row_number() OVER (PARTITION BY customer_key ORDER BY answered_at DESC, response_id DESC) AS place
    FROM answers
    WHERE nps IS NOT NULL
),
served AS (
    SELECT
        customer_key, csat, bdate, row_number() OVER (PARTITION BY customer_key ORDER BY answered_at DESC, response_id DESC) AS place
    FROM answers
    WHERE csat IS NOT NULL
),
latest AS (
    SELECT
        coalesce(r.customer_key, s.customer_key) AS customer_key,
        r.nps,
        s.csat,
        greatest(r.bdate, s.bdate) AS last_answer_on
    FROM (SELECT * FROM recommended WHERE place = 1) AS r
    FULL JOIN (SELECT * FROM served WHERE place = 1) AS s ON s.customer_key = r.customer_key
)
SELECT
    l.customer_key,
    l.nps,
    l.csat,
    l.last_answer_on,
    CASE
        WHEN l.nps <= 6 OR l.csat <= 2 THEN 'unhappy'
        WHEN l.nps >= 9 OR l.csat >= 4 THEN 'happy'
        ELSE 'neutral'
    END AS mood,
    t.tier,
    coalesce(t.net, 0) AS net
FROM latest AS l
LEFT JOIN segment.tiers AS t ON t.customer_key = l.customer_key AND t.as_of = $as_of
