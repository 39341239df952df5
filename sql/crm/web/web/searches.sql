/* matins
description: >
  One row per term that at least 5 customers searched for in the 90 days before `$as_of`: how often, by how many, and how many of them
  bought something within 7 days.
grain: one row per term
rules:
  - Terms are compared in lower case and without white space at their ends.
  - What they bought need not be what they searched for, since a search names no product. A term many search for and few buy after is one
    the shop has no answer to.
  - Customers whose search is less than 7 days old have not had the time; they are in no share.
  - Terms of less than 5 customers are not told of, since they may name somebody.
reference: "catalogue: search terms (搜索關鍵詞); the bounds are ours"
columns:
  term: as searched for
  searches: in the 90 days
  customers: who searched for it
  had_time: of those, whose first search is 7 days old or more
  bought: of these, with a valid order within the 7 days from it on
  bought_share: bought ÷ had_time; NULL of less than 5
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
key: [term]
checks:
  - expression: "bought <= had_time AND had_time <= customers AND customers <= searches"
*/
WITH searches AS (
    SELECT lower(trim(term)) AS term, customer_key, count(*) AS searches, min(bdate) AS first_on
    FROM core.events
    WHERE kind = 'search'
        AND trim(term) <> ''
        AND customer_key IS NOT NULL
        AND bdate < $as_of
        AND bdate >= CAST($as_of - INTERVAL '90 days' AS DATE)
    GROUP BY lower(trim(term)), customer_key
),
outcomes AS (
    SELECT
        s.term,
        s.customer_key,
        s.searches,
        s.first_on <= CAST($as_of - INTERVAL '7 days' AS DATE) AS had_time,
        count(d.bdate) > 0 AS bought
    FROM searches AS s
    LEFT JOIN core.purchase_days AS d
        ON d.customer_key = s.customer_key AND d.bdate >= s.first_on AND d.bdate < s.first_on + 7
    GROUP BY s.term, s.customer_key, s.searches, s.first_on
),
counts AS (
    SELECT
        term,
        CAST(sum(searches) AS BIGINT) AS searches,
        count(*) AS customers,
        count(*) FILTER (WHERE had_time) AS had_time,
        count(*) FILTER (WHERE had_time AND bought) AS bought
    FROM outcomes
    GROUP BY term
    HAVING count(*) >= 5
)
SELECT
    term,
    searches,
    customers,
    had_time,
    bought,
    CASE WHEN had_time >= 5 THEN CAST(bought AS DOUBLE) / had_time END AS bought_share,
    CASE WHEN had_time >= 5 THEN wilson_low(bought, had_time) END AS low,
    CASE WHEN had_time >= 5 THEN wilson_high(bought, had_time) END AS high
FROM counts
ORDER BY customers DESC, term
