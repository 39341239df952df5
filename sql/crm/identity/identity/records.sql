/* matins
description: >
  One row per customer of whom a name, an e-mail address or a phone number is known: these as they are compared, and the keys by which customers
  are looked for.
grain: one row per customer
rules:
  - Customers entered before `$as_of`; one without a day counts. What a company does not know, such as phone numbers, it writes as NULLs in `core.customers`.
  - "A name is its first 64 characters in lower case, without apostrophes and full stops; what else is no letter, mark or digit is a space. The
    family name is the last word, as `ltd` of a company; of a name in Chinese characters or Hangul without a space it is the first character."
  - An e-mail address is in lower case, without what stands after a plus before the at sign (RFC 5233). A phone number is its last nine digits, so
    that +44 1632 and 01632 are the same, and none where there are fewer than seven.
  - "The keys beside address, number and words: how the given name and the family name sound, or their first three characters where they have no Latin
    letter, with the place; and these characters with the place. The place is the city, or the country where that is not known."
reference: "Christen 2012, A Survey of Indexing Techniques, IEEE Transactions on Knowledge and Data Engineering 24:1537; Soundex: US National Archives"
columns:
  name: PII
  given: all of the name but the family name; NULL where it is one word
  family: the last word, or the first Chinese character
  words: of the name, in order of the alphabet
  latin: whether the name has a Latin letter; names of two scripts are not compared
  email: PII
  phone: PII
  city: in lower case
  country: in lower case
  sound: key
  beginning: key
key: [customer_key]
*/
WITH cleaned AS (
    SELECT
        customer_key,
        nullif(
            trim(
                regexp_replace(
                    regexp_replace(lower(left(name, 64)), '[''’.]', '', 'g'), '[^\p{L}\p{M}\p{N}]+', ' ', 'g'
                )
            ),
            ''
        ) AS name,
        CASE WHEN strpos(email, '@') > 1 THEN regexp_replace(lower(trim(email)), '\+[^@]*@', '@') END AS email,
        regexp_replace(translate(phone, '０１２３４５６７８９', '0123456789'), '[^0-9]', '', 'g') AS digits,
        nullif(lower(trim(city)), '') AS city,
        nullif(lower(trim(country)), '') AS country,
        created_on
    FROM core.customers
    WHERE created_on IS NULL OR created_on < $as_of
),
known AS (
    SELECT
        customer_key,
        name,
        regexp_like(name, '^[\p{Han}\p{Hangul}]{2,}$') AS unspaced,
        email,
        CASE WHEN char_length(digits) >= 7 THEN right(digits, 9) END AS phone,
        city,
        country,
        created_on
    FROM cleaned
),
parted AS (
    SELECT
        customer_key,
        name,
        nullif(CASE WHEN unspaced THEN substr(name, 2) ELSE regexp_replace(name, ' ?[^ ]+$', '') END, '') AS given,
        CASE WHEN unspaced THEN left(name, 1) ELSE split_part(name, ' ', -1) END AS family,
        email,
        phone,
        city,
        country,
        created_on
    FROM known
    WHERE name IS NOT NULL OR email IS NOT NULL OR phone IS NOT NULL
)
SELECT
    customer_key,
    name,
    given,
    family,
    array_to_string(array_sort(string_to_array(name, ' ')), ' ') AS words,
    soundex(name) IS NOT NULL AS latin,
    email,
    phone,
    city,
    country,
    created_on,
    concat_ws(
        ' ',
        coalesce(soundex(family), left(family, 3)),
        coalesce(soundex(given), left(given, 3)),
        coalesce(city, country)
    ) AS sound,
    concat_ws(' ', left(family, 3), left(given, 3), coalesce(city, country)) AS beginning
FROM parted
