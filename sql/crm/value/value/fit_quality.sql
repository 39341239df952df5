/* matins
description: >
  One row per model of `value.models`: how far what it expected of the last 26 weeks is from what came, and how far its
  parameters are from those of a fit to what was known a month earlier, at `$prev_as_of`.
rules:
  - The tracking error is of `value.backtest`, all classes together; the model of spend has none.
  - "The drift is that of the parameter that moved most: a ÷ b and r ÷ alpha stay where a, b, r and alpha move together, so look
    at `loss_change` too before doubting a forecast."
  - A drift of more than a quarter is a warning. The parameters in use are those of `value.models` all the same, as nothing of an
    earlier run is read here.
  - "Only the models whose values are published are fitted again: MBG/NBD and Gamma-Gamma."
reference: "Fader, Hardie & Lee 2005, Marketing Science 24:275, tracking plots"
columns:
  bought: purchase days of the 26 weeks
  expected: of them, expected when they began
  tracking_error: expected ÷ bought − 1
  drift: the largest |parameter now ÷ a month earlier − 1|; NULL where there was no fit
  loss_change: of the mean chance that a purchase is the last, now less a month earlier
key: [model]
closed: month
checks:
  - name: no parameter moved by more than a quarter in a month
    expression: "drift IS NULL OR drift <= 0.25"
    severity: warn
*/
WITH histories AS (
    SELECT
        customer_key,
        count(*) - 1 AS x,
        (max(bdate) - min(bdate)) / 7.0 AS t_x,
        ($prev_as_of - min(bdate)) / 7.0 AS t,
        avg(CAST(net AS DOUBLE)) FILTER (WHERE bdate > first_day) AS repeat_mean
    FROM core.purchase_days
    WHERE bdate < $prev_as_of
    GROUP BY customer_key
),
fits AS (
    SELECT fit_mbgnbd(x, t_x, t) AS mbgnbd, fit_gamma_gamma(x, repeat_mean) AS gamma_gamma
    FROM histories
),
tracks AS (
    SELECT
        sum(bought * customers) AS bought,
        sum(bgnbd_expected * customers) AS bgnbd,
        sum(mbgnbd_expected * customers) AS mbgnbd
    FROM value.backtest
),
drifts AS (
    SELECT
        m.model,
        CASE WHEN m.model <> 'Gamma-Gamma' THEN t.bought END AS bought,
        CASE m.model WHEN 'BG/NBD' THEN t.bgnbd WHEN 'MBG/NBD' THEN t.mbgnbd END AS expected,
        CASE m.model
            WHEN 'MBG/NBD' THEN greatest(
                abs(m.r / f.mbgnbd['r'] - 1),
                abs(m.alpha / f.mbgnbd['alpha'] - 1),
                abs(m.a / f.mbgnbd['a'] - 1),
                abs(m.b / f.mbgnbd['b'] - 1)
            )
            WHEN 'Gamma-Gamma' THEN greatest(
                abs(m.p / f.gamma_gamma['p'] - 1),
                abs(m.q / f.gamma_gamma['q'] - 1),
                abs(m.gamma / f.gamma_gamma['gamma'] - 1)
            )
        END AS drift,
        CASE
            WHEN m.model = 'MBG/NBD' THEN m.loss - f.mbgnbd['a'] / (f.mbgnbd['a'] + f.mbgnbd['b'])
        END AS loss_change
    FROM value.models AS m
    CROSS JOIN fits AS f
    CROSS JOIN tracks AS t
)
SELECT model, bought, expected, expected / nullif(bought, 0) - 1 AS tracking_error, drift, loss_change
FROM drifts
ORDER BY model
