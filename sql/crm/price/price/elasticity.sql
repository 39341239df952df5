/* matins
description: >
  One row per product with enough weeks and prices: by how many per cent fewer were sold when the price was one per cent
  higher.
formula: "ln(quantity of a week) = a + elasticity · ln(mean price of the week)"
rules:
  - At least 20 weeks with a sale and 5 different weekly prices; weeks without a sale have no price and are not in it. Only whole weeks of
    the 24 months, from Monday to Sunday, since fewer are sold in a part of one at any price.
  - The price of a week is what was paid on the whole divided by how many were sold.
  - What was ordered counts, whether it was paid back later or not, since it was asked for at its price all the same; repeat purchases,
    preferences and baskets leave out what was refunded in full.
  - An observation, no experiment; seasons and stock move both sides.
reference: "log-log regression; Tellis 1988, J. of Marketing Research 25:331, finds −1.76 in the mean"
columns:
  weeks: with a sale
  prices: different weekly mean prices, to the cent
  elasticity: the slope
  low: lower bound of the slope's 95 % interval, normal approximation
  high: upper bound
  r_squared: how much of the variation the price explains
key: [product_id]
*/
WITH weekly AS (
    SELECT
        product_id,
        date_trunc('week', bdate) AS week,
        CAST(sum(quantity) AS DOUBLE) AS quantity,
        CAST(sum(net) AS DOUBLE) / CAST(sum(quantity) AS DOUBLE) AS price
    FROM core.order_lines
    WHERE valid
        AND bdate < date_trunc('week', $as_of)
        AND bdate >= date_trunc('week', CAST($as_of - INTERVAL '24 months' + INTERVAL '6 days' AS DATE))
    GROUP BY product_id, date_trunc('week', bdate)
    HAVING sum(quantity) > 0 AND sum(net) > 0
),
logs AS (
    SELECT product_id, ln(quantity) AS y, ln(price) AS x, round(price, 2) AS cents
    FROM weekly
),
means AS (
    SELECT product_id, count(*) AS weeks, count(DISTINCT cents) AS prices, avg(x) AS x, avg(y) AS y
    FROM logs
    GROUP BY product_id
    HAVING count(*) >= 20 AND count(DISTINCT cents) >= 5
),
-- Sums are exact, whereas `regr_slope` has other last digits on another number of cores.
moments AS (
    SELECT
        m.product_id,
        m.weeks,
        m.prices,
        sum((l.x - m.x) * (l.x - m.x)) AS xx,
        sum((l.x - m.x) * (l.y - m.y)) AS xy,
        sum((l.y - m.y) * (l.y - m.y)) AS yy
    FROM logs AS l
    INNER JOIN means AS m ON m.product_id = l.product_id
    GROUP BY m.product_id, m.weeks, m.prices
),
-- The deviation is that of the residuals: a slope of exactly 0 explains nothing, and is not certain for it.
slopes AS (
    SELECT
        product_id,
        weeks,
        prices,
        xy / nullif(xx, 0) AS elasticity,
        sqrt(greatest(yy - xy * xy / nullif(xx, 0), 0) / (weeks - 2) / nullif(xx, 0)) AS deviation,
        xy * xy / nullif(xx * yy, 0) AS r_squared
    FROM moments
)
SELECT
    product_id,
    weeks,
    prices,
    elasticity,
    elasticity - normal_quantile(0.975) * deviation AS low,
    elasticity + normal_quantile(0.975) * deviation AS high,
    r_squared
FROM slopes
