/* matins
description: Net revenue of each month, and how many orders it rests on
key: [period]
*/
SELECT CAST(date_trunc('month', bdate) AS DATE) AS period,
       sum(net) AS value,
       count(*) AS n,
       date_trunc('month', bdate) = date_trunc('month', $as_of) AS provisional
FROM core.orders
GROUP BY 1, 4
ORDER BY 1
