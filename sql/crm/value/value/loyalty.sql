/* matins
description: >
  One row per tier of `segment.tiers`: loyalty by its components, what customers do beside what they say. No one number is made
  of them.
rules:
  - The latest answer of each customer to the relational survey in the 12 months before `$as_of`.
  - The score is NULL with less than 10 answers, and what detractors brought with less than 5 of them.
  - Tiers of less than 5 customers are one, `few`, with the next smallest where they are still less than 5 together. No rows
    for less than 5 customers in all.
columns:
  customers: in the tier
  repeat_share: of them, those with two valid orders or more
  tenure_months: mean time since the first valid order, in months of 30.4375 days
  answers: customers who answered
  nps: net promoter score of the answers, −100 to 100
  nps_low: lower bound of the 95 % adjusted-Wald interval
  nps_high: upper bound
  detractor_net: net of the 12 months of those who would not recommend the company
key: [tier]
*/
WITH answers AS (
    SELECT
        customer_key,
        nps,
        row_number() OVER (PARTITION BY customer_key ORDER BY answered_at DESC, response_id DESC) AS place
    FROM core.survey_responses
    WHERE survey = 'relational'
        AND nps IS NOT NULL
        AND bdate < $as_of
        AND bdate >= CAST($as_of - INTERVAL '12 months' AS DATE)
),
histories AS (
    SELECT customer_key, count(*) AS orders, ($as_of - min(bdate)) / 30.4375 AS tenure_months
    FROM core.valid_orders
    WHERE bdate < $as_of
    GROUP BY customer_key
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        tier,
        customers,
        coalesce(sum(customers) OVER (ORDER BY customers, tier ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS smaller
    FROM (SELECT tier, count(*) AS customers FROM segment.tiers WHERE as_of = $as_of GROUP BY tier) AS counts
),
tallies AS (
    SELECT
        CASE WHEN s.customers < 5 OR s.smaller BETWEEN 1 AND 4 THEN 'few' ELSE t.tier END AS tier,
        min(t.place) AS first_place,
        count(*) AS customers,
        CAST(count(*) FILTER (WHERE h.orders >= 2) AS DOUBLE) / count(*) AS repeat_share,
        avg(CAST(h.tenure_months AS DOUBLE)) AS tenure_months,
        count(a.nps) AS answers,
        count(*) FILTER (WHERE a.nps >= 9) AS promoters,
        count(*) FILTER (WHERE a.nps <= 6) AS detractors,
        CAST(sum(t.net) FILTER (WHERE a.nps <= 6) AS DECIMAL(18, 4)) AS detractor_net
    FROM segment.tiers AS t
    INNER JOIN sizes AS s ON s.tier = t.tier
    INNER JOIN histories AS h ON h.customer_key = t.customer_key
    LEFT JOIN answers AS a ON a.customer_key = t.customer_key AND a.place = 1
    WHERE t.as_of = $as_of
    GROUP BY 1
    HAVING count(*) >= 5
)
SELECT
    tier,
    customers,
    repeat_share,
    tenure_months,
    answers,
    CASE WHEN answers >= 10 THEN 100.0 * (promoters - detractors) / answers END AS nps,
    CASE WHEN answers >= 10 THEN nps_low(promoters, detractors, answers) END AS nps_low,
    CASE WHEN answers >= 10 THEN nps_high(promoters, detractors, answers) END AS nps_high,
    CASE WHEN detractors >= 5 THEN detractor_net END AS detractor_net
FROM tallies
ORDER BY first_place
