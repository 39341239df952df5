/* matins
description: >
  One row per customer of whom a name, an e-mail address or a phone number is known: these as they are compared, and the keys by which customers
  are looked for.
grain: one row per customer
rules:
  - Customers entered before `$as_of`; one without a day counts. What a company does not know, such as phone numbers, it writes as NULLs in `core.customers`.
  - "A name is its first 64 characters in lower case, without apostrophes, full stops and a title before it; what else is no letter, mark or digit is a
    space. Smith, John is John Smith. The family name is the last word, as `ltd` of a company; of a name in Chinese characters or Hangul it is the
    first word, and without a space the first character."
  - An e-mail address is in lower case, without what stands after a plus before the at sign (RFC 5233). A phone number is its last nine digits, so
    that +44 1632 and 01632 are the same, and none where there are fewer than seven.
  - "The keys beside address, number and words: how the given name and the family name sound, or their first three characters where they have no Latin
    letter, with the place; and these characters with the place. The place is the city, or the country where that is not known."
reference: "Christen 2012, A Survey of Indexing Techniques, IEEE Transactions on Knowledge and Data Engineering 24:1537; Soundex: US National Archives"
columns:
  name: PII, as all that is made of it
  given: all of the name but the family name; NULL where it is one word
  family: the last word, or the first Chinese word or character
  words: of the name, in order of the alphabet; of a Chinese name the name without spaces
  latin: whether the name has a Latin letter; names of two scripts are not compared
  email: PII
  phone: PII
  city: in lower case
  country: in lower case
  sound: key
  beginning: key
key: [customer_key]
*/
WITH turned AS (
    SELECT
        customer_key,
        CASE
            WHEN regexp_like(name, '^[^,]+,[^,]+$')
                AND NOT regexp_like(lower(name), ',[ .]*(ltd|limited|inc|llc|llp|plc|gmbh|ag|kg|co|corp|sa|sarl|srl|bv|jr|sr|ii|iii|phd|md)[ .]*$')
                THEN concat(trim(split_part(name, ',', 2)), ' ', trim(split_part(name, ',', 1)))
            ELSE name
        END AS name,
        email,
        phone,
        city,
        country,
        created_on
    FROM core.customers
    WHERE created_on IS NULL OR created_on < $as_of
),
cleaned AS (
    SELECT
        customer_key,
        nullif(
            regexp_replace(
                trim(
                    regexp_replace(
                        regexp_replace(lower(left(name, 64)), '[''’.]', '', 'g'), '[^\p{L}\p{M}\p{N}]+', ' ', 'g'
                    )
                ),
                '^((mr|mrs|ms|miss|mx|dr|prof|sir|herr|frau|mme|mlle|sr|sra|srta) )+',
                ''
            ),
            ''
        ) AS name,
        CASE WHEN strpos(email, '@') > 1 THEN regexp_replace(lower(trim(email)), '\+[^@]*@', '@') END AS email,
        ltrim(
            regexp_replace(
                regexp_replace(translate(lower(phone), '０１２３４５６７８９', '0123456789'), '\(0\)|(ext|x|#).*$', '', 'g'), '[^0-9]', '', 'g'
            ),
            '0'
        ) AS digits,
        nullif(lower(trim(city)), '') AS city,
        nullif(lower(trim(country)), '') AS country,
        created_on
    FROM turned
),
known AS (
    SELECT
        customer_key,
        name,
        regexp_like(name, '^[\p{Han}\p{Hangul}]{2,}$') AS unspaced,
        regexp_like(name, '^[\p{Han}\p{Hangul}]+( [\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}]+)+$') AS family_first,
        email,
        CASE WHEN char_length(digits) >= 7 THEN digits END AS phone,
        city,
        country,
        created_on
    FROM cleaned
),
parted AS (
    SELECT
        customer_key,
        name,
        nullif(
            CASE
                WHEN unspaced THEN substr(name, 2)
                WHEN family_first THEN regexp_replace(name, '^[^ ]+ ', '')
                ELSE regexp_replace(name, ' ?[^ ]+$', '')
            END,
            ''
        ) AS given,
        CASE
            WHEN unspaced THEN left(name, 1)
            WHEN family_first THEN split_part(name, ' ', 1)
            ELSE split_part(name, ' ', -1)
        END AS family,
        family_first,
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
    CASE
        WHEN family_first THEN replace(name, ' ', '')
        ELSE array_to_string(array_sort(string_to_array(name, ' ')), ' ')
    END AS words,
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
