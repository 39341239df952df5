//! What `crm/segment` and the tables like it tell of groups, and that nobody can be singled out in them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::crm::{company, lines};
use crate::project::Project;

/// A table of customers with a place at each of two moments: `(before, now, how many)`.
fn moves(column: &str, flows: &[(&str, &str, u32)]) -> String {
    let rows: Vec<String> = flows.iter().map(|(before, now, n)| format!("('{before}', '{now}', {n})")).collect();
    let each = format!(
        "(SELECT before, now, unnest(generate_series(1, customers)) AS n
          FROM (VALUES {}) AS t (before, now, customers)) AS each",
        rows.join(", ")
    );
    format!(
        "SELECT $prev_as_of AS as_of, concat(before, now, n) AS customer_key, before AS {column} FROM {each}
         UNION ALL
         SELECT $as_of AS as_of, concat(before, now, n) AS customer_key, now AS {column} FROM {each}"
    )
}

/// Only these stages of `sql/crm`, with the parameters of their packs, made once; what they read is given.
pub fn stages(files: &[&str], given: &[(&str, String)]) -> Project {
    let project = unmade(files, given);
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    project
}

/// The same, before anything is made.
pub fn unmade(files: &[&str], given: &[(&str, String)]) -> Project {
    let crm = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/crm");
    let packs: BTreeSet<&str> = files.iter().map(|file| file.split_once('/').expect("a pack").0).collect();
    let names: Vec<String> = packs.iter().map(|pack| format!("crm/{pack}")).collect();
    let project = company(&format!("interval: day\npacks: [shop, {}]\n", names.join(", ")), &[]);
    for pack in packs {
        let said = std::fs::read_to_string(crm.join(pack).join("pack.yaml")).expect("a pack's words");
        let (words, _) = said.split_once("kpis:").unwrap_or((&said, ""));
        project.write(&format!("sql/crm/{pack}/pack.yaml"), words);
    }
    for file in files {
        // As of any day: when a month is closed is another matter.
        let stage = std::fs::read_to_string(crm.join(file)).expect("a stage").replace("\nclosed: month\n", "\n");
        project.write(&format!("sql/crm/{file}"), stage);
    }
    for (table, sql) in given {
        project.write(&format!("sql/shop/{table}.sql"), sql);
    }
    project
}

#[test]
fn a_flow_of_few_customers_is_not_told_and_cannot_be_reckoned() {
    let project = stages(
        &["segment/segment/migration.sql"],
        &[
            (
                "segment/rfm_scores",
                moves(
                    "segment",
                    &[
                        ("A", "A", 10),
                        ("A", "B", 7),
                        ("A", "C", 2),
                        ("A", "D", 1),
                        ("B", "B", 6),
                        ("B", "A", 3),
                        ("B", "C", 3),
                        ("C", "A", 3),
                    ],
                ),
            ),
            ("segment/tiers", moves("tier", &[("gold", "gold", 4)])),
            ("segment/lifecycle_states", moves("state", &[("new", "new", 40), ("new", "lost", 5)])),
        ],
    );
    // Of A, three went to C and D, so those seven who went to B are with them; the three of C are with the twelve of B, and of
    // these fifteen, three went to C and six to A. Four customers of gold are not told at all.
    assert_eq!(
        lines(
            &project,
            "scheme; place_before; place_now; customers; from_customers; notable",
            "FROM segment.migration ORDER BY scheme, place_before, place_now"
        ),
        [
            "lifecycle new lost 5 45 true",
            "lifecycle new new 40 45 false",
            "rfm A A 10 20 false",
            "rfm A few 10 20 false",
            "rfm few B 6 15 false",
            "rfm few few 9 15 false",
        ]
    );
}

/// Customers of a group at `$as_of`, each worth so much.
fn groups(columns: &str, sizes: &[(&str, u32, u32)]) -> String {
    let rows: Vec<String> = sizes.iter().map(|(group, n, net)| format!("('{group}', {n}, {net})")).collect();
    format!(
        "SELECT {columns}
         FROM (SELECT grp, net, unnest(generate_series(1, customers)) AS n
               FROM (VALUES {}) AS t (grp, customers, net)) AS each",
        rows.join(", ")
    )
}

#[test]
fn a_group_of_few_customers_is_told_with_the_next() {
    let tiers = "$as_of AS as_of, grp AS tier, CAST(net AS DECIMAL(18, 4)) AS net,
                 row_number() OVER (ORDER BY net DESC, n) AS place";
    let states =
        "CASE WHEN n % 2 = 0 THEN $as_of ELSE $prev_as_of END AS as_of, grp AS state, 'p' AS phase, 'c' AS category";
    let project = stages(
        &["segment/segment/rfm_summary.sql", "segment/segment/pareto_summary.sql", "segment/segment/lifecycle.sql"],
        &[
            (
                "segment/rfm",
                groups(
                    "grp AS segment, CAST(net AS DECIMAL(18, 4)) AS net, CAST(n AS BIGINT) AS recency_days",
                    &[("Champions", 8, 10), ("Loyal", 2, 5), ("Lost", 4, 1)],
                ),
            ),
            ("segment/tiers", groups(tiers, &[("platinum", 1, 100), ("gold", 7, 20), ("iron", 20, 1)])),
            ("segment/lifecycle_states", groups(states, &[("new", 3, 1), ("retained", 30, 1), ("lost", 12, 1)])),
        ],
    );
    // Two and four are six; the one of platinum is with the seven of gold.
    assert_eq!(
        lines(&project, "segment; customers; net", "FROM segment.rfm_summary ORDER BY segment"),
        ["Champions 8 80.0000", "few 6 14.0000"]
    );
    assert_eq!(
        lines(&project, "tier; customers; net; round(net_share, 4)", "FROM segment.pareto_summary ORDER BY tier"),
        ["few 8 240.0000 0.9231", "iron 20 20.0000 0.0769"]
    );
    // One new customer now and two a month ago; with the six and six of lost they are seven and eight.
    assert_eq!(
        lines(&project, "state; phase; customers; customers_before", "FROM segment.lifecycle ORDER BY state"),
        ["few null 7 8", "retained p 15 15"]
    );
}

#[test]
fn what_few_customers_said_or_bought_through_a_channel_is_not_told() {
    let orders = "
        SELECT concat(channel, n) AS order_id, concat(channel, n) AS customer_key, channel, DATE '2024-06-10' AS bdate,
               DATE '2024-06-01' AS month, CAST(10 AS DECIMAL(18, 4)) AS net
        FROM (SELECT channel, unnest(generate_series(1, customers)) AS n
              FROM (VALUES ('web', 20), ('shop', 6), ('phone', 1)) AS t (channel, customers)) AS each";
    let answers = "
        SELECT concat(touchpoint, n) AS response_id, concat(touchpoint, n) AS customer_key, touchpoint, DATE '2024-06-10' AS bdate,
               CAST('2024-06-10' AS TIMESTAMP) AS answered_at, 'transactional' AS survey, CAST(5 AS BIGINT) AS csat
        FROM (SELECT touchpoint, unnest(generate_series(1, customers)) AS n
              FROM (VALUES ('delivery', 5), ('service', 4)) AS t (touchpoint, customers)) AS each";
    let project = stages(
        &[
            "channel/channel/mix.sql",
            "channel/channel/uplift.sql",
            "channel/kpi/channel_share.sql",
            "satisfaction/kpi/csat_by_touchpoint.sql",
        ],
        &[
            (
                "core/orders",
                format!("SELECT order_id, customer_key, channel, bdate, net, TRUE AS valid FROM ({orders}) AS o"),
            ),
            ("core/valid_orders", format!("SELECT order_id, customer_key, bdate, month, net FROM ({orders}) AS o")),
            ("core/months", "SELECT DATE '2024-06-01' AS month, FALSE AS provisional".to_owned()),
            ("core/survey_responses", answers.to_owned()),
        ],
    );
    assert_eq!(
        lines(&project, "dimension; numerator; denominator; n", "FROM kpi.channel_share ORDER BY dimension"),
        ["few 70.0000 270.0000 27", "web 200.0000 270.0000 27"]
    );
    assert_eq!(
        lines(&project, "dimension; value; numerator; n; low", "FROM kpi.csat_by_touchpoint ORDER BY dimension"),
        ["delivery 1.0 5 5 0.5655175352168252", "service null null 4 null"]
    );
}

/// Three customers, who are first in one branch of the value tree each: ann brings most, bob came first, cid buys again.
#[test]
fn the_weights_of_the_value_tree_are_the_companys() {
    let orders = "
        SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net
        FROM (VALUES ('1', 'ann', '2024-03-01', 300), ('2', 'bob', '2023-01-01', 100), ('3', 'bob', '2024-02-01', 100),
                     ('4', 'cid', '2024-01-01', 100), ('5', 'cid', '2024-02-01', 100))
             AS t (order_id, customer_key, bdate, net)";
    let products = "
        SELECT order_id, customer_key, bdate, CASE WHEN customer_key = 'cid' THEN 'cup' ELSE order_id END AS product_id,
               TRUE AS valid
        FROM core.valid_orders";
    let project = stages(
        &["segment/segment/value_tree.sql"],
        &[("core/valid_orders", orders.to_owned()), ("core/order_lines", products.to_owned())],
    );
    let scores = || {
        lines(&project, "customer_key; round(score, 4); value_class", "FROM segment.value_tree ORDER BY customer_key")
    };
    let weigh = |weights: [&str; 3]| {
        let [net, tenure, repurchase] = weights;
        let params =
            format!("value_net_weight: {net}, value_tenure_weight: {tenure}, value_repurchase_weight: {repurchase}");
        project
            .write("pipelines/shop.yaml", format!("interval: day\npacks: [shop, crm/segment]\nparams: {{{params}}}\n"));
        project.matins(&["run", "--as-of", "2024-07-01"])
    };
    // Net 300, 100, 200; tenure least, most, middle; only cid bought a product twice. Percent ranks are 0, 0.5 and 1, and 0 for both
    // who bought nothing again.
    weigh(["0.5", "0.2", "0.3"]).ok();
    assert_eq!(scores(), ["ann 0.5 middle", "bob 0.2 low", "cid 0.65 high"]);
    weigh(["0", "1", "0"]).ok();
    assert_eq!(scores(), ["ann 0.0 low", "bob 1.0 high", "cid 0.5 middle"]);
    weigh(["0.5", "0.2", "0.2"]).code(3).says("the weights of the value tree add up to 1");
}

/// Orders of the spring, what was taken off each, and what was paid back of it.
const HABITS: &str = "
    SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
           CAST(discount AS DECIMAL(18, 4)) AS discount, CAST(paid_back AS DECIMAL(18, 4)) AS paid_back
    FROM (VALUES ('1', 'ann', '2024-05-01', 100, 0, 0), ('2', 'ann', '2024-06-03', 100, 10, 100),
                 ('3', 'bob', '2024-05-02', 40, 0, 40), ('4', 'bob', '2024-05-06', 60, 0, 60),
                 ('5', 'cid', '2024-05-03', 100, 10, 90), ('6', 'cid', '2024-06-04', 50, 0, 0),
                 ('7', 'dan', '2024-05-07', 70, 5, 0), ('8', 'dan', '2024-06-05', 30, 0, 0),
                 ('9', 'eve', '2024-06-06', 20, 0, 20))
         AS t (order_id, customer_key, bdate, net, discount, paid_back)";

#[test]
fn who_sends_everything_back_is_a_returner_and_no_bargain_hunter() {
    let project = stages(
        &["core/core/valid_orders.sql", "segment/segment/behaviour.sql", "segment/segment/corporate.sql"],
        &[
            (
                "core/orders",
                format!(
                    "SELECT order_id, customer_key, bdate, net, discount, 'web' AS channel, TRUE AS valid FROM ({HABITS}) AS h"
                ),
            ),
            (
                "core/refunds",
                format!(
                    "SELECT order_id AS refund_id, order_id, bdate, paid_back AS amount FROM ({HABITS}) AS h WHERE paid_back > 0"
                ),
            ),
            (
                "core/customers",
                "SELECT customer_key, industry, company_size
                 FROM (VALUES ('ann', 'farming', NULL), ('bob', NULL, 'small'), ('cid', NULL, NULL))
                      AS t (customer_key, industry, company_size)"
                    .to_owned(),
            ),
        ],
    );
    // ann sent back half, bob all of two orders, cid 90 of 150, so that 10 of the 60 that are left are discounted; eve all of one order.
    assert_eq!(
        lines(
            &project,
            "customer_key; orders; ordered_times; net; round(discount_share, 4); round(refund_share, 4); bargain; returner",
            "FROM segment.behaviour ORDER BY customer_key"
        ),
        [
            "ann 1 2 100.0000 0.0 0.5 false true",
            "bob 0 2 0.0000 null 1.0 false true",
            "cid 2 2 60.0000 0.1667 0.6 false true",
            "dan 2 2 100.0000 0.7 0.0 true false",
            "eve 0 1 0.0000 null 1.0 false false",
        ]
    );
    assert_eq!(
        lines(&project, "customer_key; corporate", "FROM segment.corporate ORDER BY customer_key"),
        ["ann true", "bob true", "cid false"]
    );
}

/// ann bought a cup, and sent a second one and a rug back; bob bought two cups and a pan; cid a cup and a rug. What was taken off the
/// line is last.
const CUPS: &str = "
    SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, product_id, category, CAST(net AS DECIMAL(18, 4)) AS net,
           CAST(discount AS DECIMAL(18, 4)) AS discount
    FROM (VALUES ('1', 'ann', '2024-05-01', 'cup', 'kitchen', 100, 0), ('2', 'ann', '2024-06-01', 'cup', 'kitchen', 100, 9),
                 ('3', 'ann', '2024-06-10', 'rug', 'floor', 50, 0), ('4', 'bob', '2024-05-02', 'cup', 'kitchen', 100, 0),
                 ('5', 'bob', '2024-06-02', 'cup', 'kitchen', 100, 9), ('6', 'bob', '2024-06-05', 'pan', 'kitchen', 40, 0),
                 ('7', 'cid', '2024-05-03', 'cup', 'kitchen', 70, 9), ('8', 'cid', '2024-06-03', 'rug', 'floor', 30, 0))
         AS t (order_id, customer_key, bdate, product_id, category, net, discount)";

#[test]
fn what_was_refunded_in_full_was_not_bought() {
    let project = stages(
        &[
            "core/core/valid_orders.sql",
            "core/core/customer_months.sql",
            "core/core/months.sql",
            "segment/segment/value_tree.sql",
            "basket/basket/preference.sql",
            "basket/kpi/category_cross_sell.sql",
            "price/price/discounts.sql",
        ],
        &[
            ("core/orders", format!("SELECT order_id, customer_key, bdate, net, TRUE AS valid FROM ({CUPS}) AS c")),
            (
                "core/refunds",
                format!(
                    "SELECT order_id AS refund_id, order_id, bdate, net AS amount FROM ({CUPS}) AS c WHERE order_id IN ('2', '3')"
                ),
            ),
            (
                "core/order_lines",
                format!(
                    "SELECT order_id, CAST(1 AS BIGINT) AS line_id, customer_key, product_id, category, bdate,
                            CAST(1 AS BIGINT) AS quantity, net, discount, TRUE AS valid
                     FROM ({CUPS}) AS c"
                ),
            ),
        ],
    );
    // Of bob's two products one was bought again; ann's second cup was not kept.
    assert_eq!(
        lines(&project, "customer_key; repurchase_share", "FROM segment.value_tree ORDER BY customer_key"),
        ["ann 0.0", "bob 0.5", "cid 0.0"]
    );
    assert_eq!(
        lines(
            &project,
            "customer_key; category; share; categories; orders; preference; single_category",
            "FROM basket.preference ORDER BY customer_key"
        ),
        ["ann kitchen 1.0 1 1 none false", "bob kitchen 1.0 1 3 kitchen true", "cid kitchen 0.7 2 2 none false"]
    );
    assert_eq!(
        lines(&project, "period; numerator; denominator", "FROM kpi.category_cross_sell ORDER BY period"),
        ["2024-05-01 0 3", "2024-06-01 1 3"]
    );
    // 100 of bob's 240 and 70 of cid's 100 stand on lines with a discount; of ann's 100 nothing does.
    assert_eq!(
        lines(
            &project,
            "customer_key; orders; net; round(discount_share, 4); bargain",
            "FROM price.discounts ORDER BY customer_key"
        ),
        ["ann 1 100.0000 0.0 false", "bob 3 240.0000 0.4167 false", "cid 2 100.0000 0.7 true"]
    );
}

/// Ten customers: days since the last order, days with a purchase, and what they spent on each.
const TEN: &[(&str, u32, u32, u32)] = &[
    ("a", 1, 1, 10),
    ("b", 20, 1, 90),
    ("c", 30, 2, 20),
    ("d", 40, 2, 30),
    ("e", 50, 3, 40),
    ("f", 60, 3, 50),
    ("g", 70, 4, 60),
    ("h", 80, 5, 70),
    ("i", 90, 6, 80),
    ("j", 100, 7, 90),
];

#[test]
fn the_r_package_passes_a_cut_at_the_cut_and_one_and_never_meets_the_new() {
    // One purchase a day, the last one so many days before the moment.
    let days: Vec<String> =
        TEN.iter().map(|(who, ago, days, net)| format!("('{who}', {ago}, {days}, {net})")).collect();
    let days = format!(
        "SELECT who AS customer_key, CAST($as_of - (ago + n - 1) AS DATE) AS bdate,
                CAST(1 AS BIGINT) AS orders, CAST(net AS DECIMAL(18, 4)) AS net
         FROM (SELECT who, ago, net, unnest(generate_series(1, days)) AS n FROM (VALUES {}) AS t (who, ago, days, net)) AS each",
        days.join(", ")
    );
    let project = stages(&["segment/segment/rfm_scores.sql"], &[("core/purchase_days", days)]);
    let scores = || {
        let of = "FROM segment.rfm_scores WHERE as_of = DATE '2024-07-01' ORDER BY customer_key";
        lines(&project, "customer_key; r; f; m; segment", of)
    };
    // Type-7 quintiles of 1, 1, 2, 2, 3, 3, 4, 5, 6, 7 are 1.8, 2.6, 3.4 and 5.2; of the recencies 28, 46, 64 and 82; of what was
    // spent (10, 90, 40, 60, 120, 150, 240, 350, 480, 630) 56, 108, 186 and 376.
    assert_eq!(
        scores(),
        [
            "a 5 1 1 New",
            "b 5 1 2 Potential loyalist",
            "c 4 2 1 Potential loyalist",
            "d 4 2 2 Potential loyalist",
            "e 3 3 3 Loyal",
            "f 3 3 3 Loyal",
            "g 2 4 4 Loyal",
            "h 2 4 4 Loyal",
            "i 1 5 5 Can't lose",
            "j 1 5 5 Can't lose",
        ]
    );
    project.edit("pipelines/shop.yaml", "packs:", "params: {rfm_compat: true}\npacks:");
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    assert_eq!(
        scores(),
        [
            "a 5 1 1 Potential loyalist",
            "b 5 1 2 Potential loyalist",
            "c 4 1 1 Potential loyalist",
            "d 4 1 2 Potential loyalist",
            "e 3 2 3 Potential loyalist",
            "f 3 2 3 Potential loyalist",
            "g 2 3 4 Loyal",
            "h 2 4 4 Loyal",
            "i 1 4 5 At risk",
            "j 1 5 5 At risk",
        ]
    );
}

/// Many customers alike: their industry, size and region.
const FIRMS: &str = "
    SELECT concat(who, n) AS customer_key, industry, company_size, region
    FROM (SELECT who, industry, company_size, region, unnest(generate_series(1, customers)) AS n
          FROM (VALUES ('a', 12, 'retail', 'large', 'north'), ('b', 8, 'retail', 'small', 'north'),
                       ('c', 6, 'steel', 'small', 'south'), ('d', 3, 'farming', 'small', 'east'), ('e', 2, 'steel', NULL, NULL),
                       ('f', 50, NULL, NULL, 'west'))
               AS t (who, customers, industry, company_size, region)) AS each";

#[test]
fn customers_by_region_industry_and_size() {
    let orders = "
        SELECT concat('o', customer_key) AS order_id, customer_key, DATE '2024-03-01' AS bdate, CAST(10 AS DECIMAL(18, 4)) AS net
        FROM core.customers
        WHERE left(customer_key, 1) <> 'f' OR length(customer_key) = 2";
    let project = stages(
        &["segment/segment/regions.sql", "segment/segment/firms.sql", "segment/segment/tiers.sql"],
        &[("core/customers", FIRMS.to_owned()), ("core/valid_orders", orders.to_owned())],
    );
    // All bought but of f, of whom nine did. The three of the east are with the two of whom nobody knows.
    assert_eq!(
        lines(&project, "region; customers; active; net; round(net_share, 4)", "FROM segment.regions ORDER BY region"),
        ["few 5 5 50.0000 0.125", "north 20 20 200.0000 0.5", "south 6 6 60.0000 0.15", "west 50 9 90.0000 0.225"]
    );
    // The three farms are with the eight of steel, the two of unknown size with the twelve large ones; f are no firms.
    assert_eq!(
        lines(
            &project,
            "cut; place; customers; active; net; round(net_share, 4)",
            "FROM segment.firms ORDER BY cut, place"
        ),
        [
            "industry few 11 11 110.0000 0.3548",
            "industry retail 20 20 200.0000 0.6452",
            "size few 14 14 140.0000 0.4516",
            "size small 17 17 170.0000 0.5484",
        ]
    );
}
