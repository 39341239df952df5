//! `crm/segment`: tiers, Gini, rhythm and the states of the lifecycle at their limits, told by hand.

use super::{days, refunds, valid_orders};
use crate::crm::lines;
use crate::segments::stages;

/// The n-th of ten customers brought ten times n in the year, the seventh on its first and on its last day; a day before it
/// and at the moment itself two brought 999.
#[test]
fn tiers_and_how_much_hangs_on_few() {
    let project = stages(
        &["segment/segment/tiers.sql", "segment/segment/concentration.sql"],
        &[valid_orders(
            "('1', 'c01', '2024-03-01', 10), ('2', 'c02', '2024-03-01', 20), ('3', 'c03', '2024-03-01', 30),
                 ('4', 'c04', '2024-03-01', 40), ('5', 'c05', '2024-03-01', 50), ('6', 'c06', '2024-03-01', 60),
                 ('8', 'c08', '2024-03-01', 80), ('9', 'c09', '2024-03-01', 90),
                 ('10', 'c10', '2024-03-01', 100), ('7a', 'c07', '2023-07-01', 30),
                 ('7b', 'c07', '2024-06-30', 40), ('8b', 'c08', '2023-06-30', 999), ('9b', 'c09', '2024-07-01', 999)",
        )],
    );
    assert_eq!(
        lines(
            &project,
            "customer_key; net; tier; place; round(net_share, 6); customer_share",
            "FROM segment.tiers WHERE as_of = DATE '2024-07-01' ORDER BY place"
        ),
        [
            "c10 100.0000 platinum 1 0.181818 0.1",
            "c09 90.0000 gold 2 0.345455 0.2",
            "c08 80.0000 iron 3 0.490909 0.3",
            "c07 70.0000 iron 4 0.618182 0.4",
            "c06 60.0000 iron 5 0.727273 0.5",
            "c05 50.0000 iron 6 0.818182 0.6",
            "c04 40.0000 lead 7 0.890909 0.7",
            "c03 30.0000 lead 8 0.945455 0.8",
            "c02 20.0000 lead 9 0.981818 0.9",
            "c01 10.0000 lead 10 1.0 1.0",
        ]
    );
    // 2 · Σ n · 10 n / (10 · 550) − 11/10 is 0.3; the two best brought 190; 100 + 90 + 80 + 70 + 60 are not yet 440.
    assert_eq!(
        lines(
            &project,
            "as_of; customers; round(top_fifth_share, 6); customers_for_80; round(gini, 6)",
            "FROM segment.concentration WHERE as_of = DATE '2024-07-01'"
        ),
        ["2024-07-01 10 0.345455 6 0.3"]
    );
    // A month before c07 had 30 and c08 1,079: by the same formula of 10, 20, 30, 30, 40, 50, 60, 90, 100 and 1,079.
    assert_eq!(
        lines(
            &project,
            "customers; round(top_fifth_share, 6); customers_for_80; round(gini, 6)",
            "FROM segment.concentration WHERE as_of <> DATE '2024-07-01'"
        ),
        ["10 0.781312 3 0.701193"]
    );
}

#[test]
fn one_customer_is_the_best_and_all() {
    let project = stages(
        &["segment/segment/tiers.sql", "segment/segment/concentration.sql"],
        &[valid_orders("('1', 'ann', '2024-03-01', 5)")],
    );
    assert_eq!(
        lines(&project, "as_of; tier; place; base; net_share", "FROM segment.tiers ORDER BY as_of"),
        ["2024-06-01 platinum 1 1 1.0", "2024-07-01 platinum 1 1 1.0"]
    );
    assert_eq!(
        lines(
            &project,
            "as_of; customers; top_fifth_share; customers_for_80; gini",
            "FROM segment.concentration ORDER BY as_of"
        ),
        ["2024-06-01 1 1.0 1 0.0", "2024-07-01 1 1.0 1 0.0"]
    );
}

/// Four brought 5, one nothing; of all who brought nothing, a year before, no share is reckoned.
#[test]
fn who_brought_as_much_is_ranked_by_key_and_nothing_has_no_share() {
    let project = stages(
        &["segment/segment/tiers.sql", "segment/segment/concentration.sql"],
        &[valid_orders(
            "('1', 'dan', '2024-06-10', 5), ('2', 'ann', '2024-06-10', 5), ('3', 'cid', '2024-06-10', 5),
                 ('4', 'bob', '2024-06-10', 5), ('5', 'eve', '2024-06-10', 0), ('6', 'zoe', '2023-06-10', 0)",
        )],
    );
    assert_eq!(
        lines(
            &project,
            "customer_key; tier; round(net_share, 4)",
            "FROM segment.tiers WHERE as_of = DATE '2024-07-01' ORDER BY place"
        ),
        ["ann platinum 0.25", "bob iron 0.5", "cid iron 0.75", "dan lead 1.0", "eve lead 1.0"]
    );
    // 2 · (1·0 + (2 + 3 + 4 + 5)·5) / (5 · 20) − 6/5 is 0.2.
    assert_eq!(
        lines(
            &project,
            "as_of; customers; top_fifth_share; customers_for_80; round(gini, 4)",
            "FROM segment.concentration ORDER BY as_of"
        ),
        ["2024-06-01 1 null null null", "2024-07-01 5 0.25 4 0.2"]
    );
}

#[test]
fn four_of_five_who_brought_the_same_brought_four_fifths() {
    let project = stages(
        &["segment/segment/tiers.sql", "segment/segment/concentration.sql"],
        &[valid_orders(
            "('1', 'a', '2024-06-10', 0.01), ('2', 'b', '2024-06-10', 0.01), ('3', 'c', '2024-06-10', 0.01),
                 ('4', 'd', '2024-06-10', 0.01), ('5', 'e', '2024-06-10', 0.01)",
        )],
    );
    // 0.04 / 0.05 is a little less than 0.8 in binary.
    assert_eq!(
        lines(
            &project,
            "as_of; customers; round(top_fifth_share, 6); customers_for_80; abs(round(gini, 6))",
            "FROM segment.concentration ORDER BY as_of"
        ),
        ["2024-07-01 5 0.2 4 0.0"]
    );
}

#[test]
fn how_long_a_silence_is_loss() {
    let project = stages(
        &["segment/segment/rhythm.sql"],
        &[days(
            "('a', '2024-01-01', NULL), ('a', '2024-02-10', '2024-01-01'), ('b', '2024-03-01', '2024-01-01'),
                 ('c', '2024-05-31', '2024-02-21'), ('d', '2024-06-01', '2023-11-14')",
        )],
    );
    // Quartile and decile, type 7, of 40, 60, 100 and 200: 100 + 0.25 · 100 and 100 + 0.7 · 100; of the first three 60 +
    // 0.5 · 40 and 60 + 0.8 · 40.
    assert_eq!(
        lines(&project, "as_of; gaps; late_after; lost_after", "FROM segment.rhythm ORDER BY as_of"),
        ["2024-06-01 3 80.0 92.0", "2024-07-01 4 125.0 170.0"]
    );
}

#[test]
fn a_gap_of_a_day_is_held_to_thirty() {
    let project = stages(&["segment/segment/rhythm.sql"], &[days("('a', '2024-01-02', '2024-01-01')")]);
    assert_eq!(
        lines(&project, "as_of; gaps; late_after; lost_after", "FROM segment.rhythm ORDER BY as_of"),
        ["2024-06-01 1 30.0 30.0", "2024-07-01 1 30.0 30.0"]
    );
}

#[test]
fn a_gap_of_two_years_is_held_to_one() {
    let project = stages(&["segment/segment/rhythm.sql"], &[days("('a', '2024-01-02', '2022-01-01')")]);
    assert_eq!(
        lines(&project, "as_of; gaps; late_after; lost_after", "FROM segment.rhythm ORDER BY as_of"),
        ["2024-06-01 1 365.0 365.0", "2024-07-01 1 365.0 365.0"]
    );
}

#[test]
fn who_never_came_back_says_nothing_of_rhythm() {
    let project = stages(&["segment/segment/rhythm.sql"], &[days("('a', '2024-06-02', NULL)")]);
    assert_eq!(
        lines(&project, "as_of; gaps; late_after; lost_after", "FROM segment.rhythm ORDER BY as_of"),
        ["2024-06-01 0 182.0 365.0", "2024-07-01 0 182.0 365.0"]
    );
}

/// Silent for more than 100 days is lost, for more than 40 late, but for customers with a rhythm of their own.
#[test]
fn every_state_of_the_lifecycle_at_its_limits() {
    let project = stages(
        &["segment/segment/lifecycle_states.sql", "core/core/purchase_days.sql"],
        &[
            (
                "segment/rhythm",
                "SELECT $as_of AS as_of, 40.0 AS late_after, 100.0 AS lost_after
                 UNION ALL
                 SELECT $prev_as_of AS as_of, 1.0 AS late_after, 2.0 AS lost_after"
                    .to_owned(),
            ),
            (
                "core/customers",
                "SELECT customer_key, CAST(created_on AS DATE) AS created_on
                 FROM (VALUES ('potential', '2024-06-30'), ('tomorrow', '2024-07-01'), ('new', '2024-01-01'),
                      ('ageing', '2024-01-01'), ('lost', '2024-01-01'), ('edge', '2024-01-01'),
                      ('back', '2024-01-01'), ('was back', '2024-01-01'), ('late', '2024-01-01'),
                      ('own', '2024-01-01'), ('growing', '2024-01-01'), ('kept', '2024-01-01'),
                      ('twice', '2024-01-01'), ('unlisted', '2024-07-01')) AS t (customer_key, created_on)"
                    .to_owned(),
            ),
            valid_orders(
                "('0', 'new', '2024-04-02', 10), ('1', 'ageing', '2024-04-01', 10),
                 ('2', 'lost', '2024-03-22', 10), ('3', 'edge', '2024-03-23', 10),
                 ('4', 'back', '2023-12-23', 10), ('5', 'back', '2024-04-02', 10),
                 ('6', 'was back', '2023-12-22', 10), ('7', 'was back', '2024-04-01', 10),
                 ('8', 'late', '2024-05-01', 10), ('9', 'late', '2024-05-21', 10),
                 ('10', 'own', '2024-05-01', 10), ('11', 'own', '2024-05-06', 10),
                 ('12', 'own', '2024-05-11', 10), ('13', 'own', '2024-06-20', 10),
                 ('14', 'growing', '2023-06-30', 100), ('15', 'growing', '2023-07-20', 60),
                 ('16', 'growing', '2023-09-20', 0), ('17', 'growing', '2023-12-20', 0),
                 ('18', 'growing', '2024-03-20', 0), ('19', 'growing', '2024-06-20', 50),
                 ('20', 'kept', '2023-06-30', 100), ('21', 'kept', '2023-07-20', 60),
                 ('22', 'kept', '2023-09-20', 0), ('23', 'kept', '2023-12-20', 0),
                 ('24', 'kept', '2024-03-20', 0), ('25', 'kept', '2024-06-20', 49),
                 ('26', 'twice', '2024-06-20', 10), ('27', 'twice', '2024-06-20', 10),
                 ('28', 'unlisted', '2024-06-30', 10)",
            ),
        ],
    );
    // 90 days since the first order are new and 91 not; 101 are lost and 100 not; 90 days since a silence of 101 are a
    // return and 91 days of silence late; 41 days are late, but 11 days not. own waited 5, 5 and 40 days. growing brought
    // 110 in the year after 100, kept 109.
    assert_eq!(
        lines(
            &project,
            "customer_key; orders; state; category",
            "FROM segment.lifecycle_states WHERE as_of = DATE '2024-07-01' ORDER BY customer_key"
        ),
        [
            "ageing 1 one-time 新",
            "back 2 won-back 新",
            "edge 1 one-time 新",
            "growing 6 expanding 成熟",
            "kept 6 retained 成熟",
            "late 2 at-risk 成熟",
            "lost 1 lost 流失",
            "new 1 new 新",
            "own 4 retained 成熟",
            "potential 0 potential 潜在",
            "twice 2 retained 成熟",
            "unlisted 1 new 新",
            "was back 2 at-risk 成熟",
        ]
    );
    // A month before the rhythm is the same: nobody was lost, and the 110 had no year before.
    assert_eq!(
        lines(
            &project,
            "customer_key; orders; state",
            "FROM segment.lifecycle_states WHERE as_of = DATE '2024-06-01' ORDER BY customer_key"
        ),
        [
            "ageing 1 new",
            "back 2 won-back",
            "edge 1 new",
            "growing 5 retained",
            "kept 5 retained",
            "late 2 retained",
            "lost 1 new",
            "new 1 new",
            "own 3 retained",
            "twice 0 potential",
            "was back 2 won-back",
        ]
    );
}

/// The last of one or three purchase days ten or a hundred days ago, 30 or 90 in all.
#[test]
fn the_eight_cells() {
    let project = stages(
        &["segment/segment/rfm_scores.sql"],
        &[(
            "core/purchase_days",
            "SELECT who AS customer_key, CAST($as_of - (ago + n - 1) AS DATE) AS bdate,
                      CAST(1 AS BIGINT) AS orders, CAST(net / days AS DECIMAL(18, 4)) AS net
                 FROM (SELECT who, ago, days, net, unnest(generate_series(1, days)) AS n
                 FROM (VALUES ('a', 10, 3, 90), ('b', 10, 3, 30), ('c', 10, 1, 90), ('d', 10, 1, 30),
                      ('e', 100, 3, 90), ('f', 100, 3, 30), ('g', 100, 1, 90),
                      ('h', 100, 1, 30)) AS t (who, ago, days, net)) AS each"
                .to_owned(),
        )],
    );
    // The means are 55 days, two days and 60.
    assert_eq!(
        lines(
            &project,
            "customer_key; recency_days; frequency; net; cell",
            "FROM segment.rfm_scores WHERE as_of = DATE '2024-07-01' ORDER BY customer_key"
        ),
        [
            "a 10 3 90.0000 重要价值",
            "b 10 3 30.0000 一般价值",
            "c 10 1 90.0000 重要发展",
            "d 10 1 30.0000 一般发展",
            "e 100 3 90.0000 重要保持",
            "f 100 3 30.0000 一般保持",
            "g 100 1 90.0000 重要挽留",
            "h 100 1 30.0000 一般挽留",
        ]
    );
}

/// Three customers who spend 0.10 on one day.
#[test]
fn who_all_spend_the_same_are_at_the_mean() {
    let project = stages(
        &["segment/segment/rfm_scores.sql"],
        &[(
            "core/purchase_days",
            "SELECT concat('c', n) AS customer_key, DATE '2024-05-01' AS bdate, CAST(1 AS BIGINT) AS orders,
                      CAST(0.1 AS DECIMAL(18, 4)) AS net
                 FROM (SELECT unnest(generate_series(1, 3)) AS n) AS numbers"
                .to_owned(),
        )],
    );
    assert_eq!(
        lines(&project, "as_of; customer_key; r; f; m; cell", "FROM segment.rfm_scores ORDER BY as_of, customer_key"),
        [
            "2024-06-01 c1 5 1 1 重要价值",
            "2024-06-01 c2 5 1 1 重要价值",
            "2024-06-01 c3 5 1 1 重要价值",
            "2024-07-01 c1 5 1 1 重要价值",
            "2024-07-01 c2 5 1 1 重要价值",
            "2024-07-01 c3 5 1 1 重要价值",
        ]
    );
}

/// 1.23 of 2.05 are 60 %, and of 4.10 they are 30 %.
#[test]
fn exactly_at_a_limit_is_not_beyond_it() {
    let project = stages(
        &["segment/segment/behaviour.sql", "price/price/discounts.sql", "core/core/valid_orders.sql"],
        &[
            (
                "core/orders",
                "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
                      CAST(discount AS DECIMAL(18, 4)) AS discount, 'web' AS channel, TRUE AS valid
                 FROM (VALUES ('1', 'ann', '2024-05-01', 1.23, 1), ('2', 'ann', '2024-05-02', 0.82, 0),
                      ('3', 'bob', '2024-05-01', 1.24, 1), ('4', 'bob', '2024-05-02', 0.82, 0),
                      ('5', 'cid', '2024-05-01', 2, 0), ('6', 'cid', '2024-05-02', 2.1, 0),
                      ('7', 'dan', '2024-05-01', 2, 0),
                      ('8', 'dan', '2024-05-02', 2.1, 0)) AS t (order_id, customer_key, bdate, net, discount)"
                    .to_owned(),
            ),
            refunds("('r1', '5', '2024-05-03', 1.23), ('r2', '7', '2024-05-03', 1.24)"),
            (
                "core/order_lines",
                "SELECT order_id, CAST(1 AS BIGINT) AS line_id, customer_key, 'cup' AS product_id, bdate,
                      CAST(1 AS BIGINT) AS quantity, net, discount, TRUE AS valid
                 FROM core.orders"
                    .to_owned(),
            ),
        ],
    );
    assert_eq!(
        lines(
            &project,
            "customer_key; round(discount_share, 4); round(refund_share, 4); bargain; returner",
            "FROM segment.behaviour ORDER BY customer_key"
        ),
        [
            "ann 0.6 0.0 false false",
            "bob 0.6019 0.0 true false",
            "cid 0.0 0.3 false false",
            "dan 0.0 0.3024 false true",
        ]
    );
    assert_eq!(
        lines(
            &project,
            "customer_key; round(discount_share, 4); bargain",
            "FROM price.discounts ORDER BY customer_key"
        ),
        ["ann 0.6 false", "bob 0.6019 true", "cid 0.0 false", "dan 0.0 false"]
    );
}

/// Twelve, six, three and four customers.
#[test]
fn groups_of_few_by_any_attribute() {
    let project = stages(
        &["segment/segment/attributes.sql", "segment/segment/tiers.sql"],
        &[
            (
                "core/customers",
                "SELECT concat(who, n) AS customer_key, segment, country, city
                 FROM (SELECT who, segment, country, city, unnest(generate_series(1, customers)) AS n
                 FROM (VALUES ('a', 12, 'trade', 'UK', NULL), ('b', 6, NULL, 'UK', NULL),
                      ('c', 3, 'odd', 'FR', 'Lyon'), ('d', 4, 'rare', NULL, NULL)) AS t (who, customers, segment,
                      country, city)) AS e"
                    .to_owned(),
            ),
            valid_orders(
                "('1', 'a1', '2024-06-30', 10), ('2', 'a1', '2023-07-01', 20), ('3', 'a9', '2023-06-30', 500),
                 ('4', 'a2', '2024-01-01', 30), ('5', 'a3', '2024-01-01', 30), ('6', 'a4', '2024-01-01', 30),
                 ('7', 'a5', '2024-01-01', 30), ('8', 'b1', '2024-01-01', 30), ('9', 'c1', '2024-01-01', 40),
                 ('10', 'd1', '2024-01-01', 10), ('11', 'd2', '2024-01-01', 10), ('12', 'd3', '2024-01-01', 10),
                 ('13', 'd4', '2024-01-01', 10), ('14', 'zed', '2024-01-01', 999)",
            ),
        ],
    );
    // Three and four are few together; the three of Lyon are told with the 22 of whom nobody knows the city. What the one active of no
    // segment brought is not told, nor the shares of 260 that would tell it.
    assert_eq!(
        lines(
            &project,
            "attribute; place; customers; active; net; round(net_share, 4)",
            "FROM segment.attributes ORDER BY attribute, place"
        ),
        [
            "city few 25 11 260.0000 1.0",
            "country UK 18 6 180.0000 0.6923",
            "country few 7 5 80.0000 0.3077",
            "segment few 7 5 80.0000 null",
            "segment trade 12 5 150.0000 null",
            "segment unknown 6 null null null",
        ]
    );
}

/// The last 90 days begin with 2 April, the 90 before with 3 January.
#[test]
fn habits_and_their_change_at_the_limits() {
    let project = stages(
        &["segment/segment/behaviour.sql", "core/core/valid_orders.sql"],
        &[
            (
                "core/orders",
                "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
                      channel, CAST(0 AS DECIMAL(18, 4)) AS discount, TRUE AS valid
                 FROM (VALUES ('1', 'more', '2024-04-01', 'web', 3.2), ('2', 'more', '2024-04-02', 'shop', 4.8),
                      ('3', 'less', '2024-01-03', NULL, 100), ('4', 'less', '2024-04-02', 'web', 50),
                      ('5', 'same', '2024-01-03', 'web', 100), ('6', 'same', '2024-04-02', 'web', 149),
                      ('7', 'old', '2024-01-02', 'web', 100), ('8', 'first', '2024-06-30', 'web', 1),
                      ('9', 'sat', '2024-06-01', 'web', 1), ('10', 'sat', '2024-06-02', 'web', 1),
                      ('11', 'sat', '2024-06-03', 'web', 1), ('12', 'half', '2024-06-01', 'web', 1),
                      ('13', 'half', '2024-06-03', 'web', 1), ('14', 'gone', '2023-06-30', 'web', 1),
                      ('15', NULL, '2024-06-03', 'web', 1)) AS t (order_id, customer_key, bdate, channel, net)"
                    .to_owned(),
            ),
            refunds("('r1', '7', '2024-01-05', 10)"),
        ],
    );
    // 4.80 are half as much again as 3.20, 50 half of 100, and 149 neither; one of two on a weekend is no more than half.
    // Of the old order ten were paid back in the 90 days.
    assert_eq!(
        lines(
            &project,
            "customer_key; channels; round(weekend_share, 4); weekend; multi_channel; net_90; net_90_before; change",
            "FROM segment.behaviour ORDER BY customer_key"
        ),
        [
            "first 1 1.0 false false 1.0000 0.0000 more",
            "half 1 0.5 false false 2.0000 0.0000 more",
            "less 1 0.0 false false 50.0000 100.0000 less",
            "more 2 0.0 false true 4.8000 3.2000 more",
            "old 1 0.0 false false 0.0000 0.0000 null",
            "same 1 0.0 false false 149.0000 100.0000 same",
            "sat 1 0.6667 true false 3.0000 0.0000 more",
        ]
    );
}
