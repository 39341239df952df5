/* matins
description: One row per month and channel, the share of the month's net that came through it.
formula: "net of the channel ÷ net of all channels"
rules:
  - Refunds lie in the month of their order.
  - A month without sales has no row, and neither has one of less than 5 customers; channels that fewer than 5 used in a month are
    one, `few` (`channel.mix`).
columns:
  dimension: the channel
  numerator: net of the channel
  denominator: net of the month
  n: valid orders of the month
  low: NULL, since net is no count
  high: NULL, since net is no count
key: [period, dimension]
closed: month
checks:
  - name: the channels' shares of a month add up to 1
    query: >
      SELECT period
      FROM kpi.channel_share
      GROUP BY period
      HAVING abs(sum(value) - 1) > 1e-9
*/
WITH totals AS (
    SELECT month, sum(net) AS net, sum(orders) AS orders
    FROM channel.mix
    GROUP BY month
)
SELECT
    m.month AS period,
    m.channel AS dimension,
    CAST(m.net AS DOUBLE) / CAST(nullif(t.net, 0) AS DOUBLE) AS value,
    m.net AS numerator,
    CAST(t.net AS DECIMAL(18, 4)) AS denominator,
    CAST(t.orders AS BIGINT) AS n,
    CAST(NULL AS DOUBLE) AS low,
    CAST(NULL AS DOUBLE) AS high,
    c.provisional
FROM channel.mix AS m
INNER JOIN totals AS t ON t.month = m.month
INNER JOIN core.months AS c ON c.month = m.month
ORDER BY period, dimension
