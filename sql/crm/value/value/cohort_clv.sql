/* matins
description: >
  One row per month of a customer's life, 0 (that of the first order) to 35: what a customer brings in it, by the table of
  cohorts as far as that goes and by a fitted curve of survival beyond, and what that adds up to (cohort-table lifetime value).
formula: "clv = Σ value of month k ÷ (1 + monthly rate)^k"
rules:
  - Up to the last month that cohorts of at least 30 customers together have completed, the value is what they brought in it, a
    customer. After that it is what a customer who is left brings a month, in the mean of months 1 to 12, times the share that is
    left.
  - "The share left is fitted (shifted beta-geometric) to cohorts whose first 12 months ended at least six months ago: a customer
    is left after k months when a purchase lies in month k or later. Ours, since without a contract nobody says when a customer
    left."
  - Margin where the cost of every order is known, else net, as `value.assumptions` says. Fewer than 100 such customers give no
    fit, and then there is a value only where there is a cohort.
reference: "Fader & Hardie 2007, J. of Interactive Marketing 21:76"
columns:
  month: of life
  customers: whose month of life is over at `$as_of`
  observed: what one of them brought in it
  left_then: "of the cohorts that the curve is fitted to, customers left after so many months; NULL beyond 12"
  survival: share left by the fit
  value: of the month, observed or expected
  clv: of this and all earlier months, discounted to the first
  basis: margin or net
key: [month]
closed: month
checks:
  - expression: "survival IS NULL OR survival BETWEEN 0 AND 1"
*/
WITH ages AS (
    SELECT
        customer_key,
        first_month,
        CAST((date_part('year', month) - date_part('year', first_month)) * 12
        + date_part('month', month) - date_part('month', first_month) AS BIGINT) AS age,
        month < CAST(date_trunc('month', CAST($as_of AS DATE)) AS DATE) AS closed,
        net
    FROM core.customer_months
),
cohorts AS (
    SELECT
        first_month,
        count(*) AS customers,
        CAST((date_part('year', $as_of) - date_part('year', first_month)) * 12
        + date_part('month', $as_of) - date_part('month', first_month) AS BIGINT) AS months
    FROM ages
    WHERE age = 0
    GROUP BY first_month
),
spine AS (
    SELECT unnest(generate_series(0, 35)) AS month
),
sizes AS (
    SELECT s.month, coalesce(sum(c.customers), 0) AS customers
    FROM spine AS s
    LEFT JOIN cohorts AS c ON c.months > s.month
    GROUP BY s.month
),
spending AS (
    SELECT age AS month, sum(net) AS net
    FROM ages
    WHERE closed
    GROUP BY age
),
lives AS (
    SELECT last_age, count(*) AS customers
    FROM (
        SELECT a.customer_key, max(a.age) AS last_age
        FROM ages AS a
        INNER JOIN cohorts AS c ON c.first_month = a.first_month
        WHERE c.months >= 18
        GROUP BY a.customer_key
    ) AS each
    GROUP BY last_age
),
survivors AS (
    SELECT s.month, CAST(coalesce(sum(l.customers), 0) AS BIGINT) AS left_then
    FROM spine AS s
    LEFT JOIN lives AS l ON l.last_age >= s.month
    WHERE s.month <= 12
    GROUP BY s.month
),
fits AS (
    SELECT CASE WHEN max(left_then) >= 100 THEN fit_sbg(month, left_then) END AS model
    FROM survivors
),
months AS (
    SELECT
        s.month,
        CAST(s.customers AS BIGINT) AS customers,
        CASE
            WHEN s.customers > 0 THEN CAST(coalesce(p.net, 0) AS DOUBLE) * u.margin_share / CAST(s.customers AS DOUBLE)
        END AS observed,
        v.left_then,
        sbg_survival(f.model['alpha'], f.model['beta'], s.month) AS survival,
        u.monthly_rate,
        u.basis
    FROM sizes AS s
    CROSS JOIN value.assumptions AS u
    CROSS JOIN fits AS f
    LEFT JOIN spending AS p ON p.month = s.month
    LEFT JOIN survivors AS v ON v.month = s.month
),
levels AS (
    SELECT sum(observed) / nullif(sum(survival), 0) AS level
    FROM months
    WHERE month BETWEEN 1 AND 12 AND customers >= 30
),
expectations AS (
    SELECT
        m.*,
        CASE WHEN m.customers >= 30 THEN m.observed ELSE l.level * m.survival END AS value
    FROM months AS m
    CROSS JOIN levels AS l
)
SELECT
    month,
    customers,
    CASE WHEN customers >= 5 THEN observed END AS observed,
    left_then,
    survival,
    value,
    CASE
        WHEN count(value) OVER (ORDER BY month) = month + 1
            THEN sum(value / power(1 + monthly_rate, month)) OVER (ORDER BY month)
    END AS clv,
    basis
FROM expectations
ORDER BY month
