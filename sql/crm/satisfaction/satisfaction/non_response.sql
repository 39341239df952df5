/* matins
description: >
  One row per month with delivered invitations to a survey: whether those who answered are of the same segments as those who were asked.
  Where they are not, the month's scores speak for some customers more than for others.
formula: "χ² = Σ (found − expected)² ÷ expected over segments, those who answered and those who did not; p by χ² with segments − 1 degrees"
rules:
  - The company's own segment of a customer; who has none, or is not in the register, is `unknown`.
  - Segments in which less than 5 answers, or less than 5 silent ones, are to be expected are one, with the next smallest where they
    are still too few (Cochran's rule). With one segment left, as where everybody or nobody answered, there is nothing to compare.
  - "Biased means p under 0.01: of a hundred surveys without any bias one is called so."
reference: "Pearson 1900; Cochran 1954, Biometrics 10:417"
columns:
  invited: invitations delivered in the month
  answered: of those, answered by `$as_of`
  segments: compared, after putting small ones together
  chi_square: Pearson's; NULL with less than two segments
  p: probability of one as large without bias
  biased: whether to doubt the month's scores; NULL where nothing could be compared
  provisional: whether the month is not over, or its last invitation is less than 14 days old
key: [month]
*/
WITH replies AS (
    SELECT DISTINCT invitation_id
    FROM core.survey_responses
    WHERE invitation_id IS NOT NULL AND bdate < $as_of
),
asked AS (
    SELECT
        CAST(date_trunc('month', i.sent_on) AS DATE) AS month,
        coalesce(c.segment, 'unknown') AS segment,
        CAST(count(*) AS DOUBLE) AS invited,
        CAST(count(r.invitation_id) AS DOUBLE) AS answered,
        max(i.sent_on) AS last_sent
    FROM core.survey_invitations AS i
    LEFT JOIN replies AS r ON r.invitation_id = i.invitation_id
    LEFT JOIN core.customers AS c ON c.customer_key = i.customer_key
    WHERE i.delivered AND i.sent_on < $as_of
    GROUP BY 1, 2
),
totals AS (
    SELECT month, sum(invited) AS invited, sum(answered) AS answered, max(last_sent) AS last_sent
    FROM asked
    GROUP BY month
),
rates AS (
    SELECT a.month, a.segment, a.invited, a.answered, t.answered / t.invited AS rate
    FROM asked AS a
    INNER JOIN totals AS t ON t.month = a.month
),
sizes AS (
    SELECT
        *,
        invited * least(rate, 1 - rate) AS rarer,
        coalesce(sum(invited * least(rate, 1 - rate)) OVER (
            PARTITION BY month ORDER BY invited, segment ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS rarer_before
    FROM rates
),
cells AS (
    SELECT
        month,
        CASE WHEN rarer < 5 OR (rarer_before > 0 AND rarer_before < 5) THEN 'few' ELSE segment END AS segment,
        sum(invited * rate) AS expected,
        sum(invited * (1 - rate)) AS expected_silent,
        sum(answered) - sum(invited * rate) AS beyond
    FROM sizes
    GROUP BY 1, 2
),
tests AS (
    SELECT
        month,
        count(*) AS segments,
        CASE WHEN count(*) > 1 THEN sum(beyond * beyond / expected + beyond * beyond / expected_silent) END AS chi_square
    FROM cells
    GROUP BY month
)
SELECT
    t.month,
    CAST(t.invited AS BIGINT) AS invited,
    CAST(t.answered AS BIGINT) AS answered,
    x.segments,
    x.chi_square,
    chi_squared_tail(x.chi_square, x.segments - 1) AS p,
    chi_squared_tail(x.chi_square, x.segments - 1) < 0.01 AS biased,
    CAST(t.month + INTERVAL '1 month' AS DATE) > $as_of OR $as_of - t.last_sent < 14 AS provisional
FROM totals AS t
INNER JOIN tests AS x ON x.month = t.month
ORDER BY t.month
