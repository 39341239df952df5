/* matins
description: >
  One row per month: of the lost customers whom a campaign reached in it, the share with a valid order in the 30 days after. Beside it,
  what those did who were lost as well and held out.
formula: "lost and reached customers who bought within 30 days ÷ lost and reached customers"
grain: one row per month
rules:
  - Lost is silent for longer than `lost_after` of `segment.rhythm` on the day the campaign reached the customer, as in `churn.months`.
  - 30 days from that day, it included, as in `roi.campaigns`. Who was reached twice in a month counts once, from the first time.
  - Who was held out of one campaign and reached by another less than 30 days before or after is no comparison, and not among those held out.
  - A month is provisional until the 30 days of its last day are over.
  - What the campaign did is the difference to those held out; without any, lost customers who would have come back anyway are in the
    share. `kpi.win_back` is of all lost customers.
reference: "Griffin & Lowenstein 2001, Customer Winback; Newcombe 1998, Statistics in Medicine 17:873, method 10"
columns:
  numerator: of those, with a valid order in the 30 days
  denominator: lost customers reached in the month
  n: the denominator
  low: lower bound of the 95 % Wilson interval
  high: upper bound of the 95 % Wilson interval
  held_out: lost customers held out in the month
  held_out_share: of those, with a valid order in the 30 days; NULL of less than 5
  uplift_low: lower bound of the difference of the two, Newcombe, 95 %; NULL where either is less than 5
  uplift_high: upper bound
key: [period]
checks:
  - expression: "value IS NULL OR (low <= value AND value <= high)"
*/
WITH rhythm AS (
    SELECT CAST(floor(lost_after) AS INT) AS lost_after
    FROM segment.rhythm
    WHERE as_of = $as_of
),
contacts AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        customer_key,
        control,
        min(bdate) AS reached_on
    FROM core.campaign_contacts
    WHERE bdate < $as_of
    GROUP BY 1, customer_key, control
),
compared AS (
    SELECT c.month, c.customer_key, c.control, c.reached_on
    FROM contacts AS c
    LEFT JOIN core.campaign_contacts AS r
        ON r.customer_key = c.customer_key
            AND NOT r.control
            AND r.bdate < $as_of
            AND r.bdate > c.reached_on - 30
            AND r.bdate < c.reached_on + 30
    GROUP BY c.month, c.customer_key, c.control, c.reached_on
    HAVING NOT c.control OR count(r.customer_key) = 0
),
-- The last purchase day before the contact, and the first from it on, stand beside each other in the customer's days.
silent AS (
    SELECT
        c.month,
        c.customer_key,
        c.control,
        c.reached_on,
        max(d.bdate) FILTER (WHERE d.bdate < c.reached_on) AS last_before,
        min(d.bdate) FILTER (WHERE d.bdate >= c.reached_on) AS next_from
    FROM compared AS c
    INNER JOIN core.purchase_days AS d ON d.customer_key = c.customer_key
    GROUP BY c.month, c.customer_key, c.control, c.reached_on
),
lost AS (
    SELECT s.month, s.control, coalesce(s.next_from < s.reached_on + 30, FALSE) AS bought
    FROM silent AS s
    CROSS JOIN rhythm AS r
    WHERE s.reached_on - s.last_before > r.lost_after
),
tallies AS (
    SELECT
        month,
        count(*) FILTER (WHERE NOT control) AS n,
        count(*) FILTER (WHERE NOT control AND bought) AS k,
        count(*) FILTER (WHERE control) AS held_out,
        count(*) FILTER (WHERE control AND bought) AS bought_held_out
    FROM lost
    GROUP BY month
),
months AS (
    SELECT unnest(generate_series(
        min(month),
        CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
        INTERVAL '1 month'
    )) AS month
    FROM contacts
),
closed AS (
    SELECT
        m.month,
        CAST(m.month + INTERVAL '1 month' AS DATE) + 29 > $as_of AS provisional,
        coalesce(t.n, 0) AS n,
        coalesce(t.k, 0) AS k,
        coalesce(t.held_out, 0) AS held_out,
        coalesce(t.bought_held_out, 0) AS bought_held_out
    FROM months AS m
    LEFT JOIN tallies AS t ON t.month = m.month
)
SELECT
    month AS period,
    CASE WHEN NOT provisional THEN CAST(k AS DOUBLE) / nullif(n, 0) END AS value,
    k AS numerator,
    n AS denominator,
    n,
    CASE WHEN NOT provisional THEN wilson_low(k, n) END AS low,
    CASE WHEN NOT provisional THEN wilson_high(k, n) END AS high,
    held_out,
    CASE WHEN NOT provisional AND held_out >= 5 THEN CAST(bought_held_out AS DOUBLE) / held_out END AS held_out_share,
    CASE WHEN NOT provisional AND least(n, held_out) >= 5 THEN newcombe_low(k, n, bought_held_out, held_out) END AS uplift_low,
    CASE WHEN NOT provisional AND least(n, held_out) >= 5 THEN newcombe_high(k, n, bought_held_out, held_out) END AS uplift_high,
    provisional
FROM closed
ORDER BY period
