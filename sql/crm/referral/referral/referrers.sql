/* matins
description: >
  One row per customer who invited somebody before `$as_of`: how many came, how many those brought in turn, and what all of them have
  bought.
grain: one row per customer who invited
rules:
  - Who came is whoever has a valid order on the day of the invitation or later; each is put down to the first invitation that led to an
    order, so that nobody is counted for two.
  - What they bought counts from the day of that invitation on. Who was a customer before may be invited back, and what was bought then is
    nobody's to have brought.
  - Two steps only, the friend and the friend's friend. Who invited him- or herself invited nobody.
  - A list of single customers is for the company's own systems.
reference: "catalogue: social value (社交价值), counts of the referral graph; Kumar, Petersen & Leone 2010, J. of Marketing 74(5):1"
columns:
  invitations: made
  came: customers who came by one of them
  came_of_those: customers who came by an invitation of these
  net_of_those: net to date, from their invitations on, of all whom the customer brought, at either step
key: [customer_key]
checks:
  - expression: "came <= invitations"
*/
WITH successes AS (
    SELECT r.referral_id, r.referrer_key, r.referred_key, r.bdate, CAST(sum(d.net) AS DECIMAL(18, 4)) AS net
    FROM core.referrals AS r
    INNER JOIN core.purchase_days AS d ON d.customer_key = r.referred_key AND d.bdate >= r.bdate
    WHERE r.bdate < $as_of AND r.referred_key <> r.referrer_key
    GROUP BY r.referral_id, r.referrer_key, r.referred_key, r.bdate
),
brought AS (
    SELECT referrer_key, referred_key, net
    FROM (SELECT *, row_number() OVER (PARTITION BY referred_key ORDER BY bdate, referral_id) AS place FROM successes) AS ranked
    WHERE place = 1
),
friends AS (
    SELECT referrer_key, count(*) AS came, sum(net) AS net
    FROM brought
    GROUP BY referrer_key
),
friends_of_friends AS (
    SELECT b.referrer_key, count(*) AS came, sum(n.net) AS net
    FROM brought AS b
    INNER JOIN brought AS n ON n.referrer_key = b.referred_key AND n.referred_key <> b.referrer_key
    GROUP BY b.referrer_key
),
invitations AS (
    SELECT referrer_key, count(*) AS invitations
    FROM core.referrals
    WHERE bdate < $as_of AND referred_key IS DISTINCT FROM referrer_key
    GROUP BY referrer_key
)
SELECT
    i.referrer_key AS customer_key,
    i.invitations,
    coalesce(f.came, 0) AS came,
    coalesce(s.came, 0) AS came_of_those,
    CAST(coalesce(f.net, 0) + coalesce(s.net, 0) AS DECIMAL(18, 4)) AS net_of_those
FROM invitations AS i
LEFT JOIN friends AS f ON f.referrer_key = i.referrer_key
LEFT JOIN friends_of_friends AS s ON s.referrer_key = i.referrer_key
