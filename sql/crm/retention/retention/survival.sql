/* matins
description: >
  One row per curve and length at which something happened: the share of customers to whom it had not happened by then
  (Kaplan–Meier), whatever the others were watched for.
formula: "S(t) = Π (1 − d ÷ n) over the lengths up to t"
reference:
  - "Kaplan & Meier 1958, JASA 53:457"
  - "Standard error: Greenwood 1926; interval on the scale of log(−log S): Kalbfleisch & Prentice"
columns:
  t: as in `retention.lifetimes`
  at_risk: customers who were watched for at least t
  events: of those, to whom it happened after t
  survival: share to whom it had not happened by then
  se: Greenwood's standard error; NULL where survival is 0
  low: lower bound of the 95 % interval; NULL where survival is 0
  high: upper bound of the 95 % interval; NULL where survival is 0
key: [curve, t]
checks:
  - expression: "survival BETWEEN 0 AND 1 AND (low IS NULL OR (low <= survival AND survival <= high))"
*/
WITH lengths AS (
    SELECT
        curve,
        t,
        CAST(coalesce(sum(customers) FILTER (WHERE event = 1), 0) AS BIGINT) AS d,
        CAST(sum(customers) AS BIGINT) AS customers
    FROM retention.lifetimes
    GROUP BY curve, t
),
risks AS (
    SELECT curve, t, d, CAST(sum(customers) OVER (PARTITION BY curve ORDER BY t DESC) AS BIGINT) AS n
    FROM lengths
),
steps AS (
    SELECT
        curve,
        t,
        n,
        d,
        CASE WHEN d < n THEN ln(1 - CAST(d AS DOUBLE) / n) END AS log_step,
        CASE WHEN d < n THEN CAST(d AS DOUBLE) / (CAST(n AS DOUBLE) * (n - d)) END AS variance_step
    FROM risks
    WHERE d > 0
),
curves AS (
    SELECT
        curve,
        t,
        n,
        d,
        exp(sum(log_step) OVER (PARTITION BY curve ORDER BY t)) AS s,
        sum(log_step) OVER (PARTITION BY curve ORDER BY t) AS log_s,
        sqrt(sum(variance_step) OVER (PARTITION BY curve ORDER BY t)) AS log_se
    FROM steps
)
SELECT
    curve,
    t,
    n AS at_risk,
    d AS events,
    CASE WHEN d = n THEN 0.0 ELSE s END AS survival,
    CASE WHEN d < n THEN s * log_se END AS se,
    CASE WHEN d < n THEN power(s, exp(normal_quantile(0.975) * log_se / abs(log_s))) END AS low,
    CASE WHEN d < n THEN power(s, exp(-normal_quantile(0.975) * log_se / abs(log_s))) END AS high
FROM curves
ORDER BY curve, t
