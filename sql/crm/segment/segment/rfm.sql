/* matins
description: >
  One row per customer with a valid order in the 24 months before `$as_of`: recency, frequency and money, scored 1 to 5, and
  the segment they put the customer in. `segment.rfm_scores` says how.
columns:
  recency_days: days from the last valid order to `$as_of`
  frequency: days with a purchase
  orders: valid orders
  net: as originated
  r: 5 is the most recent fifth
  f: 5 is the most frequent fifth
  m: 5 is the fifth that spends most
  segment: the first rule that matches
  cell: the eight cells of Chinese practice
key: [customer_key]
*/
SELECT
    customer_key,
    last_order,
    recency_days,
    frequency,
    orders,
    net,
    r,
    f,
    m,
    segment,
    cell
FROM segment.rfm_scores
WHERE as_of = $as_of
