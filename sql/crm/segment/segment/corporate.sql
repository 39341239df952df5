/* matins
description: >
  One row per customer of the register: whether it is a company, for the behaviour `corporate` beside those of `segment.behaviour`.
rules: A customer is a company where the register knows its industry or its size; of a person it has neither.
columns:
  corporate: whether it is a company; never NULL
key: [customer_key]
*/
SELECT
    customer_key,
    industry,
    company_size,
    industry IS NOT NULL OR company_size IS NOT NULL AS corporate
FROM core.customers
