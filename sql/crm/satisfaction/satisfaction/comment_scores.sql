/* matins
description: >
  One row per answer with a comment before `$as_of`: whether what the customer wrote sounds content, by lexicon. The comment itself is not
  in it.
formula: "positive from 0.05 on, negative to −0.05, of VADER's compound score from −1 to 1"
grain: one row per answer with a comment
rules:
  - "Only English and Chinese have a lexicon. The language is that of `language`; a text too short for it, of Latin letters only, is taken
    for English, and if it is not, no word of it is found and it is neutral. Other languages are not scored."
  - Negation and words of degree are heard, irony is not.
  - A lexicon is right about most comments and not about each. Before a figure of it stands in a headline, have 200 comments judged by
    people and compare.
reference:
  - "Hutto & Gilbert 2014, ICWSM, VADER, for English and for the bounds of 0.05"
  - "Chinese: a lexicon of our own"
columns:
  language: as `language` has it, en where it cannot tell; NULL of other writing
  score: from −1 to 1; NULL of a language without a lexicon
  label: positive, neutral or negative; NULL of a language without a lexicon
key: [response_id]
checks:
  - expression: "score IS NULL OR score BETWEEN -1 AND 1"
  - accepted: {column: label, values: [positive, neutral, negative]}
*/
WITH comments AS (
    SELECT
        response_id,
        customer_key,
        survey,
        answered_at,
        bdate,
        comment,
        CASE
            WHEN language(comment) <> 'und' THEN language(comment)
            WHEN regexp_like(comment, '\p{Latin}') AND NOT regexp_like(comment, '[\p{L}--\p{Latin}]') THEN 'en'
        END AS language
    FROM core.survey_responses
    WHERE comment IS NOT NULL AND trim(comment) <> '' AND bdate < $as_of
),
scores AS (
    SELECT
        *,
        CASE language
            WHEN 'en' THEN sentiment(comment, 'en')
            WHEN 'zh' THEN sentiment(comment, 'zh')
        END AS score
    FROM comments
)
SELECT
    response_id,
    customer_key,
    survey,
    answered_at,
    bdate,
    language,
    score,
    CASE
        WHEN score >= 0.05 THEN 'positive'
        WHEN score <= -0.05 THEN 'negative'
        WHEN score IS NOT NULL THEN 'neutral'
    END AS label
FROM scores
