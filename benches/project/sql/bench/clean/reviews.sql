/* matins
description: One row per order that was reviewed
*/
SELECT order_id, avg(review_score) AS score
FROM raw.reviews
GROUP BY order_id
