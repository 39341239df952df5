/* matins
description: >
  One row per number of repeat purchases: the models fitted to what was known 26 weeks before `$as_of`, and what they expected
  of those weeks beside what came. The class of those who never came back is the one to look at.
rules:
  - Customers whose first order lies in the 26 weeks are not in it.
  - A model that knew no loss then, `bgnbd_loss` or `mbgnbd_loss` under 0.001, expects as if nobody ever left.
  - Seven repeat purchases and more are one class.
reference: "Fader, Hardie & Lee 2005, Marketing Science 24:275, figure 4"
columns:
  x: repeat purchase days up to 26 weeks before `$as_of`; 7 stands for all above
  bought: mean of the purchase days that came in the 26 weeks
  bgnbd_expected: mean expected by BG/NBD
  mbgnbd_expected: mean expected by MBG/NBD
  bgnbd_loss: a ÷ (a + b) of the fit, the mean chance that a purchase is the last
  mbgnbd_loss: the same
key: [x]
closed: month
*/
WITH purchase_days AS (
    SELECT DISTINCT customer_key, bdate
    FROM core.valid_orders
    WHERE bdate < $as_of
),
histories AS (
    SELECT
        customer_key,
        count(*) FILTER (WHERE bdate < CAST($as_of - INTERVAL '182 days' AS DATE)) - 1 AS x,
        (max(bdate) FILTER (WHERE bdate < CAST($as_of - INTERVAL '182 days' AS DATE)) - min(bdate)) / 7.0 AS t_x,
        (CAST($as_of - INTERVAL '182 days' AS DATE) - min(bdate)) / 7.0 AS t,
        count(*) FILTER (WHERE bdate >= CAST($as_of - INTERVAL '182 days' AS DATE)) AS later
    FROM purchase_days
    GROUP BY customer_key
    HAVING min(bdate) < CAST($as_of - INTERVAL '182 days' AS DATE)
),
fits AS (
    SELECT fit_bgnbd(x, t_x, t) AS bgnbd, fit_mbgnbd(x, t_x, t) AS mbgnbd
    FROM histories
)
SELECT
    least(h.x, 7) AS x,
    count(*) AS customers,
    avg(CAST(h.later AS DOUBLE)) AS bought,
    avg(bgnbd_expected(f.bgnbd, 26, h.x, h.t_x, h.t)) AS bgnbd_expected,
    avg(mbgnbd_expected(f.mbgnbd, 26, h.x, h.t_x, h.t)) AS mbgnbd_expected,
    max(f.bgnbd['a'] / (f.bgnbd['a'] + f.bgnbd['b'])) AS bgnbd_loss,
    max(f.mbgnbd['a'] / (f.mbgnbd['a'] + f.mbgnbd['b'])) AS mbgnbd_loss
FROM histories AS h
CROSS JOIN fits AS f
GROUP BY least(h.x, 7)
ORDER BY x
