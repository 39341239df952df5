/* matins
description: >
  One row per month and channel: how often the company and its customers were in contact, with how many, and who began it.
grain: one row per month and channel
rules:
  - Channels of less than 5 customers in the month are one, `few`, with the next smallest where they are still less than 5 together; a
    customer of two such channels is one of them. Less than 5 customers have no row.
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
-- A customer of two small channels is one of `few`, so these are counted again.
few AS (
    SELECT c.month, c.customer_key, sum(c.contacts) AS contacts, sum(c.told) AS told, sum(c.inbound) AS inbound
    FROM sizes AS s
    INNER JOIN contacts AS c ON c.month = s.month AND c.channel = s.channel
    WHERE s.customers < 5 OR s.smaller BETWEEN 1 AND 4
    GROUP BY c.month, c.customer_key
),
groups AS (
    SELECT month, channel, contacts, customers, told, inbound
    FROM sizes
    WHERE customers >= 5 AND smaller NOT BETWEEN 1 AND 4
    UNION ALL
    SELECT month, 'few' AS channel, sum(contacts) AS contacts, count(*) AS customers, sum(told) AS told, sum(inbound) AS inbound
    FROM few
    GROUP BY month
)
SELECT
    month,
    channel,
    CAST(contacts AS BIGINT) AS contacts,
    customers,
    CASE WHEN told = contacts THEN CAST(inbound AS DOUBLE) / contacts END AS inbound_share,
    month >= date_trunc('month', $as_of) AS provisional
FROM groups
WHERE customers >= 5
ORDER BY month, channel
