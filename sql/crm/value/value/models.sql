/* matins
description: >
  One row per model: the parameters in use. They are those of the fit to the customers of `value.customers`, unless one of them moved by
  more than a quarter in a month: then they are those of the fit to the customers of a month earlier (`value.fits` has both). A model that
  could not be fitted has no parameters and says why; what is made from it is then NULL, and all else is published.
formula: "drift = the largest |parameter now ÷ a month earlier − 1|; kept where drift > 0.25"
rules:
  - "What moves so far may be a mistake in the exports, and what was believed a month ago is kept until somebody has looked. A jump that
    stays is taken a month later, as the earlier fit has it by then: nothing of an earlier run is read, so nothing is kept longer."
  - "The rule goes by parameters, not by forecasts. a and b, and r and alpha, may move far together while what they expect hardly
    changes; then it hardly matters which are used. In a company that is young or changes, the earlier fit lags a month behind."
  - "Where neither fit knows loss, nothing determines a and b, and they are not compared."
  - A parameter that now runs away, so that the likelihood has no greatest value, moved as well. What is not fitted at all, as there are
    too few customers, spend goes with frequency or its mean does not exist, is not replaced by an earlier fit; and where there was none, that of now is in use.
  - A purchase model by which less than one purchase in a thousand is the customer's last knows no loss. It has converged and its
    expectations are those of customers who never leave, but P(alive) is 1 for everybody and says nothing; `note` says so.
reference:
  - "BG/NBD: Fader, Hardie & Lee 2005, Marketing Science 24:275"
  - "MBG/NBD: Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24:201"
  - "Gamma-Gamma: Fader & Hardie 2013, note 025"
columns:
  model: BG/NBD, MBG/NBD or Gamma-Gamma
  r: of the purchase models, as alpha, a and b
  loss: "of the purchase models, the mean chance that a purchase is the last, a ÷ (a + b)"
  knows_loss: whether that is one in a thousand or more
  p: of Gamma-Gamma, as q and gamma
  correlation: of spend and repeat purchases
  log_likelihood: of the fit in use, as converged, n, iterations and reason
  n: customers it was fitted to
  iterations: evaluations of the likelihood
  reason: why there are no parameters
  drift: of the fit to the customers of now, whichever is in use; NULL where either has no parameters
  kept: whether the parameters are those of a month earlier
  note: why earlier parameters are kept, and what parameters that are there do not say
key: [model]
closed: month
checks:
  - expression: "converged"
    severity: info
*/
WITH moves AS (
    SELECT
        n.model,
        CASE WHEN NOT n.converged AND n.iterations > 0 AND e.converged THEN n.reason END AS ran_away,
        abs(n.r / e.r - 1) AS r,
        abs(n.alpha / e.alpha - 1) AS alpha,
        CASE WHEN n.knows_loss OR e.knows_loss THEN abs(n.a / e.a - 1) END AS a,
        CASE WHEN n.knows_loss OR e.knows_loss THEN abs(n.b / e.b - 1) END AS b,
        abs(n.p / e.p - 1) AS p,
        abs(n.q / e.q - 1) AS q,
        abs(n.gamma / e.gamma - 1) AS gamma
    FROM value.fits AS n
    INNER JOIN value.fits AS e ON e.model = n.model
    WHERE n.moment = 'now' AND e.moment = 'a month earlier'
),
drifts AS (
    SELECT *, greatest(r, alpha, a, b, p, q, gamma) AS drift
    FROM moves
),
largest AS (
    SELECT
        model,
        ran_away,
        drift,
        CASE drift
            WHEN r THEN 'r'
            WHEN alpha THEN 'alpha'
            WHEN a THEN 'a'
            WHEN b THEN 'b'
            WHEN p THEN 'p'
            WHEN q THEN 'q'
            WHEN gamma THEN 'gamma'
        END AS moved
    FROM drifts
),
choices AS (
    SELECT
        model,
        drift,
        CASE
            WHEN ran_away IS NOT NULL THEN ran_away
            WHEN drift >= 9 THEN concat(moved, ' grew tenfold or more')
            WHEN drift > 0.25 THEN concat(moved, ' moved by ', CAST(round(100 * drift) AS BIGINT), ' %')
        END AS why_kept
    FROM largest
)
SELECT
    f.model,
    f.r,
    f.alpha,
    f.a,
    f.b,
    f.loss,
    f.knows_loss,
    f.p,
    f.q,
    f.gamma,
    f.correlation,
    f.log_likelihood,
    f.converged,
    f.n,
    f.iterations,
    f.reason,
    c.drift,
    c.why_kept IS NOT NULL AS kept,
    nullif(
        concat_ws(
            '; ',
            'kept from a month earlier: ' || c.why_kept,
            CASE WHEN NOT f.knows_loss THEN 'no loss is seen in these customers, so P(alive) says nothing' END
        ),
        ''
    ) AS note
FROM choices AS c
INNER JOIN value.fits AS f ON f.model = c.model
WHERE f.moment = CASE WHEN c.why_kept IS NULL THEN 'now' ELSE 'a month earlier' END
ORDER BY f.model
