/* matins
description: >
  One row per customer and purpose that he or she said anything about before `$as_of`: the latest word, and whether it stands.
grain: one row per customer and purpose
rules:
  - The latest word counts; of two on one day a refusal does, and else the greater id.
  - A consent stands until another word, or until it expires. A refusal never expires.
  - A list of single customers is for the company's own systems; whatever writes to customers joins it.
reference: "Regulation (EU) 2016/679 art. 7; PIPL art. 14, 15, 16"
columns:
  granted: the latest word
  said_on: the day of it
  expires_on: the first day it no longer holds; NULL when it has no end
  basis: of the latest word; NULL where nobody wrote it down
  words: how often the customer said something about it
  stands: whether there is a consent on `$as_of`
key: [customer_key, purpose]
*/
WITH words AS (
    SELECT
        customer_key,
        purpose,
        granted,
        bdate,
        expires_on,
        basis,
        count(*) OVER (PARTITION BY customer_key, purpose) AS words,
        row_number() OVER (PARTITION BY customer_key, purpose ORDER BY bdate DESC, granted, consent_id DESC) AS place
    FROM core.consents
    WHERE bdate < $as_of
)
SELECT
    customer_key,
    purpose,
    granted,
    bdate AS said_on,
    expires_on,
    basis,
    words,
    granted AND (expires_on IS NULL OR expires_on > $as_of) AS stands
FROM words
WHERE place = 1
