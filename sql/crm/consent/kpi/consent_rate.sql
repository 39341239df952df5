/* matins
description: >
  One row per month and purpose: of all who had a valid order by its last day, the share whose consent to the
  purpose stood on that day.
formula: "customers whose consent stands on the last day of the month ÷ customers with a valid order so far"
grain: one row per month and purpose
rules:
  - The latest word up to that day counts; of two on one day a refusal does. It stands until another, or until it expires.
  - Who never said anything does not consent.
  - A purpose has rows from the first month on in which somebody said something about it.
  - Of less than 5 customers only their number is told.
reference: "Regulation (EU) 2016/679 art. 7; PIPL art. 14, 15, 16"
columns:
  dimension: the purpose
  numerator: customers whose consent stands
  denominator: customers with a valid order so far
  n: the denominator
  low: NULL, since all customers are in it
  high: NULL, since all customers are in it
key: [period, dimension]
checks:
  - expression: "value IS NULL OR value BETWEEN 0 AND 1"
*/
WITH words AS (
    SELECT
        customer_key,
        purpose,
        granted,
        bdate,
        expires_on,
        lead(bdate) OVER (PARTITION BY customer_key, purpose ORDER BY bdate, granted DESC, consent_id) AS next_on
    FROM core.consents
    WHERE bdate < $as_of
),
-- Each consent, with the days it stood; one that another word of the same day took back never did.
standing AS (
    SELECT w.customer_key, w.purpose, w.bdate AS since, least(w.next_on, w.expires_on) AS until, f.first_day
    FROM words AS w
    INNER JOIN (
        SELECT customer_key, min(first_day) AS first_day FROM core.purchase_days GROUP BY customer_key
    ) AS f ON f.customer_key = w.customer_key
    WHERE w.granted AND w.next_on IS DISTINCT FROM w.bdate
),
purposes AS (
    SELECT purpose, CAST(date_trunc('month', min(bdate)) AS DATE) AS first_month
    FROM words
    GROUP BY purpose
),
newcomers AS (
    SELECT month, count(*) AS customers
    FROM core.customer_months
    WHERE month = first_month
    GROUP BY month
),
ends AS (
    SELECT
        m.month,
        m.provisional,
        least(m.next_month, CAST($as_of AS DATE)) AS ends_on,
        CAST(sum(coalesce(n.customers, 0)) OVER (ORDER BY m.month) AS BIGINT) AS customers
    FROM core.months AS m
    LEFT JOIN newcomers AS n ON n.month = m.month
),
counts AS (
    SELECT e.month, s.purpose, count(*) AS k
    FROM ends AS e
    INNER JOIN standing AS s
        ON s.since < e.ends_on AND s.first_day < e.ends_on AND (s.until IS NULL OR s.until >= e.ends_on)
    GROUP BY e.month, s.purpose
),
told AS (
    SELECT
        e.month,
        p.purpose,
        e.provisional,
        e.customers AS n,
        CASE WHEN e.customers >= 5 THEN coalesce(c.k, 0) END AS k
    FROM ends AS e
    INNER JOIN purposes AS p ON p.first_month <= e.month
    LEFT JOIN counts AS c ON c.month = e.month AND c.purpose = p.purpose
)
SELECT
    month AS period,
    purpose AS dimension,
    CAST(k AS DOUBLE) / nullif(n, 0) AS value,
    k AS numerator,
    n AS denominator,
    n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    provisional
FROM told
ORDER BY period, dimension
