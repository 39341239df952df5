/* matins
description: >
  One row: customer equity, the value of 36 months of the customers there are and of those who will come meanwhile if they
  come as they did in the last year.
formula: "equity = Σ clv_36 + Σ over 12 quarters of new customers a quarter · clv of a new one / (1 + rate)^k"
rules:
  - A new customer brings the first purchase at once and what MBG/NBD expects of a new one after it.
  - NULL where `value.models` has no parameters.
reference: "Rust, Lemon & Zeithaml 2004, J. of Marketing 68:109"
columns:
  customers: with a valid order before `$as_of`
  present: value of those customers
  new_a_quarter: customers whose first order lies in the 12 months before `$as_of`, by quarter
  clv_of_new: value of one new customer in 36 months
  future: value of those who will come
key: [basis]
closed: month
*/
WITH present AS (
    SELECT count(*) AS customers, sum(clv_36) AS value
    FROM value.scores
),
arrivals AS (
    SELECT count(*) FILTER (WHERE first_order >= CAST($as_of - INTERVAL '12 months' AS DATE)) / 4.0 AS a_quarter
    FROM value.customers
),
models AS (
    SELECT
        m.r,
        m.alpha,
        m.a,
        m.b,
        gamma_gamma_mean(s.p, s.q, s.gamma, 0, 0.0) AS mean
    FROM value.models AS m
    CROSS JOIN value.models AS s
    WHERE m.model = 'MBG/NBD' AND s.model = 'Gamma-Gamma'
),
newcomers AS (
    SELECT
        u.basis,
        u.quarterly_rate,
        m.mean * u.margin_share
        + mbgnbd_clv(m.r, m.alpha, m.a, m.b, 0, 0, 0, m.mean * u.margin_share, 12, 365.25 / 28, u.quarterly_rate)
            AS clv_of_new
    FROM models AS m
    CROSS JOIN value.assumptions AS u
)
SELECT
    n.basis,
    p.customers,
    p.value AS present,
    CAST(a.a_quarter AS DOUBLE) AS new_a_quarter,
    n.clv_of_new,
    CAST(a.a_quarter AS DOUBLE) * n.clv_of_new * (1 - power(1 + n.quarterly_rate, -12)) / n.quarterly_rate AS future,
    p.value
    + CAST(a.a_quarter AS DOUBLE) * n.clv_of_new * (1 - power(1 + n.quarterly_rate, -12)) / n.quarterly_rate AS equity
FROM newcomers AS n
CROSS JOIN present AS p
CROSS JOIN arrivals AS a
