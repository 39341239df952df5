/* matins
description: >
  One row per moment and customer known before it: where the customer stands between first contact and loss, by orders and by
  contract. The moments are `$as_of` and `$prev_as_of`. `segment.lifecycle_states` is the same by orders alone, for companies
  without contracts.
grain: one row per moment and customer
rules:
  - "Contract ended and nothing ordered since, from the first day without one on: lost. Who went on ordering without a contract stands where the orders
    say, and so does who never had a contract."
  - "Under contract nobody is lost by silence: who would be is at-risk. Who never ordered is new in the first 90 days of the contract,
    then retained. The two are ours; the catalogue only says that a contract that ended is loss."
  - "Under contract again after an earlier one had ended, without an order in between: won-back for 90 days."
  - A contract has ended when the days of grace after it (`contract_grace_days`) are over at the moment, as in `churn.contracts`. Terms
    and renewals that became known since count at both moments.
columns:
  as_of: the moment looked back from
  last_order: date of the last valid order before the moment
  contract: none, running or ended
  contract_began_on: first day of the latest time under contract
  contract_ended_on: first day without a contract; NULL while it runs or may still go on
  by_orders: the state by orders alone; NULL of who is in no register and never ordered
  state: potential, new, one-time, retained, expanding, at-risk, won-back or lost
  phase: "客户生命周期: 识别, 激活, 留存, 扩展; NULL when lost"
  category: "价值分类: 潜在, 新, 成熟, 流失"
key: [as_of, customer_key]
checks:
  - accepted:
      column: state
      values: [potential, new, one-time, retained, expanding, at-risk, won-back, lost]
  - accepted: {column: contract, values: [none, running, ended]}
  - name: nobody under contract is lost
    expression: "contract <> 'running' OR state <> 'lost'"
*/
WITH moments AS (
    SELECT $as_of AS as_of
    UNION ALL
    SELECT $prev_as_of AS as_of
),
times AS (
    SELECT
        t.as_of,
        c.customer_key,
        c.began_on,
        CASE WHEN c.ended_on + $contract_grace_days < t.as_of THEN c.ended_on END AS ended_on,
        lag(c.ended_on) OVER (PARTITION BY t.as_of, c.customer_key ORDER BY c.began_on) AS ended_before,
        row_number() OVER (PARTITION BY t.as_of, c.customer_key ORDER BY c.began_on DESC) AS place
    FROM moments AS t
    INNER JOIN churn.contracts AS c ON c.began_on < t.as_of
),
-- Who ordered between two contracts was not lost, and so cannot be won back.
bridged AS (
    SELECT DISTINCT t.as_of, t.customer_key
    FROM times AS t
    INNER JOIN core.purchase_days AS d
        ON d.customer_key = t.customer_key AND d.bdate >= t.ended_before AND d.bdate < t.began_on
    WHERE t.place = 1
),
latest AS (
    SELECT
        t.as_of,
        t.customer_key,
        t.began_on,
        t.ended_on,
        t.as_of - t.began_on <= 90 AS recent,
        t.ended_before IS NOT NULL AND b.customer_key IS NULL AS again
    FROM times AS t
    LEFT JOIN bridged AS b ON b.as_of = t.as_of AND b.customer_key = t.customer_key
    WHERE t.place = 1
),
both AS (
    SELECT
        coalesce(s.as_of, c.as_of) AS as_of,
        coalesce(s.customer_key, c.customer_key) AS customer_key,
        s.last_order,
        s.state AS by_orders,
        c.began_on,
        c.ended_on,
        c.recent,
        c.again,
        CASE
            WHEN c.customer_key IS NULL THEN 'none'
            WHEN c.ended_on IS NULL THEN 'running'
            ELSE 'ended'
        END AS contract
    FROM segment.lifecycle_states AS s
    FULL JOIN latest AS c ON c.as_of = s.as_of AND c.customer_key = s.customer_key
),
states AS (
    SELECT
        *,
        CASE
            WHEN contract = 'none' THEN by_orders
            WHEN contract = 'ended' AND (last_order IS NULL OR last_order < ended_on) THEN 'lost'
            WHEN contract = 'ended' THEN by_orders
            WHEN again AND recent THEN 'won-back'
            WHEN coalesce(by_orders, 'potential') = 'potential' AND recent THEN 'new'
            WHEN coalesce(by_orders, 'potential') = 'potential' THEN 'retained'
            WHEN by_orders = 'lost' THEN 'at-risk'
            ELSE by_orders
        END AS state
    FROM both
)
SELECT
    as_of,
    customer_key,
    last_order,
    contract,
    began_on AS contract_began_on,
    ended_on AS contract_ended_on,
    by_orders,
    state,
    CASE
        WHEN state = 'potential' THEN '识别'
        WHEN state IN ('won-back', 'new', 'one-time') THEN '激活'
        WHEN state IN ('at-risk', 'retained') THEN '留存'
        WHEN state = 'expanding' THEN '扩展'
    END AS phase,
    CASE
        WHEN state = 'potential' THEN '潜在'
        WHEN state IN ('won-back', 'new', 'one-time') THEN '新'
        WHEN state = 'lost' THEN '流失'
        ELSE '成熟'
    END AS category
FROM states
