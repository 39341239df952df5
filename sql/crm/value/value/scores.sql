/* matins
description: >
  One row per customer with a valid order before `$as_of`: how probably still a customer, and what to expect of him or her.
formula: "clv = Σ margin share · E[M] · (E[Y(k)] − E[Y(k−1)]) / (1 + rate)^k"
rules:
  - Tonight's customers, by the models and the margin of the last closed month (`value.models`, `value.assumptions`). Where a parameter
    jumped in it, those of a month earlier are in use, as `note` there says.
  - MBG/NBD, not BG/NBD, since with the latter nobody who bought once can have been lost.
  - NULL where `value.models` has no parameters, and it says why. Alive is NULL as well where the model knows no loss, and values are
    then those of customers who never leave.
reference:
  - "MBG/NBD: Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
  - "Gamma-Gamma: Fader & Hardie 2013, note 025"
columns:
  alive: probability that the customer is still one, by MBG/NBD
  expected_purchases: purchase days in the 52 weeks after `$as_of`, by MBG/NBD
  expected_mean: net of a purchase day, by Gamma-Gamma
  clv_12: value of the next 12 months, at `$as_of`'s money
  clv_36: value of the next 36 months, by quarters
  basis: margin or net, as in `value.assumptions`
key: [customer_key]
checks:
  - expression: "alive IS NULL OR alive BETWEEN 0 AND 1"
*/
WITH purchase_model AS (
    SELECT r, alpha, a, b, knows_loss
    FROM value.models
    WHERE model = 'MBG/NBD'
),
spend_model AS (
    SELECT p, q, gamma
    FROM value.models
    WHERE model = 'Gamma-Gamma'
),
expectations AS (
    SELECT
        c.customer_key,
        c.last_order,
        c.x,
        c.t_x,
        c.t,
        m.r,
        m.alpha,
        m.a,
        m.b,
        m.knows_loss,
        gamma_gamma_mean(s.p, s.q, s.gamma, c.x, coalesce(c.repeat_mean, 0.0)) AS expected_mean
    FROM value.customers AS c
    CROSS JOIN purchase_model AS m
    CROSS JOIN spend_model AS s
)
SELECT
    e.customer_key,
    e.last_order,
    CASE WHEN e.knows_loss THEN mbgnbd_alive(e.r, e.alpha, e.a, e.b, e.x, e.t_x, e.t) END AS alive,
    mbgnbd_expected(e.r, e.alpha, e.a, e.b, 52, e.x, e.t_x, e.t) AS expected_purchases,
    e.expected_mean,
    mbgnbd_clv(
        e.r, e.alpha, e.a, e.b, e.x, e.t_x, e.t, e.expected_mean * u.margin_share, 12, 365.25 / 84, u.monthly_rate
    ) AS clv_12,
    mbgnbd_clv(
        e.r, e.alpha, e.a, e.b, e.x, e.t_x, e.t, e.expected_mean * u.margin_share, 12, 365.25 / 28, u.quarterly_rate
    ) AS clv_36,
    u.basis
FROM expectations AS e
CROSS JOIN value.assumptions AS u
