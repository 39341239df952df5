//! `crm/service` where nothing is known yet, told by hand.

use crate::crm::lines;
use crate::segments::{stages, unmade};

#[test]
fn a_delivery_at_the_promised_moment_is_in_time() {
    let project = unmade(
        &["service/kpi/on_time_delivery.sql"],
        &[(
            "core/orders",
            "SELECT order_id, order_id AS customer_key, DATE '2024-01-01' AS bdate,
                      CAST(1 AS DECIMAL(18, 4)) AS net, TRUE AS valid, CAST(delivered AS TIMESTAMP) AS delivered_at,
                      CAST(delivered_on AS DATE) AS delivered_on, CAST(promised AS TIMESTAMP) AS promised_at
                 FROM (VALUES ('at the moment', '2024-05-10T12:00:00', '2024-05-10', '2024-05-10T12:00:00'),
                      ('a second late', '2024-05-10T12:00:01', '2024-05-10', '2024-05-10T12:00:00'),
                      ('early', '2024-05-31T23:00:00', '2024-05-31', '2024-06-03T00:00:00'),
                      ('no promise', '2024-05-10T12:00:00', '2024-05-10', NULL),
                      ('under way', NULL, NULL, '2024-05-10T12:00:00'),
                      ('tomorrow', '2024-06-15T01:00:00', '2024-06-15', '2024-06-20T00:00:00'),
                      ('its day only', NULL, '2024-05-10', '2024-05-20T00:00:00'),
                      ('today', '2024-06-14T01:00:00', '2024-06-14', '2024-06-13T00:00:00')) AS t (order_id,
                      delivered, delivered_on, promised)"
                .to_owned(),
        )],
    );
    project.matins(&["run", "--as-of", "2024-06-15"]).ok();
    // Two of three; one had no promise, one is under way, and of one only the day is known. What comes on the day of the
    // moment is not known yet.
    assert_eq!(
        lines(
            &project,
            "period; round(value, 6); numerator; denominator; round(low, 4); provisional",
            "FROM kpi.on_time_delivery ORDER BY period"
        ),
        ["2024-05-01 0.666667 2 3 0.2077 false", "2024-06-01 0.0 0 1 0.0 true"]
    );
}

/// By the source's word two were resolved in time, and two more are when the moment is over; one fell due before it, one
/// after.
#[test]
fn a_verdict_of_later_is_not_known_yet() {
    let project = unmade(
        &["service/kpi/sla.sql", "service/service/months.sql"],
        &[(
            "core/tickets",
            "SELECT ticket_id, CAST('2024-06-03' AS DATE) AS bdate, CAST(resolved AS TIMESTAMP) AS resolved_at,
                      CAST(due AS TIMESTAMP) AS due_at, CAST(resolved AS DATE) AS resolved_on,
                      CAST(due AS DATE) AS due_on, sla_met
                 FROM (VALUES ('met', '2024-06-05T14:00:00', NULL, TRUE), ('no moment', NULL, NULL, TRUE),
                      ('met later', '2024-06-15T00:00:00', NULL, TRUE),
                      ('missed later', '2024-06-20T14:00:00', NULL, FALSE),
                      ('late, as is known', '2024-06-20T14:00:00', '2024-06-14T12:00:00', NULL),
                      ('within', '2024-06-20T14:00:00', '2024-06-15T12:00:00', NULL)) AS t (ticket_id, resolved,
                      due, sla_met)"
                .to_owned(),
        )],
    );
    project.matins(&["run", "--as-of", "2024-06-15"]).ok();
    // Two kept and one late: of the others nothing is known on 15 June.
    assert_eq!(lines(&project, "period; numerator; denominator; provisional", "FROM kpi.sla"), ["2024-06-01 2 3 true"]);
}

/// Of four tickets of April two were answered, one was resolved on a day whose hour nobody knows, and one waits. In June
/// one was resolved and one answered at the moment itself, which is not known yet; one is a second older than a day.
#[test]
fn what_waits_at_the_end_of_each_month() {
    let project = unmade(
        &[
            "service/kpi/backlog.sql",
            "service/kpi/first_response.sql",
            "service/kpi/resolution_time.sql",
            "service/service/times.sql",
            "service/service/months.sql",
            "service/service/tickets.sql",
            "service/service/backlog.sql",
        ],
        &[(
            "core/tickets",
            "SELECT ticket_id, customer_key, NULL::VARCHAR AS topic, CAST(opened AS TIMESTAMP) AS opened_at,
                      CAST(first AS TIMESTAMP) AS first_reply_at, CAST(resolved AS TIMESTAMP) AS resolved_at,
                      CAST(opened AS DATE) AS bdate, CAST(coalesce(resolved_on, resolved) AS DATE) AS resolved_on,
                      CAST(1 AS BIGINT) AS contacts, FALSE AS reopened, CAST(NULL AS TIMESTAMP) AS reopened_at
                 FROM (VALUES ('t1', 'ann', '2024-04-10T08:00:00', '2024-04-10T10:00:00', '2024-04-10T12:00:00',
                      NULL), ('t2', 'bob', '2024-04-11T08:00:00', '2024-04-11T12:00:00', '2024-06-03T08:00:00',
                      NULL), ('t3', 'cid', '2024-04-12T08:00:00', NULL, NULL, '2024-04-12'),
                      ('t4', 'dan', '2024-04-30T08:00:00', NULL, NULL, NULL),
                      ('t5', 'eve', '2024-06-10T08:00:00', '2024-06-10T09:00:00', '2024-06-14T09:00:00', NULL),
                      ('t6', 'fay', '2024-06-13T00:00:00', '2024-06-14T00:00:00', NULL, NULL),
                      ('t7', 'gil', '2024-06-12T23:59:59', NULL, NULL, NULL),
                      ('t8', 'hal', '2024-06-14T00:00:00', NULL, NULL, NULL)) AS t (ticket_id, customer_key, opened,
                      first, resolved, resolved_on)"
                .to_owned(),
        )],
    );
    project.matins(&["run", "--as-of", "2024-06-14"]).ok();
    // In June three come to the two of April and one of these goes.
    assert_eq!(
        lines(&project, "period; value; n; provisional", "FROM kpi.backlog ORDER BY period"),
        ["2024-04-01 2 2 false", "2024-05-01 2 2 false", "2024-06-01 4 4 true"]
    );
    // 2 and 4 hours; in June one hour.
    assert_eq!(
        lines(&project, "period; value; n", "FROM kpi.first_response ORDER BY period"),
        ["2024-04-01 3.0 2", "2024-05-01 null 0", "2024-06-01 1.0 1"]
    );
    // The ninth decile of 2 and 4 is 3.8. 53 days are 1,272 hours.
    assert_eq!(
        lines(
            &project,
            "month; opened; answered; awaiting; round(first_reply_p90, 4); resolved; timed; resolution_median",
            "FROM service.times ORDER BY month"
        ),
        ["2024-04-01 4 2 1 3.8 2 1 4.0", "2024-05-01 0 0 0 null 0 0 null", "2024-06-01 3 1 2 1.0 1 1 1272.0"]
    );
    // 44 days and 16 hours; 3 days and 16 hours; a day; a day and a second.
    assert_eq!(
        lines(&project, "age; tickets; round(oldest_hours, 4)", "FROM service.backlog ORDER BY position"),
        ["0-1 1 24.0", "1-3 1 24.0003", "3-7 1 88.0", "7-14 0 null", ">14 1 1072.0"]
    );
}

#[test]
fn no_tickets_are_no_months() {
    let project = stages(
        &[
            "service/kpi/backlog.sql",
            "service/kpi/first_response.sql",
            "service/service/times.sql",
            "service/service/months.sql",
            "service/service/tickets.sql",
            "service/service/backlog.sql",
        ],
        &[(
            "core/tickets",
            "SELECT 't' AS ticket_id, 'a' AS customer_key, 'x' AS topic,
                      CAST('2024-07-01' AS TIMESTAMP) AS opened_at, CAST(NULL AS TIMESTAMP) AS first_reply_at,
                      CAST(NULL AS TIMESTAMP) AS resolved_at, DATE '2024-07-01' AS bdate,
                      CAST(NULL AS DATE) AS resolved_on, CAST(1 AS BIGINT) AS contacts, FALSE AS reopened,
                      CAST(NULL AS TIMESTAMP) AS reopened_at"
                .to_owned(),
        )],
    );
    assert_eq!(lines(&project, "count(*)", "FROM kpi.backlog"), ["0"]);
    assert_eq!(lines(&project, "sum(tickets)", "FROM service.backlog"), ["0"]);
}
