//! The packs of `sql/crm` on companies of a few rows, whose figures can be told by hand or have been published.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::project::{Project, copy_folder};

const PIPELINE: &str = "\
interval: day
packs: [shop, crm/core, crm/referral, crm/roi, crm/basket]
kpis: [referral_rate, referred_share, invitations_per_customer, acquisition_cost, crm_roi, category_cross_sell]
";

/// The exports of nobody: every core table as values.
const TABLES: &[(&str, &str)] = &[
    (
        "orders",
        "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net,
                CAST(0 AS DECIMAL(18, 4)) AS cost, TRUE AS valid
         FROM (VALUES ('1', 'ann', '2024-01-05', 50), ('2', 'bob', '2024-01-20', 120), ('3', 'cid', '2024-02-02', 30),
                      ('4', 'ann', '2024-02-10', 40), ('5', 'dan', '2024-02-11', 10), ('6', 'eve', '2024-02-12', 6))
              AS t (order_id, customer_key, bdate, net)",
    ),
    (
        "order_lines",
        "SELECT order_id, line_id, customer_key, product_id, category, CAST(bdate AS DATE) AS bdate,
                CAST(1 AS BIGINT) AS quantity, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
         FROM (VALUES ('1', 1, 'ann', 'cup', 'kitchen', '2024-01-05', 50), ('2', 1, 'bob', 'cup', 'kitchen', '2024-01-20', 120),
                      ('3', 1, 'cid', 'rug', 'floor', '2024-02-02', 30), ('4', 1, 'ann', 'rug', 'floor', '2024-02-10', 40))
              AS t (order_id, line_id, customer_key, product_id, category, bdate, net)",
    ),
    (
        "refunds",
        "SELECT CAST(NULL AS VARCHAR) AS refund_id, CAST(NULL AS VARCHAR) AS order_id, CAST(NULL AS DATE) AS bdate,
                CAST(NULL AS DECIMAL(18, 4)) AS amount
         WHERE FALSE",
    ),
    (
        "customers",
        "SELECT customer_key, referred_by
         FROM (VALUES ('ann', NULL), ('bob', NULL), ('cid', 'ann'), ('dan', NULL), ('eve', 'bob')) AS t (customer_key, referred_by)",
    ),
    // ann's first invitation led to an order, her second to nobody; bob's is answered before it was made, by no order of his.
    (
        "referrals",
        "SELECT referral_id, referrer_key, referred_key, CAST(bdate AS DATE) AS bdate
         FROM (VALUES ('r1', 'ann', 'cid', '2024-01-15'), ('r2', 'ann', NULL, '2024-01-16'), ('r3', 'bob', 'dan', '2024-02-20'))
              AS t (referral_id, referrer_key, referred_key, bdate)",
    ),
    (
        "costs",
        "SELECT cost_id, CAST(bdate AS DATE) AS bdate, kind, campaign, CAST(amount AS DECIMAL(18, 4)) AS amount
         FROM (VALUES ('c1', '2024-01-01', 'acquisition', NULL, 40), ('c2', '2024-02-01', 'acquisition', NULL, 15),
                      ('c3', '2024-01-19', 'campaign', 'letters', 5), ('c4', '2024-02-09', 'campaign', 'cards', 10))
              AS t (cost_id, bdate, kind, campaign, amount)",
    ),
    // Letters reached bob, and nobody was held out. Cards reached ann and dan, and held out cid, who bought before, and eve.
    (
        "campaign_contacts",
        "SELECT campaign, customer_key, CAST(bdate AS DATE) AS bdate, control
         FROM (VALUES ('letters', 'bob', '2024-01-20', FALSE), ('cards', 'ann', '2024-02-10', FALSE),
                      ('cards', 'dan', '2024-02-10', FALSE), ('cards', 'cid', '2024-02-10', TRUE),
                      ('cards', 'eve', '2024-02-10', TRUE))
              AS t (campaign, customer_key, bdate, control)",
    ),
];

fn shop() -> Project {
    let project = company(PIPELINE, &["core", "referral", "roi", "basket"]);
    for (table, sql) in TABLES {
        project.write(&format!("sql/shop/core/{table}.sql"), sql);
    }
    project
}

/// A company with these packs of `sql/crm` and no tables yet.
pub fn company(pipeline: &str, packs: &[&str]) -> Project {
    let project = Project::empty()
        .with("matins.yaml", "lake: lake\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {}\n")
        .with("pipelines/shop.yaml", pipeline);
    let crm = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/crm");
    for pack in packs {
        copy_folder(&crm.join(pack), &project.path(&format!("sql/crm/{pack}")));
    }
    as_of_any_day(&project.path("sql"));
    project
}

/// Stages of closed months are made as of the run, so that figures can be told on any day: when a month is closed is another matter.
fn as_of_any_day(folder: &Path) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            as_of_any_day(&path);
        } else {
            let text = std::fs::read_to_string(&path).expect("a text");
            std::fs::write(&path, text.replace("\nclosed: month\n", "\n")).expect("written");
        }
    }
}

/// These columns of every row as one text.
pub fn lines(project: &Project, columns: &str, rest: &str) -> Vec<String> {
    let texts: Vec<String> = columns.split("; ").map(|c| format!("coalesce(CAST({c} AS VARCHAR), 'null')")).collect();
    let rows = project.query(&format!("SELECT concat_ws(' ', {}) AS line {rest}", texts.join(", ")));
    rows.iter().map(|row| row["line"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn referrals_campaigns_and_categories_of_a_company_that_has_them() {
    let project = shop();
    project.matins(&["run", "--as-of", "2024-04-01"]).ok();
    let figures = |table: &str| -> Vec<(String, f64, f64, f64)> {
        let sql = format!(
            "SELECT period, CAST(value AS DOUBLE) AS value, CAST(numerator AS DOUBLE) AS k, CAST(denominator AS DOUBLE) AS n
             FROM {table} WHERE value IS NOT NULL ORDER BY period"
        );
        let number = |row: &Value, name: &str| row[name].as_f64().expect("a number");
        let row = |row: &Value| {
            let period = row["period"].as_str().expect("a date").to_owned();
            (period, number(row, "value"), number(row, "k"), number(row, "n"))
        };
        project.query(&sql).iter().map(row).collect()
    };
    let of = |period: &str, value, k, n| (period.to_owned(), value, k, n);
    assert_eq!(figures("kpi.referral_rate"), [of("2024-01-01", 0.5, 1.0, 2.0), of("2024-02-01", 0.0, 0.0, 4.0)]);
    assert_eq!(
        figures("kpi.invitations_per_customer"),
        [of("2024-01-01", 0.5, 1.0, 2.0), of("2024-02-01", 0.0, 0.0, 4.0)]
    );
    assert_eq!(figures("kpi.referred_share"), [of("2024-01-01", 0.0, 0.0, 2.0), of("2024-02-01", 2.0 / 3.0, 2.0, 3.0)]);
    assert_eq!(figures("kpi.acquisition_cost"), [of("2024-01-01", 20.0, 40.0, 2.0), of("2024-02-01", 5.0, 15.0, 3.0)]);
    let categories = figures("kpi.category_cross_sell");
    assert_eq!(categories[0], of("2024-01-01", 0.0, 0.0, 2.0));
    assert_eq!(categories[1], of("2024-02-01", 1.0 / 3.0, 1.0, 3.0));
    // 120 from 5 are 2,300 %, put down to the campaign; 50 of two reached against 6 of two held out, for 10.
    let campaigns =
        project.query("SELECT campaign, method, roi, increment, provisional FROM roi.campaigns ORDER BY campaign");
    assert_eq!(campaigns[1]["method"], "attributed");
    assert_eq!(campaigns[1]["roi"], 23.0);
    assert_eq!(campaigns[0]["increment"], 44.0);
    assert_eq!(campaigns[0]["provisional"], false);
    assert_eq!(figures("kpi.crm_roi"), [of("2024-02-01", 3.4, 34.0, 10.0)]);
}

const PURCHASES: &str = "\
interval: day
packs: [shop, crm/core, crm/retention, crm/growth, crm/purchase, crm/segment, crm/churn]
";

/// ann waits 10 days, then 107; bob never comes back; cid comes twice more after 10 days each.
const ORDERS: &str = "
    SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
    FROM (VALUES ('1', 'ann', '2024-01-05', 10), ('2', 'ann', '2024-01-15', 20), ('3', 'bob', '2024-01-20', 30),
                 ('4', 'cid', '2024-02-01', 10), ('5', 'cid', '2024-02-11', 10), ('6', 'cid', '2024-02-21', 10),
                 ('7', 'ann', '2024-05-01', 60))
         AS t (order_id, customer_key, bdate, net)";

#[test]
fn who_stays_who_is_lost_and_who_comes_back() {
    let project = company(PURCHASES, &["core", "retention", "growth", "purchase", "segment", "churn"])
        .with("sql/shop/core/orders.sql", ORDERS)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    // The ninth decile of the gaps 10, 10, 10 and 107 is 77.9 days. ann's first silence and bob's pass it in April, cid's in May.
    let months = "month; lost_after; active_at_start; lost_at_start; arrived; newly_lost; returned; won_back";
    assert_eq!(
        lines(&project, months, "FROM churn.months ORDER BY month"),
        [
            "2024-01-01 77 0 0 2 0 0 0",
            "2024-02-01 77 2 0 1 0 0 0",
            "2024-03-01 77 3 0 0 0 0 0",
            "2024-04-01 77 3 0 0 2 0 0",
            "2024-05-01 77 1 2 0 1 1 1",
            "2024-06-01 77 1 2 0 0 0 0",
        ]
    );
    let figures = |table: &str, period: &str| {
        let value = "round(CAST(value AS DOUBLE), 6); numerator; denominator";
        lines(&project, value, &format!("FROM {table} WHERE period = DATE '{period}'")).remove(0)
    };
    assert_eq!(figures("kpi.churn", "2024-04-01"), "0.666667 2 3");
    assert_eq!(figures("kpi.churn_annualised", "2024-04-01"), "0.999998 null null");
    assert_eq!(figures("kpi.win_back", "2024-05-01"), "0.5 1 2");
    // In February only cid was there: two of January's did not come, one was new.
    assert_eq!(figures("kpi.quick_ratio", "2024-02-01"), "0.5 1 2");
    assert_eq!(figures("kpi.quick_ratio", "2024-04-01"), "null 0 0");
    assert_eq!(figures("kpi.revenue_quick_ratio", "2024-02-01"), "0.5 30.0000 60.0000");
    assert_eq!(figures("kpi.customer_growth", "2024-02-01"), "0.5 1 2");
    assert_eq!(figures("kpi.customer_retention_rate", "2024-02-01"), "0.0 0 2");
    assert_eq!(figures("kpi.retention", "2024-02-01"), "0.0 0 2");
    assert_eq!(figures("kpi.second_order_90", "2024-01-01"), "0.5 1 2");
    assert_eq!(figures("kpi.average_order_value", "2024-01-01"), "20.0 60.0000 3");
    assert_eq!(figures("kpi.orders_per_customer", "2024-01-01"), "1.5 3 2");
    assert_eq!(figures("kpi.revenue_per_customer", "2024-02-01"), "30.0 30.0000 1");
    assert_eq!(figures("kpi.repeat_rate_12", "2024-06-01"), "0.666667 2 3");
    // 90 days before April began the shop was not yet open.
    assert_eq!(figures("kpi.active_90", "2024-03-01"), "null null null");
    assert_eq!(figures("kpi.active_90", "2024-05-01"), "1.0 null null");
    // The four weeks up to February's end begin on its second day: of cid's three days in them none counts twice. Those up to
    // January's begin before the first order.
    assert_eq!(figures("kpi.active_28", "2024-01-01"), "null null null");
    assert_eq!(figures("kpi.active_28", "2024-02-01"), "1.0 null null");
    assert_eq!(figures("kpi.active_28", "2024-04-01"), "0.0 null null");
    assert_eq!(
        lines(
            &project,
            "day; customers; on_day; within; from_day",
            "FROM retention.n_day WHERE cohort = DATE '2024-01-01' AND day IN (7, 30, 90, 180) ORDER BY day"
        ),
        ["7 2 1 0 1", "30 2 0 1 1", "90 2 0 1 1", "180 0 null null null"]
    );
    assert_eq!(
        lines(&project, "gaps; mean; median; round(p90, 6); median_to_second", "FROM purchase.gaps"),
        ["4 34.25 10.0 77.9 10"]
    );
    // bob and cid are silent for 163 and 131 days, which is more than the 77 that mean loss; ann is there still.
    assert_eq!(
        lines(&project, "t; event; customers; lost_after", "FROM retention.lifetimes WHERE curve = 'loss' ORDER BY t"),
        ["0 1 1 77", "20 1 1 77", "178 0 1 77"]
    );
    // No two whole years yet.
    assert_eq!(figures("kpi.net_revenue_retention", "2024-06-01"), "null null null");
}

/// kim buys every fifth day, so that a silence of more than 30 days is loss. eve comes back and stays; fay comes back once; gil
/// comes back twice, 121 days apart.
const RETURNS: &str = "
    SELECT concat(customer_key, bdate) AS order_id, customer_key, bdate, CAST(10 AS DECIMAL(18, 4)) AS net, TRUE AS valid
    FROM (
        SELECT 'kim' AS customer_key, CAST(unnest(generate_series(DATE '2023-06-01', DATE '2024-03-22', INTERVAL '5 days')) AS DATE) AS bdate
        UNION ALL
        SELECT customer_key, CAST(bdate AS DATE) AS bdate
        FROM (VALUES ('eve', '2024-01-01'), ('eve', '2024-03-05'), ('eve', '2024-03-25'), ('fay', '2024-01-02'),
                     ('fay', '2024-03-10'), ('gil', '2024-01-03'), ('gil', '2024-02-20'), ('gil', '2024-06-20'))
             AS t (customer_key, bdate)
    ) AS days";

#[test]
fn who_was_won_back_and_stayed() {
    let project = company(PURCHASES, &["core", "retention", "growth", "purchase", "segment", "churn"])
        .with("sql/shop/core/orders.sql", RETURNS)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    // The 90 days after April are not over, nor those after June, when gil is back again.
    assert_eq!(
        lines(
            &project,
            "period; value; numerator; denominator; provisional",
            "FROM kpi.win_back_survival WHERE period >= DATE '2024-02-01' ORDER BY period"
        ),
        [
            "2024-02-01 0.0 0 1 false",
            "2024-03-01 0.5 1 2 false",
            "2024-04-01 null 0 0 true",
            "2024-05-01 null 0 0 true",
            "2024-06-01 null 0 1 true",
        ]
    );
}

/// A stage of `sql/crm`, what of it is broken and how, and the check that must notice.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    (
        "growth/growth/customers",
        "coalesce(a.new, 0) AS new",
        "coalesce(a.new, 0) + 1 AS new",
        "active = new + retained + resurrected",
    ),
    (
        "growth/growth/customers",
        "coalesce(l.churned, 0) END AS churned",
        "coalesce(l.churned, 0) + 1 END AS churned",
        "active before = retained + churned",
    ),
    // A column that is lost breaks an identity like one that is wrong.
    (
        "growth/growth/customers",
        "coalesce(l.churned, 0) END AS churned",
        "NULL END AS churned",
        "active before = retained + churned",
    ),
    (
        "growth/growth/revenue",
        "CAST(coalesce(a.new, 0) AS DECIMAL(18, 4)) AS new",
        "CAST(coalesce(a.new, 0) + 0.01 AS DECIMAL(18, 4)) AS new",
        "change = new + resurrected + expansion - contraction - churned",
    ),
    (
        "retention/retention/cohorts",
        "coalesce(r.customers, 0) AS customers,",
        "CASE WHEN c.month = c.cohort THEN c.cohort_size ELSE 0 END AS customers,",
        "the cells of each month add up to its active customers",
    ),
    (
        "churn/churn/months",
        "CAST(t.arrived AS BIGINT) AS arrived",
        "CAST(t.arrived + 1 AS BIGINT) AS arrived",
        "active at the next start = active at start - newly lost + arrived + returned",
    ),
    (
        "segment/segment/migration",
        "/ from_customers AS share",
        "/ (from_customers + 1) AS share",
        "the shares of each place add up to 1",
    ),
    ("service/service/backlog", "ELSE 5", "ELSE 6", "every open ticket has an age"),
];

#[test]
fn a_table_that_breaks_its_identity_is_not_published() {
    let packs = ["core", "retention", "growth", "purchase", "segment", "churn", "service"];
    let project = company(&PURCHASES.replace("crm/churn]", "crm/churn, crm/service]"), &packs)
        .with("sql/shop/core/orders.sql", ORDERS)
        .with(
            "sql/shop/core/customers.sql",
            // Five who never order, since no flow of fewer is told.
            "SELECT DISTINCT customer_key, DATE '2024-01-01' AS created_on FROM core.orders
             UNION ALL
             SELECT concat('silent', n) AS customer_key, DATE '2024-01-01' AS created_on
             FROM (SELECT unnest(generate_series(1, 5)) AS n) AS numbers",
        )
        .with("sql/shop/core/tickets.sql", TEN_TICKETS)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    for (stage, whole, broken, check) in BROKEN {
        let file = format!("sql/crm/{stage}.sql");
        let text = project.read(&file);
        project.edit(&file, whole, broken);
        project.matins(&["run", "--as-of", "2024-07-01"]).code(3).says(check);
        project.write(&file, text);
    }
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
}

#[test]
fn what_last_years_customers_still_bring() {
    // ann doubles, bob halves, cid is gone, dan is new.
    let orders =
        "SELECT order_id, customer_key, CAST(bdate AS DATE) AS bdate, CAST(net AS DECIMAL(18, 4)) AS net, TRUE AS valid
        FROM (VALUES ('1', 'ann', '2023-01-05', 100), ('2', 'bob', '2023-03-15', 100), ('3', 'cid', '2023-12-20', 100),
                     ('4', 'ann', '2024-02-01', 200), ('5', 'bob', '2024-12-11', 50), ('6', 'dan', '2024-06-21', 70))
             AS t (order_id, customer_key, bdate, net)";
    let project = company("interval: day\npacks: [shop, crm/core, crm/growth]\n", &["core", "growth"])
        .with("sql/shop/core/orders.sql", orders)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.matins(&["run", "--as-of", "2025-01-01"]).ok();
    assert_eq!(
        lines(&project, "month; base; kept; now; customers", "FROM growth.kept_revenue"),
        ["2024-12-01 300.0000 150.0000 250.0000 3"]
    );
    let value = |kpi: &str| {
        lines(&project, "round(value, 6)", &format!("FROM kpi.{kpi} WHERE period = DATE '2024-12-01'")).remove(0)
    };
    assert_eq!(value("gross_revenue_retention"), "0.5");
    assert_eq!(value("net_revenue_retention"), "0.833333");
    // Fourteen months later that month is what it was; nothing follows the 70 of dan and the 50 of bob in the year to February 2025.
    project.matins(&["run", "--as-of", "2026-03-01"]).ok();
    assert_eq!(value("gross_revenue_retention"), "0.5");
    assert_eq!(
        lines(
            &project,
            "month; base; kept; now; customers",
            "FROM growth.kept_revenue WHERE month IN (DATE '2024-12-01', DATE '2026-02-01') ORDER BY month"
        ),
        ["2024-12-01 300.0000 150.0000 250.0000 3", "2026-02-01 120.0000 0.0000 0.0000 2"]
    );
    assert!(project.query("SELECT * FROM system.restatements").is_empty());
}

/// Weeks in remission of two groups of leukaemia patients (Freireich et al. 1963, Gehan 1965): length, whether it ended, how many.
const REMISSIONS: &str = "
    SELECT curve, CAST(t AS BIGINT) AS t, CAST(event AS BIGINT) AS event, CAST(customers AS BIGINT) AS customers
    FROM (VALUES
        ('6-MP', 6, 1, 3), ('6-MP', 6, 0, 1), ('6-MP', 7, 1, 1), ('6-MP', 9, 0, 1), ('6-MP', 10, 1, 1), ('6-MP', 10, 0, 1),
        ('6-MP', 11, 0, 1), ('6-MP', 13, 1, 1), ('6-MP', 16, 1, 1), ('6-MP', 17, 0, 1), ('6-MP', 19, 0, 1), ('6-MP', 20, 0, 1),
        ('6-MP', 22, 1, 1), ('6-MP', 23, 1, 1), ('6-MP', 25, 0, 1), ('6-MP', 32, 0, 2), ('6-MP', 34, 0, 1), ('6-MP', 35, 0, 1),
        ('placebo', 1, 1, 2), ('placebo', 2, 1, 2), ('placebo', 3, 1, 1), ('placebo', 4, 1, 2), ('placebo', 5, 1, 2),
        ('placebo', 8, 1, 4), ('placebo', 11, 1, 2), ('placebo', 12, 1, 2), ('placebo', 15, 1, 1), ('placebo', 17, 1, 1),
        ('placebo', 22, 1, 1), ('placebo', 23, 1, 1)) AS t (curve, t, event, customers)";

#[test]
fn survival_is_that_of_the_published_trial() {
    let project = company("interval: day\npacks: [shop, crm/retention]\n", &[])
        .with("sql/shop/retention/lifetimes.sql", REMISSIONS)
        .with(
            "sql/crm/retention/retention/survival.sql",
            include_str!("../../sql/crm/retention/retention/survival.sql"),
        )
        .with("sql/crm/retention/retention/medians.sql", include_str!("../../sql/crm/retention/retention/medians.sql"));
    project.matins(&["run", "--as-of", "2024-07-01"]).ok();
    // Kalbfleisch & Prentice and R's survfit: survival and standard error.
    let published = [
        (6, 0.8571, 0.0764),
        (7, 0.8067, 0.0869),
        (10, 0.7529, 0.0963),
        (13, 0.6902, 0.1068),
        (16, 0.6275, 0.1141),
        (22, 0.5378, 0.1282),
        (23, 0.4482, 0.1346),
    ];
    let rows =
        project.query("SELECT t, survival, se, low, high FROM retention.survival WHERE curve = '6-MP' ORDER BY t");
    assert_eq!(rows.len(), published.len());
    for (row, (t, survival, se)) in rows.iter().zip(published) {
        assert_eq!(row["t"], t);
        near(&row["survival"], survival);
        near(&row["se"], se);
    }
    near(&rows[0]["low"], 0.6197);
    near(&rows[0]["high"], 0.9516);
    near(&rows[6]["low"], 0.1881);
    near(&rows[6]["high"], 0.6801);
    assert_eq!(
        lines(&project, "curve; customers; events; median", "FROM retention.medians ORDER BY curve"),
        ["6-MP 21 9 23", "placebo 21 21 8"]
    );
    // Nobody is left after the last of the placebo group.
    assert_eq!(
        lines(&project, "survival; se; low", "FROM retention.survival WHERE curve = 'placebo' AND t = 23"),
        ["0.0 null null"]
    );
}

/// Ten tickets in hours since 2024-03-01: opened, first answer, resolved, opened again, contacts, hours they may take.
const TEN_TICKETS: &str = "
    SELECT
        CAST(id AS VARCHAR) AS ticket_id, CAST(id AS VARCHAR) AS customer_key, 'any' AS topic,
        CAST(to_timestamp_seconds(1709251200 + 60 * opened) AS TIMESTAMP) AS opened_at,
        CAST(to_timestamp_seconds(1709251200 + 60 * first) AS TIMESTAMP) AS first_reply_at,
        CAST(to_timestamp_seconds(1709251200 + 60 * resolved) AS TIMESTAMP) AS resolved_at,
        CAST(to_timestamp_seconds(1709251200 + 60 * (opened + 60 * hours)) AS TIMESTAMP) AS due_at,
        CAST(CAST(to_timestamp_seconds(1709251200 + 60 * opened) AS TIMESTAMP) AS DATE) AS bdate,
        CAST(CAST(to_timestamp_seconds(1709251200 + 60 * resolved) AS TIMESTAMP) AS DATE) AS resolved_on,
        CAST(CAST(to_timestamp_seconds(1709251200 + 60 * (opened + 60 * hours)) AS TIMESTAMP) AS DATE) AS due_on,
        CAST(NULL AS BOOLEAN) AS sla_met,
        CAST(contacts AS BIGINT) AS contacts, reopens > 0 AS reopened, CAST(NULL AS TIMESTAMP) AS reopened_at
    FROM (VALUES
        (1, 0, 60, 240, 0, 1, 24), (2, 60, 90, 540, 0, 1, 24), (3, 120, 480, 2400, 1, 3, 24), (4, 180, 240, 300, 0, 1, 4),
        (5, 300, 360, NULL, 0, 2, 24), (6, 360, NULL, NULL, 0, 0, 24), (7, 480, 495, 600, 0, 1, 4),
        (8, 540, 720, 1980, 0, 2, 24), (9, 600, 630, 720, 2, 2, 24), (10, 720, 1200, 4320, 0, 1, 24))
        AS t (id, opened, first, resolved, reopens, contacts, hours)";

#[test]
fn ten_tickets_at_their_forty_eighth_hour() {
    let project = company("interval: day\npacks: [shop, crm/service]\n", &["service"])
        .with("sql/shop/core/tickets.sql", TEN_TICKETS);
    project.matins(&["run", "--as-of", "2024-03-03"]).ok();
    let times = "opened; answered; awaiting; round(first_reply_mean, 4); first_reply_median; round(first_reply_p90, 4);
                 resolved; round(resolution_mean, 4); resolution_median; round(resolution_p90, 4); open_at_end";
    // What happens in hour 72 is not known yet.
    assert_eq!(
        lines(&project, times.replace(";\n                 ", "; ").as_str(), "FROM service.times"),
        ["10 9 1 2.3611 1.0 6.4 7 11.4286 4.0 29.6 3"]
    );
    let share = |kpi: &str| lines(&project, "numerator; denominator", &format!("FROM kpi.{kpi}")).remove(0);
    assert_eq!(share("sla"), "6 10");
    assert_eq!(share("reopen_rate"), "2 7");
    assert_eq!(share("first_contact_resolution"), "4 7");
    assert_eq!(
        lines(&project, "age; tickets", "FROM service.backlog ORDER BY position"),
        ["0-1 0", "1-3 3", "3-7 0", "7-14 0", ">14 0"]
    );
    // After 2 hours three of ten are resolved, after 4 one of seven, after 8 one of six: with the three that wait, half need 8.
    assert_eq!(lines(&project, "value; n", "FROM kpi.resolution_time"), ["4.0 7"]);
    assert_eq!(lines(&project, "value; n", "FROM kpi.resolution_time_with_open"), ["8.0 10"]);
}

/// ann complains twice within a week about her first order and once more a fortnight later; bob in the month after his order.
const COMPLAINTS: &str = "
    SELECT ticket_id, customer_key, order_id, CAST(bdate AS DATE) AS bdate, CAST(CAST(bdate AS DATE) AS TIMESTAMP) AS opened_at,
           is_complaint
    FROM (VALUES ('t1', 'ann', '1', '2024-01-06', TRUE), ('t2', 'ann', '1', '2024-01-10', TRUE), ('t3', 'ann', '1', '2024-01-25', TRUE),
                 ('t4', 'bob', '3', '2024-01-22', FALSE), ('t5', 'bob', '3', '2024-02-02', TRUE))
         AS t (ticket_id, customer_key, order_id, bdate, is_complaint)";

#[test]
fn complaints_against_customers_and_against_orders() {
    let project = company("interval: day\npacks: [shop, crm/core, crm/service]\n", &["core", "service"])
        .with("sql/shop/core/orders.sql", ORDERS)
        .with("sql/shop/core/tickets.sql", COMPLAINTS)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.matins(&["run", "--as-of", "2024-04-01"]).ok();
    let figures = |kpi: &str| {
        lines(
            &project,
            "period; round(value, 4); numerator; denominator",
            &format!("FROM kpi.{kpi} WHERE period < DATE '2024-04-01' ORDER BY period"),
        )
    };
    // Two customers and three orders in January, one customer and three orders in February, nobody in March.
    assert_eq!(figures("complaint_rate"), ["2024-01-01 1000.0 2 2", "2024-02-01 1000.0 1 1", "2024-03-01 null 0 0"]);
    assert_eq!(
        figures("complaints_per_order"),
        ["2024-01-01 666.6667 2 3", "2024-02-01 333.3333 1 3", "2024-03-01 null 0 0"]
    );
}

/// In January: two of nobody known about one order, two of nobody known that name none, two of ann within a week that name none, and
/// one of nobody known about the order that bob complains of the next day.
const NAMELESS: &str = "
    SELECT ticket_id, customer_key, order_id, CAST(bdate AS DATE) AS bdate, CAST(CAST(bdate AS DATE) AS TIMESTAMP) AS opened_at,
           TRUE AS is_complaint
    FROM (VALUES ('t1', NULL, '1', '2024-01-06'), ('t2', NULL, '1', '2024-01-10'), ('t3', NULL, NULL, '2024-01-10'),
                 ('t4', NULL, NULL, '2024-01-11'), ('t5', 'ann', NULL, '2024-01-20'), ('t6', 'ann', NULL, '2024-01-22'),
                 ('t7', NULL, '3', '2024-01-24'), ('t8', 'bob', '3', '2024-01-25'))
         AS t (ticket_id, customer_key, order_id, bdate)";

#[test]
fn complaints_that_say_no_customer_or_no_order_are_not_one() {
    let project = company("interval: day\npacks: [shop, crm/core, crm/service]\n", &["core", "service"])
        .with("sql/shop/core/orders.sql", ORDERS)
        .with("sql/shop/core/tickets.sql", NAMELESS)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.matins(&["run", "--as-of", "2024-04-01"]).ok();
    let january = |kpi: &str| {
        let of = format!("FROM kpi.{kpi} WHERE period = DATE '2024-01-01'");
        lines(&project, "round(value, 4); numerator; denominator", &of).remove(0)
    };
    // One about each order, and the four that name none; two customers and three orders. Of ann and bob, ann complained twice.
    assert_eq!(january("complaint_rate"), "3000.0 6 2");
    assert_eq!(january("complaints_per_order"), "2000.0 6 3");
    assert_eq!(january("repeat_complaints"), "0.5 1 2");
}

/// The figures that were computed when the log was collected, at the last event of every incident.
#[test]
fn a_real_service_desk() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let log = root.join("../shared/data/itsm_incident_log/raw/incident_event_log.zip");
    let Ok(file) = std::fs::File::open(&log) else {
        eprintln!("skipped: {} is not there", log.display());
        return;
    };
    let project = Project::empty().variable("ITSM_EXPORTS", "exports");
    for folder in ["pipelines", "sql", "report-templates"] {
        copy_folder(&root.join(folder), &project.path(folder));
    }
    std::fs::copy(root.join("matins.yaml"), project.path("matins.yaml")).expect("copied");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut zip.by_index(0).expect("a file"), &mut text).expect("text");
    project.write("exports/incident_event_log.csv", text);
    project
        .matins(&["run", "itsm", "--as-of", "2017-03-01"])
        .ok()
        .says("141,712 read = 24,918 landed + 0 quarantined + 116,794 deduplicated");
    let ask = |sql: &str| project.matins(&["query", "--pipeline", "itsm", "--json", sql]).ok().json()[0].clone();
    let sla = ask(
        "SELECT sum(numerator) AS k, sum(denominator) AS n, CAST(sum(numerator) AS DOUBLE) / sum(denominator) AS share FROM kpi.sla",
    );
    assert_eq!(sla["n"], 24_918);
    near(&sla["share"], 0.6342);
    let tickets = ask(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY resolution_hours) AS median, avg(resolution_hours) AS mean,
                count(*) FILTER (WHERE resolution_hours IS NULL) AS untimed, count(age_hours) AS open, count(*) FILTER (WHERE reopened) AS reopened
         FROM service.tickets",
    );
    near(&tickets["median"], 22.1);
    assert_eq!(format!("{:.2}", tickets["mean"].as_f64().expect("a number")), "178.17");
    assert_eq!((&tickets["untimed"], &tickets["reopened"]), (&Value::from(1556), &Value::from(275)));
    // Closed without being resolved, so none of them waits.
    assert_eq!(tickets["open"], 0);
}

fn near(value: &Value, wanted: f64) {
    let value = value.as_f64().expect("a number");
    assert!((value - wanted).abs() < 1e-4, "{value} is not {wanted}");
}

const EXPORTED: &str = "\
interval: day
sources:
  orders:
    path: exports://{date}.csv
    key: order_id
    columns:
      order_id: {type: text, required: true}
      customer: {type: text, required: true}
      ordered_on: {type: date, required: true}
      net: {type: \"decimal(18,4)\", required: true}
packs: [shop, crm/core, crm/retention, crm/growth, crm/purchase, crm/segment, crm/churn, crm/satisfaction,
        crm/service, crm/clusters, crm/value, crm/channel, crm/basket, crm/price, crm/forecast, crm/quality]
params: {pseudonym_key: key}
";

/// Ordered at noon in Greenwich, on the day that it was then in the company's zone.
const DAYS_OF_ORDERS: &str = "
    SELECT order_id, customer, net, CAST(ordered_on AS TIMESTAMP) + INTERVAL '12 hours' AS ordered_at,
           CAST(to_local_time((CAST(ordered_on AS TIMESTAMP) + INTERVAL '12 hours') AT TIME ZONE 'UTC' AT TIME ZONE 'ZONE') AS DATE) AS ordered_on
    FROM raw.orders";

const FROM_EXPORTS: &str = "
    SELECT order_id, customer AS customer_key, ordered_on AS bdate, net, CAST(0.6 * net AS DECIMAL(18, 4)) AS cost,
           CAST(CAST(net AS BIGINT) % 4 AS DECIMAL(18, 4)) AS discount,
           CASE CAST(net AS BIGINT) % 3 WHEN 0 THEN 'web' WHEN 1 THEN 'shop' END AS channel, TRUE AS valid
    FROM shop.days";

/// Two lines an order, of six products and four.
const LINES_FROM_EXPORTS: &str = "
    SELECT order_id, CAST(line AS BIGINT) AS line_id, customer AS customer_key, concat('p', number % (8 - 2 * line)) AS product_id,
           concat('g', number % 3 * line) AS category, ordered_on AS bdate, number % 3 + 1 AS quantity,
           CAST(net / 2 AS DECIMAL(18, 4)) AS net, CAST(number % 2 AS DECIMAL(18, 4)) AS discount, TRUE AS valid
    FROM (SELECT *, CAST(net AS BIGINT) AS number FROM shop.days) AS o
    CROSS JOIN (VALUES (1), (2)) AS l (line)";

/// The register: who ordered, entered on the day of the first order, and those who never will.
const REGISTER: &str = "
    SELECT customer AS customer_key, customer AS name, min(ordered_on) AS created_on,
           CASE WHEN sum(net) < 350 THEN 'consumer' ELSE 'trade' END AS segment, 'Samoa' AS country, 'Apia' AS city
    FROM shop.days
    GROUP BY customer
    UNION ALL
    SELECT concat('silent', n) AS customer_key, 'silent' AS name, CAST($as_of - INTERVAL '200 days' AS DATE) AS created_on,
           'walk-in' AS segment, 'Samoa' AS country, 'Apia' AS city
    FROM (SELECT unnest(generate_series(1, SILENT)) AS n) AS numbers";

/// Each order led to a ticket that took as many hours as it cost, and to an answer; many answers have one moment.
const TICKETS_FROM_EXPORTS: &str = "
    SELECT order_id AS ticket_id, customer AS customer_key, order_id, CAST(ordered_at AS TIMESTAMP) AS opened_at,
           CAST(to_timestamp_seconds(opened + CAST(60 * net AS BIGINT)) AS TIMESTAMP) AS first_reply_at,
           CAST(to_timestamp_seconds(opened + CAST(3600 * net AS BIGINT)) AS TIMESTAMP) AS resolved_at,
           CAST(to_timestamp_seconds(opened + 172800) AS TIMESTAMP) AS due_at, ordered_on AS bdate,
           CAST(to_local_time(
               CAST(to_timestamp_seconds(opened + CAST(3600 * net AS BIGINT)) AS TIMESTAMP) AT TIME ZONE 'UTC' AT TIME ZONE 'ZONE'
           ) AS DATE) AS resolved_on,
           CAST(to_local_time(
               CAST(to_timestamp_seconds(opened + 172800) AS TIMESTAMP) AT TIME ZONE 'UTC' AT TIME ZONE 'ZONE'
           ) AS DATE) AS due_on,
           CAST(NULL AS BOOLEAN) AS sla_met, 'any' AS topic, CAST(net AS BIGINT) % 3 = 0 AS is_complaint,
           CAST(net AS BIGINT) % 2 + 1 AS contacts, CAST(net AS BIGINT) % 7 = 0 AS reopened,
           CAST(NULL AS TIMESTAMP) AS reopened_at
    FROM (SELECT *, CAST(date_part('epoch', ordered_at) AS BIGINT) AS opened FROM shop.days) AS o";

const ANSWERS_FROM_EXPORTS: &str = "
    SELECT order_id AS response_id, customer AS customer_key, CAST(date_trunc('month', ordered_on) AS TIMESTAMP) AS answered_at,
           ordered_on AS bdate, CASE WHEN CAST(net AS BIGINT) % 2 = 0 THEN 'relational' ELSE 'transactional' END AS survey,
           CAST(net AS BIGINT) % 11 AS nps, CAST(net AS BIGINT) % 5 + 1 AS csat, CAST(net AS BIGINT) % 7 + 1 AS ces,
           CASE WHEN net < 50 THEN 'delivery' ELSE 'service' END AS touchpoint
    FROM shop.days";

/// What a run of the packs is made from, and when.
#[derive(Clone)]
struct Case {
    /// The date of each export, and its rows.
    exports: Vec<(&'static str, Vec<String>)>,
    /// Customers of the register who never order.
    silent: u32,
    zone: &'static str,
    as_of: &'static str,
}

/// Every row of every table that the packs make, by table, sorted.
fn tables_of(case: &Case) -> BTreeMap<String, Vec<String>> {
    let packs = [
        "core",
        "retention",
        "growth",
        "purchase",
        "segment",
        "churn",
        "satisfaction",
        "service",
        "clusters",
        "value",
        "channel",
        "basket",
        "price",
        "forecast",
        "quality",
    ];
    let project = company(EXPORTED, &packs)
        .with("sql/shop/shop/days.sql", DAYS_OF_ORDERS.replace("ZONE'", &format!("{}'", case.zone)))
        .with("sql/shop/core/orders.sql", FROM_EXPORTS)
        .with("sql/shop/core/order_lines.sql", LINES_FROM_EXPORTS)
        .with("sql/shop/core/customers.sql", REGISTER.replace("SILENT", &case.silent.to_string()))
        .with("sql/shop/core/tickets.sql", TICKETS_FROM_EXPORTS.replace("ZONE'", &format!("{}'", case.zone)))
        .with("sql/shop/core/survey_responses.sql", ANSWERS_FROM_EXPORTS)
        .with("sql/shop/core/refunds.sql", TABLES.iter().find(|(name, _)| *name == "refunds").expect("refunds").1);
    project.edit("matins.yaml", "stores: {}", "stores: {exports: exports}");
    project.edit("matins.yaml", "time_zone: UTC", &format!("time_zone: {}", case.zone));
    for (date, rows) in &case.exports {
        project
            .write(&format!("exports/{date}.csv"), format!("order_id,customer,ordered_on,net\n{}\n", rows.join("\n")));
    }
    let ran = project.matins(&["run", "--as-of", case.as_of, "--json"]).ok().json();
    let names = ran["tables"].as_array().expect("tables").iter().map(|t| t["table"].as_str().unwrap_or_default());
    names
        .filter(|name| !name.starts_with("raw."))
        .map(|name| {
            let rows = project.query(&format!("SELECT * FROM {name}"));
            let mut rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
            rows.sort();
            (name.to_owned(), rows)
        })
        .collect()
}

/// The tables that are not the same in both.
fn changed(before: &BTreeMap<String, Vec<String>>, after: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    before.iter().filter(|(name, rows)| after[*name] != **rows).map(|(name, _)| name.clone()).collect()
}

/// Orders of customers of many rhythms over a year and a half, of whom two of five are gone after three days and one after four months;
/// well mixed and always the same. They are enough to fit purchase models to.
fn orders_from(year: i32) -> Vec<String> {
    let day = |n: u32| chrono::NaiveDate::from_ymd_opt(year, 1, 1).expect("a day") + chrono::Days::new(u64::from(n));
    (0..2400_u32)
        .map(|i| {
            let mixed = i.wrapping_mul(2_654_435_761) >> 7;
            let customer = (mixed >> 3) % if mixed % 3 == 0 { 60 } else { 701 };
            let span = match customer % 5 {
                0 | 1 => 3,
                2 => 120,
                _ => 540,
            };
            let pounds = 5 + customer % 40 + mixed % 50;
            format!("o{i},c{customer},{},{pounds}.{:02}", day((mixed >> 5) % span), i % 100)
        })
        .collect()
}

fn company_of_662() -> Case {
    Case { exports: vec![("2024-06-29", orders_from(2023))], silent: 0, zone: "UTC", as_of: "2024-07-01" }
}

#[test]
fn the_order_the_number_and_the_repetition_of_exports_change_no_figure() {
    let case = company_of_662();
    let once = tables_of(&case);
    assert!(once.values().map(Vec::len).sum::<usize>() > 500, "{once:?}");
    for table in [
        "kpi.nps",
        "kpi.effort",
        "kpi.csat_by_touchpoint",
        "kpi.repeat_complaints",
        "service.times",
        "basket.next_product",
        "channel.uplift",
        "price.elasticity",
        "forecast.revenue",
        "quality.tables",
        "clusters.summary",
        "value.at_risk",
    ] {
        assert!(!once[table].is_empty(), "{table} is made");
    }
    assert!(once["value.models"].iter().all(|row| row.contains("\"converged\":true")), "{:?}", once["value.models"]);
    let of = |exports| tables_of(&Case { exports, ..case.clone() });
    let orders = orders_from(2023);
    assert_eq!(once, of(vec![("2024-06-29", orders.iter().rev().cloned().collect())]));
    let (some, others) = orders.iter().cloned().partition(|row| row.len() % 2 == 0);
    assert_eq!(once, of(vec![("2024-06-28", some), ("2024-06-29", others)]));
    assert_eq!(once, of(vec![("2024-06-28", orders.clone()), ("2024-06-29", orders)]));
}

#[test]
fn customers_who_never_order_are_contacts_and_nothing_else() {
    let case = company_of_662();
    let (before, after) = (tables_of(&case), tables_of(&Case { silent: 40, ..case }));
    assert_eq!(
        changed(&before, &after),
        [
            "core.customers",
            "kpi.activation",
            "kpi.data_quality",
            "quality.dimensions",
            "segment.attributes",
            "segment.lifecycle",
            "segment.lifecycle_states",
            "segment.migration"
        ]
    );
    // Nobody who was there is another customer than before.
    for table in ["core.customers", "segment.lifecycle_states"] {
        assert!(before[table].iter().all(|row| after[table].contains(row)), "{table} kept its rows");
    }
}

/// Samoa lies on both sides of the date line: what is one day in Pago Pago is the next in Apia, at the same clock time.
#[test]
fn a_zone_a_whole_day_away_moves_dates_and_no_distance() {
    let east = Case { zone: "Pacific/Pago_Pago", ..company_of_662() };
    let west = Case { zone: "Pacific/Apia", as_of: "2024-07-02", ..east.clone() };
    let (before, after) = (tables_of(&east), tables_of(&west));
    let moved = changed(&before, &after);
    let equal: Vec<&String> = before.keys().filter(|name| !moved.contains(name)).collect();
    // What they are made of speaks of days between things, and of no month; there is no refund, and no second year.
    assert!(before["core.refunds"].is_empty() && before["growth.kept_revenue"].is_empty());
    assert_eq!(
        equal,
        [
            "basket.affinity",
            "basket.next_best",
            "basket.next_category",
            "basket.next_product",
            "basket.preference",
            "basket.returned_goods",
            "basket.returns",
            "channel.uplift",
            "clusters.customers",
            "clusters.summary",
            "core.refunds",
            "growth.kept_revenue",
            "growth.seasonality",
            "price.discounts",
            "purchase.gaps",
            "quality.dimensions",
            "quality.tables",
            "retention.lifetimes",
            "retention.medians",
            "retention.survival",
            "segment.attributes",
            "segment.lifecycle",
            "segment.margin_summary",
            "segment.migration",
            "segment.pareto_summary",
            "segment.rfm_summary",
            "segment.value_tree",
            "service.backlog",
            "value.assumptions",
            "value.backtest",
            "value.equity",
            "value.fit_quality",
            "value.fits",
            "value.loyalty",
            "value.matrix",
            "value.models",
        ]
    );
}

/// The calendar comes round after 28 years: weekdays, lengths of months and leap days are the same.
#[test]
fn twenty_eight_years_earlier_every_figure_is_the_same() {
    let case = company_of_662();
    let earlier = Case { exports: vec![("1996-06-29", orders_from(1995))], as_of: "1996-07-01", ..case.clone() };
    let later_years = |row: &String| {
        (1994..1998)
            .rev()
            .fold(row.clone(), |row, year| row.replace(&format!("\"{year}-"), &format!("\"{}-", year + 28)))
    };
    let moved: BTreeMap<String, Vec<String>> = tables_of(&earlier)
        .iter()
        .map(|(name, rows)| {
            let mut rows: Vec<String> = rows.iter().map(later_years).collect();
            rows.sort();
            (name.clone(), rows)
        })
        .collect();
    assert_eq!(changed(&tables_of(&case), &moved), [""; 0]);
}
