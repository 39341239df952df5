//! `crm/churn` by segment and by contract, on companies whose losses can be told by hand.

use crate::crm::lines;
use crate::segments::{stages, unmade};

/// Seven of twelve in trade bought once in January, five again in February; six consumers once in January; two without a segment in
/// February. Silent for more than 60 days is lost.
#[test]
fn the_losses_of_each_segment_are_those_of_its_customers() {
    let project = stages(
        &["churn/kpi/churn_by_segment.sql"],
        &[
            ("segment/rhythm", "SELECT $as_of AS as_of, 60.0 AS lost_after".to_owned()),
            (
                "core/months",
                "SELECT month, CAST(month + INTERVAL '1 month' AS DATE) AS next_month, FALSE AS provisional
                 FROM (SELECT CAST(unnest(generate_series(DATE '2024-01-01', DATE '2024-06-01', INTERVAL '1 month')) AS DATE) AS month) AS m"
                    .to_owned(),
            ),
            (
                "core/customers",
                "SELECT concat(segment, n) AS customer_key, segment
                 FROM (SELECT segment, unnest(generate_series(1, customers)) AS n
                       FROM (VALUES ('trade', 12), ('consumer', 6)) AS t (segment, customers)) AS each"
                    .to_owned(),
            ),
            (
                "core/purchase_days",
                "SELECT concat(who, n) AS customer_key, CAST(bdate AS DATE) AS bdate,
                        CASE WHEN who = 'trade' AND bdate = '2024-02-20' THEN DATE '2024-01-10' END AS previous_day,
                        CASE WHEN who = 'trade' AND bdate = '2024-01-10' AND n <= 5 THEN DATE '2024-02-20' END AS next_day
                 FROM (SELECT who, bdate, unnest(generate_series(1, customers)) AS n
                       FROM (VALUES ('trade', '2024-01-10', 12), ('trade', '2024-02-20', 5), ('consumer', '2024-01-20', 6),
                                    ('unknown', '2024-02-25', 2)) AS t (who, bdate, customers)) AS each"
                    .to_owned(),
            ),
        ],
    );
    // The two of March are with the next smallest, and so are they in April with the five of trade that are left.
    assert_eq!(
        lines(
            &project,
            "period; dimension; numerator; denominator",
            "FROM kpi.churn_by_segment ORDER BY period, dimension"
        ),
        [
            "2024-02-01 consumer 0 6",
            "2024-02-01 trade 0 12",
            "2024-03-01 few 6 8",
            "2024-03-01 trade 7 12",
            "2024-04-01 few 7 7",
        ]
    );
}

/// 250 of trade bought in January and again after 40 days, ten of consumers after 20 and are not heard of again; silent for more than 60
/// days is lost in general.
#[test]
fn a_segment_that_can_tell_has_a_limit_of_its_own() {
    let project = stages(
        &["churn/kpi/churn_by_segment.sql"],
        &[
            ("segment/rhythm", "SELECT $as_of AS as_of, 60.0 AS lost_after".to_owned()),
            (
                "core/months",
                "SELECT month, CAST(month + INTERVAL '1 month' AS DATE) AS next_month, FALSE AS provisional
                 FROM (SELECT CAST(unnest(generate_series(DATE '2024-01-01', DATE '2024-06-01', INTERVAL '1 month')) AS DATE) AS month) AS m"
                    .to_owned(),
            ),
            (
                "core/customers",
                "SELECT concat(segment, n) AS customer_key, segment
                 FROM (SELECT segment, unnest(generate_series(1, customers)) AS n
                       FROM (VALUES ('trade', 250), ('consumer', 10)) AS t (segment, customers)) AS each"
                    .to_owned(),
            ),
            (
                "core/purchase_days",
                "SELECT concat(who, n) AS customer_key, CAST(bdate AS DATE) AS bdate, CAST(before AS DATE) AS previous_day,
                        CAST(after AS DATE) AS next_day
                 FROM (SELECT who, bdate, before, after, unnest(generate_series(1, customers)) AS n
                       FROM (VALUES ('trade', 250, '2024-01-10', NULL, '2024-02-19'), ('trade', 250, '2024-02-19', '2024-01-10', NULL),
                                    ('consumer', 10, '2024-01-10', NULL, '2024-01-30'), ('consumer', 10, '2024-01-30', '2024-01-10', NULL))
                            AS t (who, customers, bdate, before, after)) AS each"
                    .to_owned(),
            ),
        ],
    );
    // Forty days after 19 February are 30 March, sixty days after 30 January are 30 March as well; by sixty days trade would be lost in
    // April.
    assert_eq!(
        lines(
            &project,
            "period; dimension; numerator; denominator; lost_after",
            "FROM kpi.churn_by_segment ORDER BY period, dimension"
        ),
        [
            "2024-02-01 consumer 0 10 60",
            "2024-02-01 trade 0 250 40",
            "2024-03-01 consumer 10 10 60",
            "2024-03-01 trade 250 250 40",
        ]
    );
}

/// Many customers alike: why, how many, and their terms. `stay` has no end and `again` is renewed by the source's word; the second
/// term of `pause` begins on the 15th day after the first, that of `late` on the 16th.
const CONTRACTS: &str = "
    SELECT concat(who, n, starts_on) AS contract_id, concat(who, n) AS customer_key, CAST(starts_on AS DATE) AS starts_on,
           CAST(ends_on AS DATE) AS ends_on, who = 'again' AS renewed,
           CASE WHEN who IN ('price', 'moved', 'service') THEN who END AS reason
    FROM (SELECT who, starts_on, ends_on, unnest(generate_series(1, customers)) AS n
          FROM (VALUES ('stay', 20, '2024-01-01', NULL), ('again', 1, '2024-01-01', '2024-03-01'),
                       ('pause', 6, '2024-01-01', '2024-03-01'), ('pause', 6, '2024-03-16', NULL),
                       ('late', 6, '2024-01-01', '2024-03-01'), ('late', 6, '2024-03-17', NULL),
                       ('price', 10, '2024-01-01', '2024-04-01'), ('moved', 3, '2024-01-01', '2024-04-01'),
                       ('service', 7, '2024-01-01', '2024-04-01'))
               AS t (who, customers, starts_on, ends_on)) AS each";

#[test]
fn contracts_that_end_and_are_not_followed_by_others() {
    let project = unmade(
        &["churn/churn/contracts.sql", "churn/kpi/contract_churn.sql", "churn/kpi/contract_churn_by_reason.sql"],
        &[("core/contracts", CONTRACTS.to_owned())],
    );
    let months = |as_of: &str| {
        project.matins(&["run", "--as-of", as_of]).ok();
        let figures = "period; round(value, 4); numerator; denominator; provisional";
        lines(&project, figures, "FROM kpi.contract_churn ORDER BY period")
    };
    // Until the 15 days are over nobody knows who left with March.
    assert_eq!(months("2024-04-16")[2], "2024-03-01 null 0 47 true");
    assert_eq!(months("2024-04-17")[2], "2024-03-01 0.4255 20 47 false");
    assert_eq!(
        months("2024-07-01"),
        [
            "2024-01-01 0.0 0 53 false",
            "2024-02-01 0.1132 6 53 false",
            "2024-03-01 0.4255 20 47 false",
            "2024-04-01 0.0 0 33 false",
            "2024-05-01 0.0 0 33 false",
            "2024-06-01 null 0 33 true",
        ]
    );
    assert_eq!(
        lines(
            &project,
            "period; dimension; numerator; denominator",
            "FROM kpi.contract_churn_by_reason ORDER BY period, dimension"
        ),
        ["2024-02-01 unknown 6 53", "2024-03-01 few 10 47", "2024-03-01 price 10 47"]
    );
}

/// Terms that were renewed by the source's word, and what came after: `left` renewed once and then did not; the next term of `gap` is
/// signed 40 days after the first ends; `within` renewed a second contract that its first outlasts; the last terms of `open` and of
/// `same`, who has another that ends on that day, are renewed, and nobody knows by what.
const RENEWED: &str = "
    SELECT concat(who, starts_on, renewed) AS contract_id, who AS customer_key, CAST(starts_on AS DATE) AS starts_on,
           CAST(ends_on AS DATE) AS ends_on, renewed, reason
    FROM (VALUES ('left', '2024-01-01', '2024-03-01', TRUE, NULL), ('left', '2024-03-01', '2024-06-01', FALSE, 'price'),
                 ('gap', '2024-01-01', '2024-03-01', TRUE, NULL), ('gap', '2024-04-10', '2024-07-01', NULL, NULL),
                 ('within', '2024-01-01', '2024-08-01', FALSE, 'moved'), ('within', '2024-02-01', '2024-05-01', TRUE, NULL),
                 ('open', '2024-01-01', '2024-03-01', TRUE, NULL), ('open', '2024-03-01', '2024-06-01', TRUE, NULL),
                 ('same', '2024-01-01', '2024-06-01', FALSE, 'service'), ('same', '2024-02-01', '2024-06-01', TRUE, NULL))
         AS t (who, starts_on, ends_on, renewed, reason)";

#[test]
fn a_contract_that_was_renewed_once_ends_with_the_next() {
    let project = unmade(
        &["churn/churn/contracts.sql", "churn/kpi/contract_churn.sql"],
        &[("core/contracts", RENEWED.to_owned())],
    );
    project.matins(&["run", "--as-of", "2024-10-01"]).ok();
    assert_eq!(
        lines(&project, "customer_key; began_on; ended_on; reason", "FROM churn.contracts ORDER BY customer_key"),
        [
            "gap 2024-01-01 2024-07-01 null",
            "left 2024-01-01 2024-06-01 price",
            "open 2024-01-01 null null",
            "same 2024-01-01 null null",
            "within 2024-01-01 2024-08-01 moved",
        ]
    );
    // Five began with the year; the last day of `left` lies in May, that of `gap` in June, that of `within` in July.
    assert_eq!(
        lines(&project, "period; numerator; denominator", "FROM kpi.contract_churn ORDER BY period"),
        [
            "2024-01-01 0 5",
            "2024-02-01 0 5",
            "2024-03-01 0 5",
            "2024-04-01 0 5",
            "2024-05-01 1 5",
            "2024-06-01 1 4",
            "2024-07-01 1 3",
            "2024-08-01 0 2",
            "2024-09-01 0 2",
        ]
    );
}

/// bob comes back after a pause of ten days and pays more, dan renews and pays less, cid leaves, eve is new, fay has renewed by the
/// source's word alone, and nobody knows what hal pays.
const RECURRING: &str = "
    SELECT concat(who, starts_on) AS contract_id, who AS customer_key, CAST(starts_on AS DATE) AS starts_on,
           CAST(ends_on AS DATE) AS ends_on, CASE WHEN who = 'fay' THEN TRUE END AS renewed,
           CAST(monthly AS DECIMAL(18, 4)) AS monthly
    FROM (VALUES ('ann', '2024-01-01', NULL, 100), ('bob', '2024-01-01', '2024-03-01', 50), ('bob', '2024-03-11', NULL, 70),
                 ('cid', '2024-01-01', '2024-03-01', 80), ('dan', '2024-01-01', '2024-04-01', 60), ('dan', '2024-04-01', NULL, 40),
                 ('eve', '2024-02-10', NULL, 30), ('fay', '2024-01-01', '2024-04-01', 10),
                 ('hal', '2024-01-01', '2024-03-01', NULL))
         AS t (who, starts_on, ends_on, monthly)";

#[test]
fn what_contracts_bring_and_which_are_renewed() {
    let project = unmade(
        &[
            "churn/churn/recurring.sql",
            "churn/kpi/contract_retention.sql",
            "churn/kpi/revenue_churn.sql",
            "churn/kpi/recurring_gross_retention.sql",
            "churn/kpi/recurring_net_retention.sql",
        ],
        &[("core/contracts", RECURRING.to_owned())],
    );
    let figures = |as_of: &str, kpi: &str| {
        project.matins(&["run", "--as-of", as_of]).ok();
        let columns = "period; round(value, 4); numerator; denominator; provisional";
        lines(&project, columns, &format!("FROM kpi.{kpi} ORDER BY period"))
    };
    // Due with February were bob, cid and hal, and bob came back within 15 days; with March dan and fay.
    assert_eq!(figures("2024-04-16", "contract_retention")[2], "2024-03-01 null 2 2 true");
    assert_eq!(figures("2024-04-17", "contract_retention")[2], "2024-03-01 1.0 2 2 false");
    assert_eq!(
        figures("2024-05-20", "contract_retention"),
        [
            "2024-01-01 null 0 0 false",
            "2024-02-01 0.3333 1 3 false",
            "2024-03-01 1.0 2 2 false",
            "2024-04-01 null 0 0 false",
            "2024-05-01 null 0 0 true",
        ]
    );
    // 300 less cid's 80 and more by eve's 30; then bob pays 20 more and dan 20 less.
    assert_eq!(
        lines(
            &project,
            "month; customers; at_start; new; expansion; contraction; lost; at_end; provisional",
            "FROM churn.recurring WHERE month IN (DATE '2024-02-01', DATE '2024-03-01', DATE '2024-05-01') ORDER BY month"
        ),
        [
            "2024-02-01 5 300.0000 30.0000 0.0000 0.0000 80.0000 250.0000 false",
            "2024-03-01 5 250.0000 0.0000 20.0000 20.0000 0.0000 250.0000 false",
            "2024-05-01 5 250.0000 0.0000 0.0000 0.0000 0.0000 250.0000 true",
        ]
    );
    assert_eq!(figures("2024-05-20", "revenue_churn")[1], "2024-02-01 0.2667 80.0000 300.0000 false");
    assert_eq!(
        figures("2024-05-20", "recurring_gross_retention")[1..3],
        ["2024-02-01 0.7333 220.0000 300.0000 false", "2024-03-01 0.92 230.0000 250.0000 false"]
    );
    assert_eq!(
        figures("2024-05-20", "recurring_net_retention")[1..],
        [
            "2024-02-01 0.7333 220.0000 300.0000 false",
            "2024-03-01 1.0 250.0000 250.0000 false",
            "2024-04-01 1.0 250.0000 250.0000 false",
            "2024-05-01 null 250.0000 250.0000 true",
        ]
    );
}

/// Why, how many, and when their only term ended.
const WILLS: &str = "
    SELECT concat(who, n) AS contract_id, concat(who, n) AS customer_key, DATE '2024-01-01' AS starts_on,
           CAST(ends_on AS DATE) AS ends_on, FALSE AS renewed, reason
    FROM (SELECT who, ends_on, reason, unnest(generate_series(1, customers)) AS n
          FROM (VALUES ('a', 20, NULL, NULL), ('b', 6, '2024-03-01', 'price'), ('c', 5, '2024-03-01', 'Payment failed'),
                       ('d', 1, '2024-03-01', NULL), ('e', 4, '2024-04-01', 'moved'), ('f', 3, '2024-04-01', 'price'),
                       ('g', 5, '2024-04-01', 'insolvent'))
               AS t (who, customers, ends_on, reason)) AS each";

#[test]
fn who_left_and_who_had_to() {
    let project = unmade(
        &["churn/churn/contracts.sql", "churn/kpi/contract_churn.sql", "churn/kpi/contract_churn_by_will.sql"],
        &[("core/contracts", WILLS.to_owned())],
    );
    let kinds = || {
        project.matins(&["run", "--as-of", "2024-07-01"]).ok();
        lines(
            &project,
            "period; dimension; round(value, 4); numerator; denominator",
            "FROM kpi.contract_churn_by_will ORDER BY period, dimension",
        )
    };
    // The one of whom nobody knows is with the five whose payment failed.
    assert_eq!(
        kinds(),
        [
            "2024-02-01 few 0.1364 6 44",
            "2024-02-01 voluntary 0.1364 6 44",
            "2024-03-01 involuntary 0.1563 5 32",
            "2024-03-01 voluntary 0.2188 7 32",
        ]
    );
    project.edit("pipelines/shop.yaml", "packs:", "params: {involuntary_reasons: \"Price, insolvent\"}\npacks:");
    assert_eq!(
        kinds(),
        ["2024-02-01 few 0.1364 6 44", "2024-02-01 involuntary 0.1364 6 44", "2024-03-01 few 0.375 12 32"]
    );
}
