/* matins
description: >
  One row per pair of customers who probably are one person or account, by what they have in common and what not, for somebody to look at.
grain: one row per pair of customers
rules:
  - Nothing is put together here. Whoever finds that a pair is one puts it together in the company's own pack, and `core.customers` has one of them less.
  - "Compared are pairs that share an e-mail address, a phone number, all words of the name, how it sounds in a place, or how it begins in a place.
    A key that more than the parameter `duplicate_block` customers have is left out, of the name alone a twentieth of that (2 at least); `identity.blocks`
    says how many those are, and an address or number that is left out weighs nothing."
  - "What agrees weighs log2(m ÷ u), m being the chance that two records of one customer agree in it, and u that those of two customers do: the
    share of the others who have the same value, so that a rare name or a small town says more. A weight of what agrees is at least 0. What differs weighs
    log2(1 − m); what is not known of one of them, 0."
  - "m is 0.88 for a given name and for a family name, 0.5 for e-mail and phone, 0.8 for a city, 0.95 for a country, 0.2 for the day of being entered,
    which when it differs says nothing. The country counts where a city is not known, since it follows from the city."
  - "u of an e-mail address is a hundredth of the share who have it, and of a phone number a twentieth: they are not had in common by chance, but
    by people who live or work together, as so few are."
  - "Names that differ by a slip (Jaro–Winkler 0.92 or more) weigh log2(0.06 ÷ 0.001); that are alike (0.85 or more, or the same Soundex, or the one an initial
    of the other), log2(0.04 ÷ 0.004); other family names log2(0.02 ÷ 0.99). These u were measured on pairs of English, German, French and
    Spanish names drawn from lists. Names that have the same words in another order are the same. Those of two scripts are not compared."
  - "Given names that are not even alike are two people of one household or firm, whatever else they have in common: such a pair is not listed. So
    is a short name for a long one, Bob for Robert, and a Chinese given name with another character."
  - "The chance before anything is compared is the parameter `duplicate_prior` ÷ (customers − 1), that being the share of customers whom there is another
    record of. Listed are pairs whose probability is at least the parameter `duplicate_probability`."
  - "Weights are added as if what is compared had nothing to do with each other. In names of firms it has (hotels and group come together), and of
    customers alike in everything there may be so many that none of it is rare: then few weights are left, and no pair is listed."
  - A list of single customers is for the company's own systems.
reference: "Fellegi & Sunter 1969, J. of the American Statistical Association 64:1183; Winkler 1990, Proc. Section on Survey Research Methods, 354"
columns:
  customer_key: the first of the two, in order of the alphabet
  other_key: the second
  given_weight: in bits, as all weights
  family_weight: of the family name
  place_weight: of the city, or of the country where a city is not known
  day_weight: of the day of being entered
  score: the sum of the weights
  probability: that the two are one
key: [customer_key, other_key]
checks:
  - expression: "customer_key < other_key AND probability <= 1"
*/
-- Pairs of numbers, since there are many more pairs than customers and a key is a text.
WITH numbered AS (
    SELECT *, row_number() OVER (ORDER BY customer_key) AS number
    FROM identity.records
),
keys AS (
    SELECT number, concat('e-mail ', email) AS key FROM numbered WHERE email IS NOT NULL
    UNION ALL
    SELECT number, concat('phone ', right(phone, 9)) AS key FROM numbered WHERE phone IS NOT NULL
    UNION ALL
    SELECT number, concat('name ', words) AS key FROM numbered WHERE name IS NOT NULL
    UNION ALL
    SELECT number, concat('sound ', sound) AS key FROM numbered WHERE name IS NOT NULL
    UNION ALL
    SELECT number, concat('beginning ', beginning) AS key FROM numbered WHERE name IS NOT NULL
),
blocks AS (
    SELECT key, count(*) - 1 AS others
    FROM keys
    GROUP BY key
    HAVING count(*) BETWEEN 2 AND CASE WHEN starts_with(key, 'name ') THEN greatest($duplicate_block / 20, 2) ELSE $duplicate_block END
),
members AS (
    SELECT k.number, k.key, b.others
    FROM keys AS k
    INNER JOIN blocks AS b ON b.key = k.key
),
pairs AS (
    SELECT
        a.number,
        b.number AS other,
        max(a.others) FILTER (WHERE starts_with(a.key, 'e-mail ')) AS email_others,
        max(a.others) FILTER (WHERE starts_with(a.key, 'phone ')) AS phone_others
    FROM members AS a
    INNER JOIN members AS b ON b.key = a.key AND b.number > a.number
    GROUP BY a.number, b.number
),
counted AS (
    SELECT
        number,
        customer_key,
        given,
        family,
        words,
        latin,
        email,
        phone,
        city,
        country,
        created_on,
        greatest(count(*) OVER (PARTITION BY given) - 1.0, 1.0) AS given_others,
        greatest(count(*) OVER (PARTITION BY family) - 1.0, 1.0) AS family_others,
        greatest(count(*) OVER (PARTITION BY city) - 1.0, 1.0) AS city_others,
        greatest(count(*) OVER (PARTITION BY country) - 1.0, 1.0) AS country_others,
        greatest(count(*) OVER (PARTITION BY created_on) - 1.0, 1.0) AS day_others
    FROM numbered
),
compared AS (
    SELECT
        a.customer_key,
        b.customer_key AS other_key,
        a.given_others,
        a.family_others,
        a.city_others,
        a.country_others,
        a.day_others,
        p.email_others,
        p.phone_others,
        CASE
            WHEN a.latin <> b.latin OR a.given IS NULL OR b.given IS NULL THEN 'unknown'
            WHEN a.given = b.given OR a.words = b.words THEN 'same'
            WHEN jaro_winkler(a.given, b.given) >= 0.92 THEN 'slip'
            WHEN jaro_winkler(a.given, b.given) >= 0.85
                OR soundex(a.given) = soundex(b.given)
                OR a.latin AND char_length(a.given) = 1 AND starts_with(b.given, a.given)
                OR a.latin AND char_length(b.given) = 1 AND starts_with(a.given, b.given) THEN 'alike'
            ELSE 'other'
        END AS given_is,
        CASE
            WHEN a.latin <> b.latin OR a.family IS NULL OR b.family IS NULL THEN 'unknown'
            WHEN a.family = b.family OR a.words = b.words THEN 'same'
            WHEN jaro_winkler(a.family, b.family) >= 0.92 THEN 'slip'
            WHEN jaro_winkler(a.family, b.family) >= 0.85 OR soundex(a.family) = soundex(b.family) THEN 'alike'
            ELSE 'other'
        END AS family_is,
        a.email = b.email AS same_email,
        ends_with(a.phone, b.phone) OR ends_with(b.phone, a.phone) AS same_phone,
        a.city = b.city AS same_city,
        CASE WHEN a.city IS NULL OR b.city IS NULL THEN a.country = b.country END AS same_country,
        a.created_on = b.created_on AS same_day
    -- The many pairs pass by the customers, who are held: what is held stands first.
    FROM numbered AS b
    INNER JOIN (counted AS a INNER JOIN pairs AS p ON p.number = a.number) ON p.other = b.number
),
totals AS (
    SELECT
        count(*) AS customers,
        nullif(count(given) - 1.0, 0) AS givens,
        nullif(count(family) - 1.0, 0) AS families,
        nullif(count(email) - 1.0, 0) AS emails,
        nullif(count(phone) - 1.0, 0) AS phones,
        nullif(count(city) - 1.0, 0) AS cities,
        nullif(count(country) - 1.0, 0) AS countries,
        nullif(count(created_on) - 1.0, 0) AS days
    FROM identity.records
),
weighed AS (
    SELECT
        c.customer_key,
        c.other_key,
        t.customers,
        CASE c.given_is
            WHEN 'same' THEN greatest(0, log2(0.88 * t.givens / c.given_others))
            WHEN 'slip' THEN log2(0.06 / 0.001)
            WHEN 'alike' THEN log2(0.04 / 0.004)
            ELSE 0
        END AS given_weight,
        CASE c.family_is
            WHEN 'same' THEN greatest(0, log2(0.88 * t.families / c.family_others))
            WHEN 'slip' THEN log2(0.06 / 0.001)
            WHEN 'alike' THEN log2(0.04 / 0.004)
            WHEN 'other' THEN log2(0.02 / 0.99)
            ELSE 0
        END AS family_weight,
        CASE
            WHEN c.email_others > 0 THEN greatest(0, log2(0.5 * t.emails / (0.01 * c.email_others)))
            WHEN NOT c.same_email THEN log2(1 - 0.5)
            ELSE 0
        END AS email_weight,
        CASE
            WHEN NOT c.same_phone THEN log2(1 - 0.5)
            WHEN c.phone_others > 0 THEN greatest(0, log2(0.5 * t.phones / (0.05 * c.phone_others)))
            ELSE 0
        END AS phone_weight,
        CASE
            WHEN c.same_city THEN greatest(0, log2(0.8 * t.cities / c.city_others))
            WHEN NOT c.same_city THEN log2(1 - 0.8)
            WHEN c.same_country THEN greatest(0, log2(0.95 * t.countries / c.country_others))
            WHEN NOT c.same_country THEN log2(1 - 0.95)
            ELSE 0
        END AS place_weight,
        CASE WHEN c.same_day THEN greatest(0, log2(0.2 * t.days / c.day_others)) ELSE 0 END AS day_weight
    FROM compared AS c
    CROSS JOIN totals AS t
    WHERE c.given_is <> 'other'
),
scored AS (
    SELECT
        customer_key,
        other_key,
        given_weight,
        family_weight,
        email_weight,
        phone_weight,
        place_weight,
        day_weight,
        given_weight + family_weight + email_weight + phone_weight + place_weight + day_weight AS score,
        log2($duplicate_prior / (customers - 1.0)) AS prior
    FROM weighed
)
SELECT
    customer_key,
    other_key,
    given_weight,
    family_weight,
    email_weight,
    phone_weight,
    place_weight,
    day_weight,
    score,
    1 / (1 + power(2.0, -(prior + score))) AS probability
FROM scored
WHERE 1 / (1 + power(2.0, -(prior + score))) >= $duplicate_probability
