//! The packs of `sql/crm` that neither example has data for, on a company of a few rows whose figures can be told by hand.

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
    let project = Project::empty()
        .with("matins.yaml", "lake: lake\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {}\n")
        .with("pipelines/shop.yaml", PIPELINE);
    let crm = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/crm");
    for pack in ["core", "referral", "roi", "basket"] {
        copy_folder(&crm.join(pack), &project.path(&format!("sql/crm/{pack}")));
    }
    for (table, sql) in TABLES {
        project.write(&format!("sql/shop/core/{table}.sql"), sql);
    }
    project
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
