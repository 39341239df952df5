//! `crm/satisfaction`: whether those who answer are those who were asked.

use crate::crm::lines;
use crate::segments::stages;

/// Invitations of a month to a segment, and how many of them were answered.
const ASKED: &str = "
    SELECT concat(sent, segment, n) AS invitation_id, concat(segment, n) AS customer_key, 'relational' AS survey,
           CAST(sent AS DATE) AS sent_on, TRUE AS delivered, n <= answered AS answers
    FROM (SELECT sent, segment, answered, unnest(generate_series(1, invited)) AS n
          FROM (VALUES ('2024-02-10', 'trade', 60, 30), ('2024-02-10', 'consumer', 140, 30), ('2024-02-10', 'odd', 4, 2),
                       ('2024-03-10', 'trade', 100, 40), ('2024-03-10', 'consumer', 100, 50), ('2024-03-10', 'odd', 100, 30),
                       ('2024-04-10', 'trade', 100, 50), ('2024-04-10', 'consumer', 100, 50),
                       ('2024-06-20', 'trade', 10, 10), ('2024-06-20', 'consumer', 10, 10))
               AS t (sent, segment, invited, answered)) AS each";

#[test]
fn a_survey_that_some_customers_leave_to_others_is_flagged() {
    let project = stages(
        &["satisfaction/satisfaction/non_response.sql"],
        &[
            (
                "core/survey_invitations",
                format!("SELECT invitation_id, customer_key, survey, sent_on, delivered FROM ({ASKED}) AS a"),
            ),
            (
                "core/survey_responses",
                format!(
                    "SELECT invitation_id AS response_id, invitation_id, customer_key, survey, sent_on AS bdate,
                            CAST(sent_on AS TIMESTAMP) AS answered_at
                     FROM ({ASKED}) AS a WHERE answers"
                ),
            ),
            (
                "core/customers",
                format!(
                    "SELECT DISTINCT customer_key, regexp_replace(customer_key, '[0-9]+', '') AS segment FROM ({ASKED}) AS a"
                ),
            ),
        ],
    );
    // SciPy's chi2_contingency, without Yates' correction, of 32 and 32 (odd and trade, since of odd only 1.2 answers are to be
    // expected) beside 30 and 110; and of 40, 50 and 30 of a hundred each. In June everybody answered.
    assert_eq!(
        lines(
            &project,
            "month; invited; answered; segments; round(chi_square, 4); round(p, 7); biased; provisional",
            "FROM satisfaction.non_response ORDER BY month"
        ),
        [
            "2024-02-01 204 62 2 16.9481 0.0000384 true false",
            "2024-03-01 300 120 3 8.3333 0.0155039 false false",
            "2024-04-01 200 100 2 0.0 1.0 false false",
            "2024-06-01 20 20 1 null null null true",
        ]
    );
}

/// The scores of many customers alike, of the contact and of the effort; seven of May answer twice.
const SCORES: &str = "
    SELECT concat(day, who, n) AS response_id, concat(who, n) AS customer_key, CAST(day AS DATE) AS bdate,
           CAST(day AS TIMESTAMP) AS answered_at, 'transactional' AS survey, CAST(csat AS BIGINT) AS csat, CAST(ces AS BIGINT) AS ces
    FROM (SELECT day, who, csat, ces, unnest(generate_series(1, customers)) AS n
          FROM (VALUES ('2024-04-10', 'a', 40, 5, 7), ('2024-04-10', 'b', 30, 4, 5), ('2024-04-10', 'c', 6, 2, 4),
                       ('2024-04-10', 'd', 3, 1, 1), ('2024-05-10', 'a', 10, 5, 6), ('2024-05-10', 'b', 6, 4, 5),
                       ('2024-05-10', 'c', 5, 3, NULL), ('2024-05-20', 'a', 7, 1, 2), ('2024-06-10', 'a', 4, 5, 7))
               AS t (day, who, customers, csat, ces)) AS each";

#[test]
fn what_scores_a_mean_is_made_of() {
    let project = stages(
        &[
            "satisfaction/kpi/csat_by_score.sql",
            "satisfaction/kpi/csat.sql",
            "satisfaction/kpi/effort_easy.sql",
            "satisfaction/satisfaction/months.sql",
        ],
        &[("core/survey_responses", SCORES.to_owned())],
    );
    // In April the three with a 1 are with the six with a 2. In May seven took their 5 back, and the three left are with the five with a
    // 3. Of June's four nothing is told.
    assert_eq!(
        lines(
            &project,
            "period; dimension; round(value, 4); numerator; n",
            "FROM kpi.csat_by_score ORDER BY period, dimension"
        ),
        [
            "2024-04-01 3 0.0 0 79",
            "2024-04-01 4 0.3797 30 79",
            "2024-04-01 5 0.5063 40 79",
            "2024-04-01 few 0.1139 9 79",
            "2024-05-01 1 0.3333 7 21",
            "2024-05-01 2 0.0 0 21",
            "2024-05-01 4 0.2857 6 21",
            "2024-05-01 few 0.381 8 21",
        ]
    );
    assert_eq!(
        lines(&project, "period; round(value, 4); numerator; n", "FROM kpi.effort_easy ORDER BY period"),
        ["2024-04-01 0.8861 70 79", "2024-05-01 0.5625 9 16", "2024-06-01 1.0 4 4"]
    );
}
