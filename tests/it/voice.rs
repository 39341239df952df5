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
