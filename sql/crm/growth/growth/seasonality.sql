/* matins
description: >
  One row per month of the year: how much more or less is sold in it than in a month of the year around it (seasonality index).
formula: "index = mean of revenue ÷ centred mean of 12 months over the years, scaled so that the twelve have a mean of 1"
rules:
  - Closed months, as originated. Around a month lie the six before and the six after it, the outermost by half, so a history of n
    months has n − 12 such ratios.
  - NULL until every month of the year has a ratio, which takes two years. From one ratio each it holds what that year had by
    chance too, so look at `years`.
reference: "Ratio to moving average, as in R's decompose(type = \"multiplicative\"): Macaulay 1931"
columns:
  month_of_year: 1 to 12
  years: ratios it is the mean of
  index: 1 is a month like others
key: [month_of_year]
closed: month
checks:
  - name: the twelve have a mean of 1
    query: >
      SELECT mean FROM (SELECT avg(index) AS mean FROM growth.seasonality) AS twelve WHERE abs(mean - 1) > 0.000001
*/
WITH closed AS (
    SELECT month, CAST(revenue AS DOUBLE) AS revenue
    FROM growth.revenue
    WHERE NOT provisional
),
around AS (
    SELECT
        month,
        revenue,
        count(*) OVER (ORDER BY month ROWS BETWEEN 6 PRECEDING AND 6 FOLLOWING) AS months,
        sum(revenue) OVER (ORDER BY month ROWS BETWEEN 6 PRECEDING AND 5 FOLLOWING)
        + sum(revenue) OVER (ORDER BY month ROWS BETWEEN 5 PRECEDING AND 6 FOLLOWING) AS twice_twelve
    FROM closed
),
ratios AS (
    SELECT
        CAST(date_part('month', month) AS BIGINT) AS month_of_year,
        CASE WHEN months = 13 AND twice_twelve > 0 THEN revenue * 24 / twice_twelve END AS ratio
    FROM around
),
means AS (
    SELECT month_of_year, count(ratio) AS years, avg(ratio) AS ratio
    FROM ratios
    GROUP BY month_of_year
)
SELECT
    month_of_year,
    years,
    CASE WHEN count(ratio) OVER () = 12 THEN ratio * 12 / nullif(sum(ratio) OVER (), 0) END AS index
FROM means
ORDER BY month_of_year
