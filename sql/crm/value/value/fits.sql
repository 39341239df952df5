/* matins
description: >
  One row per model and moment: the models of purchase and spend, fitted by maximum likelihood to the customers there are at `$as_of`,
  and once more to those there were a month earlier, at `$prev_as_of`. `value.models` chooses between the two.
rules:
  - Under 500 customers, or under 100 who came back, no purchase model is fitted; under 100 who came back, no model of spend.
  - The model of spend is given up where spend and frequency correlate by 0.3 or more, or its mean does not exist (q ≤ 1).
  - Both moments are looked at from the same orders, never from an earlier run. A refund that became known since counts at both.
reference:
  - "BG/NBD: Fader, Hardie & Lee 2005, Marketing Science 24:275"
  - "MBG/NBD: Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
  - "Gamma-Gamma: Fader & Hardie 2013, note 025"
columns:
  model: BG/NBD, MBG/NBD or Gamma-Gamma
  moment: "now, or a month earlier"
  r: of the purchase models, as alpha, a and b
  loss: "of the purchase models, the mean chance that a purchase is the last, a ÷ (a + b)"
  knows_loss: whether that is one in a thousand or more
  p: of Gamma-Gamma, as q and gamma
  correlation: of spend and repeat purchases
  n: customers it was fitted to
  iterations: evaluations of the likelihood
  reason: why there are no parameters
key: [model, moment]
closed: month
*/
WITH a_month_earlier AS (
    SELECT
        count(*) - 1 AS x,
        (max(bdate) - min(bdate)) / 7.0 AS t_x,
        ($prev_as_of - min(bdate)) / 7.0 AS t,
        avg(CAST(net AS DOUBLE)) FILTER (WHERE bdate > first_day) AS repeat_mean
    FROM core.purchase_days
    WHERE bdate < $prev_as_of
    GROUP BY customer_key
),
fits AS (
    SELECT
        'now' AS moment,
        fit_bgnbd(x, t_x, t) AS bgnbd,
        fit_mbgnbd(x, t_x, t) AS mbgnbd,
        fit_gamma_gamma(x, repeat_mean) AS gamma_gamma
    FROM value.customers
    UNION ALL
    SELECT
        'a month earlier' AS moment,
        fit_bgnbd(x, t_x, t) AS bgnbd,
        fit_mbgnbd(x, t_x, t) AS mbgnbd,
        fit_gamma_gamma(x, repeat_mean) AS gamma_gamma
    FROM a_month_earlier
),
purchase_models AS (
    SELECT 'BG/NBD' AS model, moment, bgnbd AS fit FROM fits
    UNION ALL
    SELECT 'MBG/NBD' AS model, moment, mbgnbd AS fit FROM fits
)
SELECT
    model,
    moment,
    fit['r'] AS r,
    fit['alpha'] AS alpha,
    fit['a'] AS a,
    fit['b'] AS b,
    fit['a'] / (fit['a'] + fit['b']) AS loss,
    fit['a'] / (fit['a'] + fit['b']) >= 0.001 AS knows_loss,
    CAST(NULL AS DOUBLE) AS p,
    CAST(NULL AS DOUBLE) AS q,
    CAST(NULL AS DOUBLE) AS gamma,
    CAST(NULL AS DOUBLE) AS correlation,
    fit['log_likelihood'] AS log_likelihood,
    fit['converged'] AS converged,
    fit['n'] AS n,
    fit['iterations'] AS iterations,
    fit['reason'] AS reason
FROM purchase_models
UNION ALL
SELECT
    'Gamma-Gamma' AS model,
    moment,
    CAST(NULL AS DOUBLE) AS r,
    CAST(NULL AS DOUBLE) AS alpha,
    CAST(NULL AS DOUBLE) AS a,
    CAST(NULL AS DOUBLE) AS b,
    CAST(NULL AS DOUBLE) AS loss,
    CAST(NULL AS BOOLEAN) AS knows_loss,
    gamma_gamma['p'] AS p,
    gamma_gamma['q'] AS q,
    gamma_gamma['gamma'] AS gamma,
    gamma_gamma['correlation'] AS correlation,
    gamma_gamma['log_likelihood'] AS log_likelihood,
    gamma_gamma['converged'] AS converged,
    gamma_gamma['n'] AS n,
    gamma_gamma['iterations'] AS iterations,
    gamma_gamma['reason'] AS reason
FROM fits
