/* matins
description: >
  One row per month: how the recurring revenue of contracts got from what it was on the month's first day to what it was on that
  of the next.
rules:
  - What a customer's terms bring a month (`monthly`), those beside each other together. Terms of which that is not known are left
    out.
  - A term counts until the next one where that begins within `contract_grace_days` (15 unless the pipeline says otherwise), so
    that a pause is no loss; until whatever comes where the source says that it was renewed.
  - Who comes back after a time without a contract counts as new.
  - A month is closed when the days of grace after it are over.
columns:
  customers: with recurring revenue on the first day
  at_start: a month's revenue of the contracts of the first day
  new: of customers who had none on the first day
  expansion: what customers who stay pay more than on the first day
  contraction: what customers who stay pay less
  lost: of customers who have none any more
  lost_customers: how many those are
  at_end: a month's revenue of the contracts of the next month's first day
  provisional: whether the days of grace after the month were not over at `$as_of`
key: [month]
checks:
  - name: at end = at start + new + expansion - contraction - lost
    expression: "at_end = at_start + new + expansion - contraction - lost"
  - name: what is at the end of a month is at the start of the next
    query: >
      SELECT month
      FROM (SELECT month, at_start, lag(at_end) OVER (ORDER BY month) AS end_before FROM churn.recurring) AS pairs
      WHERE end_before <> at_start
*/
WITH terms AS (
    SELECT customer_key, contract_id, starts_on, ends_on, coalesce(renewed, FALSE) AS renewed, monthly
    FROM core.contracts
    WHERE starts_on < $as_of AND customer_key IS NOT NULL AND monthly IS NOT NULL
),
followed AS (
    SELECT
        t.customer_key,
        t.contract_id,
        t.starts_on,
        t.ends_on,
        t.renewed,
        t.monthly,
        min(f.starts_on) AS next_on
    FROM terms AS t
    LEFT JOIN terms AS f
        ON f.customer_key = t.customer_key
        AND f.starts_on > t.starts_on
        AND f.starts_on >= t.ends_on - $contract_grace_days
    GROUP BY t.customer_key, t.contract_id, t.starts_on, t.ends_on, t.renewed, t.monthly
),
covers AS (
    SELECT
        customer_key,
        starts_on,
        monthly,
        CASE
            WHEN ends_on IS NULL THEN DATE '9999-12-31'
            WHEN renewed THEN greatest(ends_on, coalesce(next_on, DATE '9999-12-31'))
            WHEN next_on <= ends_on + $contract_grace_days THEN greatest(ends_on, next_on)
            ELSE ends_on
        END AS covers_until
    FROM followed
),
months AS (
    SELECT
        CAST(month AS DATE) AS month,
        CAST(month + INTERVAL '1 month' AS DATE) AS next_month
    FROM (
        SELECT unnest(generate_series(
            CAST(date_trunc('month', min(starts_on)) AS DATE),
            CAST(date_trunc('month', CAST($as_of AS DATE) - INTERVAL '1 day') AS DATE),
            INTERVAL '1 month'
        )) AS month
        FROM terms
    ) AS calendar
),
changes AS (
    SELECT
        m.month,
        c.customer_key,
        coalesce(sum(c.monthly) FILTER (WHERE c.starts_on <= m.month AND c.covers_until > m.month), 0) AS before,
        coalesce(sum(c.monthly) FILTER (WHERE c.starts_on <= m.next_month AND c.covers_until > m.next_month), 0) AS after
    FROM months AS m
    INNER JOIN covers AS c ON c.starts_on <= m.next_month AND c.covers_until > m.month
    GROUP BY m.month, c.customer_key
),
sums AS (
    SELECT
        month,
        count(*) FILTER (WHERE before > 0) AS customers,
        sum(before) AS at_start,
        sum(after) FILTER (WHERE before = 0) AS new,
        sum(after - before) FILTER (WHERE before > 0 AND after > before) AS expansion,
        sum(before - after) FILTER (WHERE after > 0 AND before > after) AS contraction,
        sum(before) FILTER (WHERE after = 0) AS lost,
        count(*) FILTER (WHERE before > 0 AND after = 0) AS lost_customers,
        sum(after) AS at_end
    FROM changes
    GROUP BY month
)
SELECT
    m.month,
    coalesce(s.customers, 0) AS customers,
    CAST(coalesce(s.at_start, 0) AS DECIMAL(18, 4)) AS at_start,
    CAST(coalesce(s.new, 0) AS DECIMAL(18, 4)) AS new,
    CAST(coalesce(s.expansion, 0) AS DECIMAL(18, 4)) AS expansion,
    CAST(coalesce(s.contraction, 0) AS DECIMAL(18, 4)) AS contraction,
    CAST(coalesce(s.lost, 0) AS DECIMAL(18, 4)) AS lost,
    coalesce(s.lost_customers, 0) AS lost_customers,
    CAST(coalesce(s.at_end, 0) AS DECIMAL(18, 4)) AS at_end,
    m.next_month + $contract_grace_days >= $as_of AS provisional
FROM months AS m
LEFT JOIN sums AS s ON s.month = m.month
ORDER BY m.month
