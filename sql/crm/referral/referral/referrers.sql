/* matins
description: >
  One row per customer who invited somebody before `$as_of`: how many came, how many those brought in turn, and what all of them have
  bought.
grain: one row per customer who invited
rules:
  - Who came is whoever has a valid order on the day of the invitation or later; each is put down to the first invitation that led to an
    order, so that nobody is counted for two.
  - Two steps only, the friend and the friend's friend. Who invited him- or herself is not counted.
  - A list of single customers is for the company's own systems.
reference: "catalogue: social value (社交价值), counts of the referral graph; Kumar, Petersen & Leone 2010, J. of Marketing 74(5):1"
columns:
  invitations: made
  came: customers who came by one of them
  came_of_those: customers who came by an invitation of these
  net_of_those: net to date of all whom the customer brought, at either step
key: [customer_key]
checks:
  - expression: "came <= invitations"
*/
WITH firsts AS (
    SELECT customer_key, max(bdate) AS last_day, CAST(sum(net) AS DECIMAL(18, 4)) AS net
    FROM core.purchase_days
    GROUP BY customer_key
),
successes AS (
    SELECT
        r.referrer_key,
        r.referred_key,
        f.net,
        row_number() OVER (PARTITION BY r.referred_key ORDER BY r.bdate, r.referral_id) AS place
    FROM core.referrals AS r
    INNER JOIN firsts AS f ON f.customer_key = r.referred_key AND f.last_day >= r.bdate
    WHERE r.bdate < $as_of AND r.referred_key <> r.referrer_key
),
brought AS (
    SELECT referrer_key, referred_key, net
    FROM successes
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
    WHERE bdate < $as_of
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
