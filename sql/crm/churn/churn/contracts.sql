/* matins
description: >
  One row per customer and time without a gap under contract: when it began, and when and why it ended, as far as that is known at
  `$as_of`.
rules:
  - Terms that follow each other within `contract_grace_days` (15 unless the pipeline says otherwise) are one time, and so are terms
    beside each other. A pause is no end.
  - A term that was renewed by the source's word lasts until the next one that outlasts it begins, however long that takes, and ends as
    that one does. Only the last of a customer's terms to end, when it was renewed and no other is known yet, has not ended.
  - A time whose end lies less than the days of grace back is still open.
columns:
  began_on: the first day
  ended_on: the first day without a contract; NULL while it goes on or may still go on
  reason: of the last term, why it was not renewed; NULL where nobody wrote it down
key: [customer_key, began_on]
*/
WITH terms AS (
    SELECT customer_key, contract_id, starts_on, ends_on, renewed, reason
    FROM core.contracts
    WHERE starts_on < $as_of AND customer_key IS NOT NULL
),
-- From the last to end on, so that `next_starts_on` is of the terms that outlast this one; it is NULL of the last of them.
followed AS (
    SELECT
        customer_key,
        contract_id,
        starts_on,
        coalesce(ends_on, DATE '9999-12-31') AS ends_on,
        coalesce(renewed, FALSE) AS renewed,
        reason,
        min(starts_on) OVER (
            PARTITION BY customer_key
            ORDER BY coalesce(ends_on, DATE '9999-12-31') DESC, coalesce(renewed, FALSE) DESC, starts_on DESC, contract_id DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS next_starts_on
    FROM terms
),
covers AS (
    SELECT
        *,
        CASE
            WHEN NOT renewed THEN ends_on
            WHEN next_starts_on IS NULL THEN DATE '9999-12-31'
            ELSE greatest(ends_on, next_starts_on)
        END AS covers_until
    FROM followed
),
reach AS (
    SELECT
        *,
        max(covers_until) OVER (
            PARTITION BY customer_key
            ORDER BY starts_on, covers_until, contract_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_before
    FROM covers
),
times AS (
    SELECT
        *,
        sum(CASE WHEN covered_before IS NULL OR starts_on > covered_before + $contract_grace_days THEN 1 ELSE 0 END) OVER (
            PARTITION BY customer_key ORDER BY starts_on, covers_until, contract_id
        ) AS number
    FROM reach
),
spans AS (
    SELECT customer_key, number, min(starts_on) AS began_on, max(covers_until) AS until
    FROM times
    GROUP BY customer_key, number
),
endings AS (
    SELECT
        customer_key,
        number,
        reason,
        row_number() OVER (PARTITION BY customer_key, number ORDER BY covers_until DESC, starts_on DESC, contract_id DESC) AS place
    FROM times
)
SELECT
    s.customer_key,
    s.began_on,
    CASE WHEN s.until + $contract_grace_days < $as_of THEN s.until END AS ended_on,
    CASE WHEN s.until + $contract_grace_days < $as_of THEN e.reason END AS reason
FROM spans AS s
INNER JOIN endings AS e ON e.customer_key = s.customer_key AND e.number = s.number AND e.place = 1
