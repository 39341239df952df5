/* matins
description: >
  One row per campaign: what those it reached bought in the 30 days after, beside those who were held out, and what is left
  when its cost is paid.
formula: "roi = ((margin of a reached customer − margin of a held-out one) · reached − cost) / cost"
rules:
  - 30 days from the day the campaign reached the customer, that day included; a campaign whose 30 days are not over at
    `$as_of` is provisional.
  - Without anybody held out there is no increment, and roi is what is put down to the campaign, not what it caused.
  - Margin where the cost of every order is known, else net.
  - The response of less than 5 customers is not told, nor what compares with it.
columns:
  reached: customers, those held out not counted
  held_out: customers
  response: of those reached, who bought
  response_held_out: of those held out
  uplift_low: lower bound of the difference of the two, Newcombe, 95 %
  uplift_high: upper bound
  increment: margin beyond what the held-out lead one to expect; NULL without them
  cost: of the campaign
  basis: margin or net
  method: incremental, or attributed where nobody was held out
key: [campaign]
*/
WITH purchases AS (
    SELECT v.customer_key, v.bdate, v.net, v.net - o.cost AS margin
    FROM core.valid_orders AS v
    INNER JOIN core.orders AS o ON o.order_id = v.order_id
    WHERE v.bdate < $as_of
),
answers AS (
    SELECT
        c.campaign,
        c.customer_key,
        c.control,
        c.bdate,
        count(p.bdate) > 0 AS bought,
        coalesce(sum(p.net), 0) AS net,
        coalesce(sum(p.margin), 0) AS margin,
        count(p.bdate) - count(p.margin) AS without_cost
    FROM core.campaign_contacts AS c
    LEFT JOIN purchases AS p
        ON p.customer_key = c.customer_key AND p.bdate >= c.bdate AND p.bdate < CAST(c.bdate + INTERVAL '30 days' AS DATE)
    WHERE c.bdate < $as_of
    GROUP BY c.campaign, c.customer_key, c.control, c.bdate
),
groups AS (
    SELECT
        campaign,
        max(bdate) AS last_reached,
        count(*) FILTER (WHERE NOT control) AS reached,
        count(*) FILTER (WHERE control) AS held_out,
        count(*) FILTER (WHERE NOT control AND bought) AS buyers,
        count(*) FILTER (WHERE control AND bought) AS buyers_held_out,
        CASE WHEN sum(without_cost) = 0 THEN 'margin' ELSE 'net' END AS basis,
        CAST(sum(CASE WHEN NOT control THEN margin END) AS DOUBLE) AS margin,
        CAST(sum(CASE WHEN control THEN margin END) AS DOUBLE) AS margin_held_out,
        CAST(sum(CASE WHEN NOT control THEN net END) AS DOUBLE) AS net,
        CAST(sum(CASE WHEN control THEN net END) AS DOUBLE) AS net_held_out
    FROM answers
    GROUP BY campaign
),
spending AS (
    SELECT campaign, CAST(sum(amount) AS DECIMAL(18, 4)) AS amount
    FROM core.costs
    WHERE kind = 'campaign' AND campaign IS NOT NULL AND bdate < $as_of
    GROUP BY campaign
),
gains AS (
    SELECT
        campaign,
        last_reached,
        reached,
        held_out,
        buyers,
        buyers_held_out,
        basis,
        CASE WHEN basis = 'margin' THEN margin ELSE net END AS gain,
        CASE WHEN basis = 'margin' THEN margin_held_out ELSE net_held_out END AS gain_held_out
    FROM groups
)
SELECT
    g.campaign,
    g.reached,
    g.held_out,
    CASE WHEN g.reached >= 5 THEN CAST(g.buyers AS DOUBLE) / g.reached END AS response,
    CASE WHEN g.held_out >= 5 THEN CAST(g.buyers_held_out AS DOUBLE) / g.held_out END AS response_held_out,
    CASE
        WHEN least(g.reached, g.held_out) >= 5
            THEN newcombe_low(g.buyers, g.reached, g.buyers_held_out, g.held_out)
    END AS uplift_low,
    CASE
        WHEN least(g.reached, g.held_out) >= 5
            THEN newcombe_high(g.buyers, g.reached, g.buyers_held_out, g.held_out)
    END AS uplift_high,
    g.gain - g.gain_held_out * g.reached / nullif(g.held_out, 0) AS increment,
    s.amount AS cost,
    (coalesce(g.gain - g.gain_held_out * g.reached / nullif(g.held_out, 0), g.gain) - CAST(s.amount AS DOUBLE))
    / CAST(nullif(s.amount, 0) AS DOUBLE) AS roi,
    g.basis,
    CASE WHEN g.held_out > 0 THEN 'incremental' ELSE 'attributed' END AS method,
    CAST(g.last_reached + INTERVAL '30 days' AS DATE) > $as_of AS provisional,
    CAST(date_trunc('month', g.last_reached) AS DATE) AS month
FROM gains AS g
LEFT JOIN spending AS s ON s.campaign = g.campaign
