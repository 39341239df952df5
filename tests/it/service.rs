//! `crm/service` where clocks matter: a company far from Greenwich, and what was not known yet.

use crate::crm::{company, lines};
use crate::segments::stages;

/// Of a company in Shanghai, where 3 March begins at 16:00 of 2 March in UTC: opened, answered, resolved, opened again.
const TICKETS: &str = "
    SELECT
        ticket_id, ticket_id AS customer_key, 'any' AS topic,
        CAST(opened AS TIMESTAMP) AS opened_at, CAST(first AS TIMESTAMP) AS first_reply_at,
        CAST(resolved AS TIMESTAMP) AS resolved_at, CAST(again AS TIMESTAMP) AS reopened_at, again IS NOT NULL AS reopened,
        CAST(CAST(opened AS TIMESTAMP) + INTERVAL '8 hours' AS DATE) AS bdate,
        CAST(CAST(resolved AS TIMESTAMP) + INTERVAL '8 hours' AS DATE) AS resolved_on,
        CAST(1 AS BIGINT) AS contacts
    FROM (VALUES
        ('before midnight', '2024-03-02T15:00:00', '2024-03-02T15:30:00', '2024-03-02T15:45:00', '2024-03-04T02:00:00'),
        ('after midnight', '2024-03-02T15:00:00', '2024-03-02T16:30:00', '2024-03-02T17:00:00', NULL),
        ('opened again', '2024-03-01T02:00:00', '2024-03-01T03:00:00', '2024-03-01T04:00:00', '2024-03-01T05:00:00'))
        AS t (ticket_id, opened, first, resolved, again)";

fn desk_in_shanghai() -> crate::project::Project {
    let project =
        company("interval: day\npacks: [shop, crm/service]\n", &["service"]).with("sql/shop/core/tickets.sql", TICKETS);
    project.edit("matins.yaml", "time_zone: UTC", "time_zone: Asia/Shanghai");
    project
}

#[test]
fn midnight_is_the_companys_and_not_that_of_greenwich() {
    let project = desk_in_shanghai();
    project.matins(&["run", "--as-of", "2024-03-03"]).ok();
    assert_eq!(
        lines(
            &project,
            "ticket_id; first_reply_hours; resolution_hours; age_hours",
            "FROM service.tickets WHERE bdate = DATE '2024-03-02' ORDER BY ticket_id DESC"
        ),
        ["before midnight 0.5 0.75 null", "after midnight null null 1.0"]
    );
}

#[test]
fn a_ticket_that_is_opened_again_later_is_not_yet() {
    let project = desk_in_shanghai();
    let again = |as_of: &str| {
        project.matins(&["run", "--as-of", as_of]).ok();
        lines(&project, "ticket_id; reopened; reopened_on", "FROM service.tickets ORDER BY ticket_id")
    };
    assert_eq!(
        again("2024-03-03"),
        ["after midnight false null", "before midnight false null", "opened again true 2024-03-01"]
    );
    assert_eq!(
        again("2024-03-05"),
        ["after midnight false null", "before midnight true 2024-03-04", "opened again true 2024-03-01"]
    );
}

/// Resolved on a day of March, opened again on a day, and whose ticket it is.
const MARCH: &str = "
    SELECT
        ticket_id, customer_key, 'any' AS topic, CAST(opened AS TIMESTAMP) AS opened_at,
        CAST(NULL AS TIMESTAMP) AS first_reply_at, CAST(resolved AS TIMESTAMP) AS resolved_at,
        CAST(again AS TIMESTAMP) AS reopened_at, again IS NOT NULL AS reopened, CAST(opened AS DATE) AS bdate,
        CAST(resolved AS DATE) AS resolved_on, CAST(1 AS BIGINT) AS contacts
    FROM (VALUES
        ('t1', 'ann', '2024-03-30', '2024-03-31', '2024-04-10'), ('t2', 'bob', '2024-03-09', '2024-03-10', '2024-03-30'),
        ('t3', 'cid', '2024-03-04', '2024-03-05', NULL), ('t4', 'cid', '2024-03-12', '2024-04-02', NULL),
        ('t5', 'dan', '2024-03-05', '2024-03-06', NULL), ('t6', 'dan', '2024-03-14', '2024-04-02', NULL))
        AS t (ticket_id, customer_key, opened, resolved, again)";

#[test]
fn what_may_still_come_back_is_provisional_until_it_can_no_more() {
    let project =
        company("interval: day\npacks: [shop, crm/service]\n", &["service"]).with("sql/shop/core/tickets.sql", MARCH);
    let march = |as_of: &str| {
        project.matins(&["run", "--as-of", as_of]).ok();
        ["reopen_rate", "first_contact_resolution"].map(|kpi| {
            let of = format!("FROM kpi.{kpi} WHERE period = DATE '2024-03-01'");
            lines(&project, "numerator; denominator; provisional", &of).remove(0)
        })
    };
    // Of the four resolved in March one was opened again 10 days later and one 20; one was followed by another after 7 days and
    // one after 8.
    assert_eq!(march("2024-04-14"), ["1 4 true", "2 4 true"]);
    assert_eq!(march("2024-04-15"), ["1 4 false", "2 4 false"]);
    project.edit("pipelines/shop.yaml", "packs:", "params: {reopen_days: 20, recontact_days: 8}\npacks:");
    assert_eq!(march("2024-04-20"), ["2 4 true", "0 4 true"]);
    assert_eq!(march("2024-04-21"), ["2 4 false", "0 4 false"]);
}

/// Opened and answered, in UTC; Shanghai is 8 hours ahead. 4 April 2024, a Thursday, is the festival of Qingming.
const WAITS: &str = "
    SELECT
        ticket_id, ticket_id AS customer_key, 'any' AS topic, CAST(opened AS TIMESTAMP) AS opened_at,
        CAST(first AS TIMESTAMP) AS first_reply_at, CAST(NULL AS TIMESTAMP) AS resolved_at,
        CAST(NULL AS TIMESTAMP) AS reopened_at, FALSE AS reopened,
        CAST(CAST(opened AS TIMESTAMP) + INTERVAL '8 hours' AS DATE) AS bdate, CAST(NULL AS DATE) AS resolved_on,
        CAST(1 AS BIGINT) AS contacts
    FROM (VALUES
        ('over the weekend', '2024-03-29T08:30:00', '2024-04-01T02:00:00'),
        ('at night', '2024-04-01T18:00:00', '2024-04-01T20:00:00'),
        ('over the festival', '2024-04-03T09:00:00', '2024-04-05T01:30:00'),
        ('at once', '2024-04-02T02:00:00', '2024-04-02T02:15:00'))
        AS t (ticket_id, opened, first)";

#[test]
fn waiting_is_counted_in_the_hours_somebody_is_there() {
    let project = company(
        "interval: day\nparams: {service_hours: \"Mon-Fri 09:00-18:00\", service_holidays: \"2024-04-04\"}\npacks: [shop, crm/service]\n",
        &["service"],
    )
    .with("sql/shop/core/tickets.sql", WAITS);
    project.edit("matins.yaml", "time_zone: UTC", "time_zone: Asia/Shanghai");
    project.matins(&["run", "--as-of", "2024-05-01"]).ok();
    // Friday 16:30 to Monday 10:00 are an hour and a half and an hour; Wednesday 17:00 to Friday 09:30 an hour and a half; 2:00 to
    // 4:00 at night is nothing.
    assert_eq!(
        lines(
            &project,
            "ticket_id; first_reply_hours; first_reply_working_hours",
            "FROM service.tickets ORDER BY ticket_id"
        ),
        ["at night 2.0 0.0", "at once 0.25 0.25", "over the festival 40.5 1.5", "over the weekend 65.5 2.5"]
    );
    assert_eq!(
        lines(&project, "period; value; n", "FROM kpi.first_response_working ORDER BY period"),
        ["2024-03-01 2.5 1", "2024-04-01 0.25 3"]
    );
}

/// One is resolved and stays so; one is opened again for a month; one waits; one is opened and closed within a day; one comes later.
const EVENTS: &str = "
    SELECT ticket_id, CAST(event_no AS BIGINT) AS event_no, event, CAST(bdate AS DATE) AS bdate,
           CAST(bdate AS TIMESTAMP) AS happened_at
    FROM (VALUES ('t1', 1, 'opened', '2024-01-10'), ('t1', 2, 'replied', '2024-01-11'), ('t1', 3, 'resolved', '2024-02-05'),
                 ('t2', 1, 'opened', '2024-01-20'), ('t2', 2, 'resolved', '2024-01-25'), ('t2', 3, 'reopened', '2024-02-20'),
                 ('t2', 4, 'transferred', '2024-02-21'), ('t2', 5, 'closed', '2024-03-01'), ('t3', 1, 'opened', '2024-02-29'),
                 ('t4', 1, 'opened', '2024-02-29'), ('t4', 2, 'closed', '2024-02-29'), ('t5', 1, 'opened', '2024-03-20'))
         AS t (ticket_id, event_no, event, bdate)";

#[test]
fn what_was_open_is_told_by_the_log() {
    let project = company("interval: day\npacks: [shop, crm/service]\n", &["service"])
        .with("sql/shop/core/ticket_events.sql", EVENTS);
    project.matins(&["run", "--as-of", "2024-03-15"]).ok();
    // At the end of January the first waits; at that of February the second, open again since the 20th, and the third.
    assert_eq!(
        lines(
            &project,
            "month; open_at_end; open_again; oldest_days; provisional",
            "FROM service.backlog_by_events ORDER BY month"
        ),
        ["2024-01-01 1 0 22 false", "2024-02-01 2 1 41 false", "2024-03-01 1 0 15 true"]
    );
}

/// Resolved in June, but for the last two: in time and late by due times; by the source's word; of which nothing is known; on the day
/// they fell due and a day later, where only days are known; open past due, and within.
const JUDGED: &str = "
    SELECT ticket_id, CAST('2024-06-03' AS DATE) AS bdate, CAST(resolved AS TIMESTAMP) AS resolved_at, CAST(due AS TIMESTAMP) AS due_at,
           CAST(resolved_on AS DATE) AS resolved_on, CAST(due AS DATE) AS due_on, sla_met
    FROM (VALUES
        ('in time', '2024-06-05T10:00:00', '2024-06-05', '2024-06-05T12:00:00', NULL),
        ('late', '2024-06-05T14:00:00', '2024-06-05', '2024-06-05T12:00:00', NULL),
        ('met', '2024-06-05T14:00:00', '2024-06-05', NULL, TRUE),
        ('missed', NULL, '2024-06-05', NULL, FALSE),
        ('unknown', '2024-06-05T14:00:00', '2024-06-05', NULL, NULL),
        ('unknown day', NULL, '2024-06-05', NULL, NULL),
        ('by the day', NULL, '2024-06-05', '2024-06-05T12:00:00', NULL),
        ('a day late', NULL, '2024-06-06', '2024-06-05T12:00:00', NULL),
        ('past due', NULL, NULL, '2024-06-20T12:00:00', NULL),
        ('within', NULL, NULL, '2024-07-20T12:00:00', NULL))
        AS t (ticket_id, resolved, resolved_on, due, sla_met)";

#[test]
fn a_ticket_that_nobody_can_judge_is_no_breach() {
    let project = stages(
        &["service/kpi/sla.sql"],
        &[
            ("core/tickets", JUDGED.to_owned()),
            ("service/months", "SELECT DATE '2024-06-01' AS month, FALSE AS provisional".to_owned()),
        ],
    );
    // Three of seven: the two of which nothing is known and the one within its time have no verdict.
    assert_eq!(
        lines(&project, "period; numerator; denominator; round(value, 4)", "FROM kpi.sla"),
        ["2024-06-01 3 7 0.4286"]
    );
}
