/* matins
description: >
  One row per model fitted to the customers of `value.customers`, by maximum likelihood. A model that could not be fitted has
  no parameters and says why; what is made from it is then NULL, and all else is published.
rules:
  - Under 500 customers, or under 100 who came back, no purchase model is fitted; under 100 who came back, no model of spend.
  - The model of spend is given up where spend and frequency correlate by 0.3 or more, or its mean does not exist (q ≤ 1).
reference:
  - "BG/NBD: Fader, Hardie & Lee 2005, Marketing Science 24:275"
  - "MBG/NBD: Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
  - "Gamma-Gamma: Fader & Hardie 2013, note 025"
  - A purchase model by which less than one purchase in a thousand is the customer's last knows no loss. It has converged and
    its expectations are those of customers who never leave, but P(alive) is 1 for everybody and says nothing; `note` says so.
columns:
  model: BG/NBD, MBG/NBD or Gamma-Gamma
  r: of the purchase models, as alpha, a and b
  loss: "of the purchase models, the mean chance that a purchase is the last, a ÷ (a + b)"
  p: of Gamma-Gamma, as q and gamma
  correlation: of spend and repeat purchases
  n: customers it was fitted to
  iterations: evaluations of the likelihood
  reason: why there are no parameters
  note: what parameters that are there do not say
key: [model]
closed: month
checks:
  - expression: "converged"
    severity: info
*/
WITH fits AS (
    SELECT
        fit_bgnbd(x, t_x, t) AS bgnbd,
        fit_mbgnbd(x, t_x, t) AS mbgnbd,
        fit_gamma_gamma(x, repeat_mean) AS gamma_gamma
    FROM value.customers
),
purchase_models AS (
    SELECT 'BG/NBD' AS model, bgnbd AS fit FROM fits
    UNION ALL
    SELECT 'MBG/NBD' AS model, mbgnbd AS fit FROM fits
)
SELECT
    model,
    fit['r'] AS r,
    fit['alpha'] AS alpha,
    fit['a'] AS a,
    fit['b'] AS b,
    fit['a'] / (fit['a'] + fit['b']) AS loss,
    CAST(NULL AS DOUBLE) AS p,
    CAST(NULL AS DOUBLE) AS q,
    CAST(NULL AS DOUBLE) AS gamma,
    CAST(NULL AS DOUBLE) AS correlation,
    fit['log_likelihood'] AS log_likelihood,
    fit['converged'] AS converged,
    fit['n'] AS n,
    fit['iterations'] AS iterations,
    fit['reason'] AS reason,
    CASE
        WHEN fit['a'] / (fit['a'] + fit['b']) < 0.001
            THEN 'no loss is seen in these customers, so P(alive) says nothing'
    END AS note
FROM purchase_models
UNION ALL
SELECT
    'Gamma-Gamma' AS model,
    CAST(NULL AS DOUBLE) AS r,
    CAST(NULL AS DOUBLE) AS alpha,
    CAST(NULL AS DOUBLE) AS a,
    CAST(NULL AS DOUBLE) AS b,
    CAST(NULL AS DOUBLE) AS loss,
    gamma_gamma['p'] AS p,
    gamma_gamma['q'] AS q,
    gamma_gamma['gamma'] AS gamma,
    gamma_gamma['correlation'] AS correlation,
    gamma_gamma['log_likelihood'] AS log_likelihood,
    gamma_gamma['converged'] AS converged,
    gamma_gamma['n'] AS n,
    gamma_gamma['iterations'] AS iterations,
    gamma_gamma['reason'] AS reason,
    CAST(NULL AS VARCHAR) AS note
FROM fits
