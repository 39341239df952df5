/* matins
description: One row per review and order. The marketplace asks once an order is there, or should be.
columns:
  response_id: review and order, since some reviews are of several orders
  answered_at: the marketplace's wall clock
  wave: NULL, it asks all the time
  csat: stars, 1 to 5
  touchpoint: delivery when the customer had the order before answering, else waiting
key: [response_id]
checks:
  - not_null: [customer_key, bdate]
*/
SELECT
    r.review_id || '/' || r.order_id AS response_id,
    o.customer_key,
    r.review_answer_timestamp AS answered_at,
    CAST(r.review_answer_timestamp AS DATE) AS bdate,
    'transactional' AS survey,
    CAST(NULL AS VARCHAR) AS wave,
    r.review_score AS csat,
    CASE WHEN o.delivered_at <= r.review_answer_timestamp THEN 'delivery' ELSE 'waiting' END AS touchpoint,
    r.review_comment_message AS comment
FROM raw.reviews AS r
LEFT JOIN core.orders AS o ON o.order_id = r.order_id
