/* matins
description: >
  One row per customer of `value.at_risk`: who looks after the customer, and so whom to tell.
grain: one row per customer at risk
rules:
  - A stage of its own, so that a company that knows no owners keeps the list.
  - The customer stands under the same pseudonym; the owner by name, being of the company.
columns:
  customer: as in `value.at_risk`
  owner: as the register has it; NULL for nobody
  tier: as in `value.at_risk`
  last_order: the date of the last valid order
  net: as originated, in the 24 months before `$as_of`
  reason: why the customer is there
  action: what to do
key: [customer]
*/
WITH owners AS (
    SELECT pseudonym(customer_key, $pseudonym_key) AS customer, owner
    FROM core.customers
    WHERE owner IS NOT NULL
)
SELECT r.customer, o.owner, r.tier, r.last_order, r.net, r.reason, r.action
FROM value.at_risk AS r
LEFT JOIN owners AS o ON o.customer = r.customer
