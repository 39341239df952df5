/* matins
description: >
  One row per answer with a comment before `$as_of`: whether what the customer wrote sounds content, by lexicon. The comment itself is not
  in it.
formula: "positive from 0.05 on, negative to −0.05, of VADER's compound score from −1 to 1"
grain: one row per answer with a comment
rules:
  - "The language is told by the writing alone: Chinese where there is a Chinese character and neither kana nor hangul, English where there
    are Latin letters only. German or French is so taken for English, and its words are in no lexicon; a company whose customers write it
    gives no comments. Other writing is not scored."
  - Negation and words of degree are heard, irony is not.
  - A lexicon is right about most comments and not about each. Before a figure of it stands in a headline, have 200 comments judged by
    people and compare.
reference:
  - "Hutto & Gilbert 2014, ICWSM, VADER, for English and for the bounds of 0.05"
  - "Chinese: a lexicon of our own"
columns:
  language: en, zh, or NULL where it is neither
  score: from −1 to 1; NULL where the language is
  label: positive, neutral or negative; NULL where the language is
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
            WHEN regexp_like(comment, '[\p{Hiragana}\p{Katakana}\p{Hangul}]') THEN NULL
            WHEN regexp_like(comment, '\p{Han}') THEN 'zh'
            WHEN regexp_like(comment, '[\p{L}--\p{Latin}]') THEN NULL
            WHEN regexp_like(comment, '\p{Latin}') THEN 'en'
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
