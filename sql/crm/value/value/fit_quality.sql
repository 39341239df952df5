/* matins
description: >
  One row per model of `value.models`: how far what it expected of the last 26 weeks is from what came, and how far the parameters of its
  fit (`value.fits`) are from those of a fit to the customers of a month earlier, at `$prev_as_of`.
rules:
  - The tracking error is of `value.backtest`, all classes together; the model of spend has none.
  - "The drift is that of the parameter that moved most: a ÷ b and r ÷ alpha stay where a, b, r and alpha move together, so look
    at `loss_change` too before doubting a forecast."
  - A drift of more than a quarter is a warning, and `value.models` keeps the parameters of a month earlier then; so is a parameter that
    runs away, which has no drift that could be told.
reference: "Fader, Hardie & Lee 2005, Marketing Science 24:275, tracking plots"
columns:
  bought: purchase days of the 26 weeks
  expected: of them, expected when they began
  tracking_error: expected ÷ bought − 1
  drift: the largest |parameter now ÷ a month earlier − 1|, as in `value.models`; NULL where either fit has no parameters
  kept: whether `value.models` keeps the parameters of a month earlier
  loss_change: of the mean chance that a purchase is the last, now less a month earlier
key: [model]
closed: month
checks:
  - name: the parameters in use are this month's (`note` of value.models says why not)
    expression: "NOT kept"
    severity: warn
*/
WITH tracks AS (
    SELECT
        sum(bought * customers) AS bought,
        sum(bgnbd_expected * customers) AS bgnbd,
        sum(mbgnbd_expected * customers) AS mbgnbd
    FROM value.backtest
),
models AS (
    SELECT
        m.model,
        CASE WHEN m.model <> 'Gamma-Gamma' THEN t.bought END AS bought,
        CASE m.model WHEN 'BG/NBD' THEN t.bgnbd WHEN 'MBG/NBD' THEN t.mbgnbd END AS expected,
        m.drift,
        m.kept,
        n.loss - e.loss AS loss_change
    FROM value.models AS m
    INNER JOIN value.fits AS n ON n.model = m.model AND n.moment = 'now'
    INNER JOIN value.fits AS e ON e.model = m.model AND e.moment = 'a month earlier'
    CROSS JOIN tracks AS t
)
SELECT model, bought, expected, expected / nullif(bought, 0) - 1 AS tracking_error, drift, kept, loss_change
FROM models
ORDER BY model
