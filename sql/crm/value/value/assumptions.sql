/* matins
description: >
  One row: what expected values are reckoned with, printed because all of them hang on it.
columns:
  basis: margin where the cost of every order is known, else net, which overstates what a customer is worth; net where there is no order
  margin_share: of net, that of customers whose costs are known; 1 where it is net that is reckoned with
  yearly_rate: what money next year is discounted by
  monthly_rate: the same a month
  quarterly_rate: the same a quarter
key: [basis]
closed: month
*/
WITH totals AS (
    SELECT
        sum(net) AS net,
        sum(margin) AS margin,
        count(*) = count(margin) AND count(*) > 0 AS known
    FROM value.customers
)
SELECT
    CASE WHEN known THEN 'margin' ELSE 'net' END AS basis,
    CASE WHEN known THEN CAST(margin AS DOUBLE) / CAST(nullif(net, 0) AS DOUBLE) ELSE 1.0 END AS margin_share,
    0.1 AS yearly_rate,
    power(1.1, 1.0 / 12) - 1 AS monthly_rate,
    power(1.1, 1.0 / 4) - 1 AS quarterly_rate
FROM totals
