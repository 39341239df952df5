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
-- What one who is a customer for certain is worth depends on how often and since when he or she bought: hundreds share both, and each
-- has a chance of his or her own to be one still.
classes AS (
    SELECT
        c.x,
        c.t,
        m.r,
        m.alpha,
        m.a,
        m.b,
        m.knows_loss,
        mbgnbd_alive(m.r, m.alpha, m.a, m.b, c.x, c.t, c.t) AS alive,
        mbgnbd_expected(m.r, m.alpha, m.a, m.b, 52, c.x, c.t, c.t) AS purchases,
        mbgnbd_clv(m.r, m.alpha, m.a, m.b, c.x, c.t, c.t, u.margin_share, 12, 365.25 / 84, u.monthly_rate) AS value_12,
        mbgnbd_clv(m.r, m.alpha, m.a, m.b, c.x, c.t, c.t, u.margin_share, 12, 365.25 / 28, u.quarterly_rate) AS value_36,
        u.basis
    FROM (SELECT DISTINCT x, t FROM value.customers) AS c
    CROSS JOIN purchase_model AS m
    CROSS JOIN value.assumptions AS u
),
expectations AS (
    SELECT
        c.customer_key,
        c.last_order,
        k.knows_loss,
        mbgnbd_alive(k.r, k.alpha, k.a, k.b, c.x, c.t_x, c.t) AS alive,
        k.alive AS alive_in_class,
        k.purchases,
        gamma_gamma_mean(s.p, s.q, s.gamma, c.x, coalesce(c.repeat_mean, 0.0)) AS expected_mean,
        k.value_12,
        k.value_36,
        k.basis
    FROM classes AS k
    INNER JOIN value.customers AS c ON c.x = k.x AND c.t = k.t
    CROSS JOIN spend_model AS s
)
SELECT
    customer_key,
    last_order,
    CASE WHEN knows_loss THEN alive END AS alive,
    alive / alive_in_class * purchases AS expected_purchases,
    expected_mean,
    alive / alive_in_class * value_12 * expected_mean AS clv_12,
    alive / alive_in_class * value_36 * expected_mean AS clv_36,
    basis
FROM expectations
