/* matins
description: >
  One row per month and channel: how often the company and its customers were in contact, with how many, and who began it.
grain: one row per month and channel
rules:
  - Channels of less than 5 customers in the month are one, `few`, with the next smallest where they are still less than 5 together; a
    customer of two such channels is counted once in each. A month of less than 5 has no rows.
  - Contacts of nobody known are not counted. Who began it is told where the source says it of every contact of the row.
reference: "catalogue: contact records (聯繫記錄) by channel; ISO 18295-1:2017 for inbound and outbound"
columns:
  channel: as `core.interactions` has it, or few
  contacts: in the month
  customers: of the channel, whom they were with
  inbound_share: of contacts, those the customer began; NULL where that of one is not known
  provisional: whether the month was not over at `$as_of`
key: [month, channel]
checks:
  - expression: "customers <= contacts"
*/
WITH contacts AS (
    SELECT
        CAST(date_trunc('month', bdate) AS DATE) AS month,
        channel,
        customer_key,
        count(*) AS contacts,
        count(inbound) AS told,
        count(*) FILTER (WHERE inbound) AS inbound
    FROM core.interactions
    WHERE customer_key IS NOT NULL AND channel IS NOT NULL AND bdate < $as_of
    GROUP BY 1, channel, customer_key
),
-- From the smallest on: `smaller` counts the customers of those before.
sizes AS (
    SELECT
        *,
        coalesce(sum(customers) OVER (
            PARTITION BY month ORDER BY customers, channel ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS smaller
    FROM (
        SELECT
            month,
            channel,
            count(*) AS customers,
            sum(contacts) AS contacts,
            sum(told) AS told,
            sum(inbound) AS inbound
        FROM contacts
        GROUP BY month, channel
    ) AS channels
),
groups AS (
    SELECT
        month,
        CASE WHEN customers < 5 OR smaller BETWEEN 1 AND 4 THEN 'few' ELSE channel END AS channel,
        CAST(sum(contacts) AS BIGINT) AS contacts,
        CAST(sum(customers) AS BIGINT) AS customers,
        sum(told) AS told,
        sum(inbound) AS inbound
    FROM sizes
    GROUP BY 1, 2
    HAVING sum(customers) >= 5
)
SELECT
    month,
    channel,
    contacts,
    customers,
    CASE WHEN told = contacts THEN CAST(inbound AS DOUBLE) / contacts END AS inbound_share,
    month >= date_trunc('month', $as_of) AS provisional
FROM groups
ORDER BY month, channel
