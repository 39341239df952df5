/* matins
description: >
  One row per product and place 1 to 3: what to offer to who buys it, by lift among the pairs of `basket.affinity` that chance
  does not explain.
rules: Only pairs whose confidence has a lower Wilson bound above the share of all baskets that hold the second product.
columns:
  place: 1 is the highest lift
  offer: the product to offer
  confidence_low: lower bound of the 95 % Wilson interval
key: [product_id, place]
*/
WITH told AS (
    SELECT
        product_a,
        product_b,
        together,
        confidence,
        wilson_low(together, baskets_a) AS confidence_low,
        lift
    FROM basket.affinity
    WHERE wilson_low(together, baskets_a) > CAST(baskets_b AS DOUBLE) / baskets
),
ranking AS (
    SELECT
        product_a,
        product_b,
        together,
        confidence,
        confidence_low,
        lift,
        row_number() OVER (PARTITION BY product_a ORDER BY lift DESC, product_b) AS place
    FROM told
)
SELECT
    product_a AS product_id,
    CAST(place AS BIGINT) AS place,
    product_b AS offer,
    together,
    confidence,
    confidence_low,
    lift
FROM ranking
WHERE place <= 3
