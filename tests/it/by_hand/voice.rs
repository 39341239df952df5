//! `crm/satisfaction` by hand; means ± 1.959964 · s / √n by `SciPy`, and score intervals as Rocks published their formula.

use crate::crm::lines;
use crate::segments::stages;

/// In April ann changes her mind, cid answers twice at one moment, eve says nothing the second time, and fay answers
/// another survey; nobody answers in May; in June one customer does, and another on the day of the moment.
#[test]
fn the_latest_answer_of_each_customer_counts() {
    let project = stages(
        &[
            "satisfaction/kpi/csat_mean.sql",
            "satisfaction/kpi/csat.sql",
            "satisfaction/kpi/effort.sql",
            "satisfaction/kpi/nps.sql",
            "satisfaction/satisfaction/months.sql",
        ],
        &[(
            "core/survey_responses",
            "SELECT response_id, customer_key, survey, CAST(day AS DATE) AS bdate,
                      CAST(concat(day, 'T', hour, ':00:00') AS TIMESTAMP) AS answered_at,
                      CAST(csat AS BIGINT) AS csat, CAST(ces AS BIGINT) AS ces, CAST(nps AS BIGINT) AS nps
                 FROM (VALUES ('1', 'ann', 'transactional', '2024-04-01', '10', 1, NULL, NULL),
                      ('2', 'ann', 'transactional', '2024-04-20', '10', 5, 7, NULL),
                      ('3', 'bob', 'transactional', '2024-04-02', '10', 5, 6, NULL),
                      ('4', 'cid', 'transactional', '2024-04-03', '10', 2, NULL, NULL),
                      ('5', 'cid', 'transactional', '2024-04-03', '10', 4, NULL, NULL),
                      ('6', 'dan', 'transactional', '2024-04-04', '10', 3, NULL, NULL),
                      ('7', 'eve', 'transactional', '2024-04-05', '10', 1, 2, NULL),
                      ('8', 'eve', 'transactional', '2024-04-06', '10', NULL, NULL, NULL),
                      ('9', 'fay', 'relational', '2024-04-30', '10', 5, NULL, 10),
                      ('10', 'ann', 'transactional', '2024-06-30', '23', 4, 1, NULL),
                      ('11', 'bob', 'transactional', '2024-07-01', '00', 1, 1, 3)) AS t (response_id, customer_key,
                      survey, day, hour, csat, ces, nps)"
                .to_owned(),
        )],
    );
    // 5, 5, 4, 3 and 1 are 3.6 ± 1.4667.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 4); round(low, 4); round(high, 4); numerator; n; provisional",
            "FROM kpi.csat_mean ORDER BY period"
        ),
        [
            "2024-04-01 3.6 2.1333 5.0667 18 5 false",
            "2024-05-01 null null null 0 0 false",
            "2024-06-01 4.0 null null 4 1 false",
        ]
    );
    assert_eq!(
        lines(&project, "period; round(value, 4); numerator; n", "FROM kpi.csat ORDER BY period"),
        ["2024-04-01 0.6 3 5", "2024-05-01 null 0 0", "2024-06-01 1.0 1 1"]
    );
    // 7, 6 and 2 are 5 ± 2.9939.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 4); round(low, 4); round(high, 4); numerator; n",
            "FROM kpi.effort ORDER BY period"
        ),
        ["2024-04-01 5.0 2.0061 7.9939 15 3", "2024-05-01 null null null 0 0", "2024-06-01 1.0 null null 1 1"]
    );
    assert_eq!(
        lines(&project, "period; value; numerator; n", "FROM kpi.nps ORDER BY period"),
        ["2024-04-01 100.0 1 1", "2024-05-01 null null 0", "2024-06-01 null null 0"]
    );
}

/// Promoters, passives and detractors of the catalogue, part C3: 15/13/8, 12/7/12, 50/30/20 and ten times that.
#[test]
fn the_net_promoter_score_of_published_counts() {
    let project = stages(
        &["satisfaction/kpi/nps.sql", "satisfaction/satisfaction/months.sql"],
        &[(
            "core/survey_responses",
            "SELECT concat(day, score, n) AS response_id, concat(score, n) AS customer_key,
                      'relational' AS survey, CAST(day AS DATE) AS bdate, CAST(day AS TIMESTAMP) AS answered_at,
                      CAST(score AS BIGINT) AS nps
                 FROM (SELECT day, score, unnest(generate_series(1, customers)) AS n
                 FROM (VALUES ('2024-03-10', 9, 7), ('2024-03-10', 10, 8), ('2024-03-10', 7, 6),
                      ('2024-03-10', 8, 7), ('2024-03-10', 0, 3), ('2024-03-10', 6, 5), ('2024-04-10', 9, 12),
                      ('2024-04-10', 7, 7), ('2024-04-10', 6, 12), ('2024-05-10', 10, 50), ('2024-05-10', 8, 30),
                      ('2024-05-10', 1, 20), ('2024-06-10', 10, 500), ('2024-06-10', 8, 300),
                      ('2024-06-10', 1, 200)) AS t (day, score, customers)) AS each"
                .to_owned(),
        )],
    );
    assert_eq!(
        lines(
            &project,
            "period; round(value, 2); round(low, 2); round(high, 2); numerator; n",
            "FROM kpi.nps ORDER BY period"
        ),
        [
            "2024-03-01 19.44 -6.28 42.18 7 36",
            "2024-04-01 0.0 -29.11 29.11 0 31",
            "2024-05-01 30.0 14.05 44.2 30 100",
            "2024-06-01 30.0 25.08 34.74 300 1000",
        ]
    );
}

/// ann answers twice, cid an invitation that bounced, dan without saying which, bob on the day of the moment.
#[test]
fn an_invitation_is_answered_once_and_only_if_it_arrived() {
    let project = stages(
        &["satisfaction/kpi/response_rate.sql"],
        &[
            (
                "core/survey_invitations",
                "SELECT invitation_id, customer_key, survey, CAST(sent_on AS DATE) AS sent_on, delivered
                 FROM (VALUES ('i1', 'ann', 'relational', '2024-04-01', TRUE),
                      ('i2', 'bob', 'relational', '2024-04-30', TRUE),
                      ('i3', 'cid', 'relational', '2024-04-02', FALSE),
                      ('i4', 'dan', 'relational', '2024-04-02', TRUE),
                      ('i5', 'ann', 'relational', '2024-06-17', TRUE),
                      ('i6', 'bob', 'relational', '2024-06-18', TRUE),
                      ('i7', 'bob', 'relational', '2024-07-01', TRUE)) AS t (invitation_id, customer_key, survey,
                      sent_on, delivered)"
                    .to_owned(),
            ),
            (
                "core/survey_responses",
                "SELECT response_id, invitation_id, customer_key, 'relational' AS survey,
                      CAST(bdate AS DATE) AS bdate, CAST(bdate AS TIMESTAMP) AS answered_at
                 FROM (VALUES ('a1', 'i1', 'ann', '2024-04-02'), ('a2', 'i1', 'ann', '2024-04-03'),
                      ('a3', 'i3', 'cid', '2024-04-03'), ('a4', NULL, 'dan', '2024-04-03'),
                      ('a5', 'i2', 'bob', '2024-07-01'),
                      ('a6', 'i5', 'ann', '2024-06-30')) AS t (response_id, invitation_id, customer_key, bdate)"
                    .to_owned(),
            ),
        ],
    );
    // One of three; none was sent in May; the last of June is 13 days old on 1 July.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); numerator; denominator; round(low, 4); round(high, 4); provisional",
            "FROM kpi.response_rate ORDER BY period"
        ),
        [
            "2024-04-01 0.333333 1 3 0.0615 0.7923 false",
            "2024-05-01 null 0 0 null null false",
            "2024-06-01 0.5 1 2 0.0945 0.9055 true",
        ]
    );
    project.matins(&["run", "--as-of", "2024-07-02"]).ok();
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); numerator; denominator; provisional",
            "FROM kpi.response_rate ORDER BY period"
        ),
        [
            "2024-04-01 0.666667 2 3 false",
            "2024-05-01 null 0 0 false",
            "2024-06-01 0.5 1 2 false",
            "2024-07-01 0.0 0 1 true",
        ]
    );
}
