/* matins
description: No row. The export has no refunds; an order that was cancelled does not count in the first place.
key: [refund_id]
*/
SELECT
    CAST(NULL AS VARCHAR) AS refund_id,
    CAST(NULL AS VARCHAR) AS order_id,
    CAST(NULL AS VARCHAR) AS customer_key,
    CAST(NULL AS DATE) AS bdate,
    CAST(NULL AS DECIMAL(18, 4)) AS amount,
    CAST(NULL AS VARCHAR) AS reason
WHERE FALSE
