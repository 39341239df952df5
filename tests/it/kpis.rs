//! The core contract, packs that a company has no data for, and KPI values that are kept, restated, watched and explained.

use serde_json::{Value, json};

use crate::project::Project;

const PIPELINE: &str = "\
interval: day
currency: £
sources:
  orders:
    path: exports://orders/{date}.csv
    key: order_id
    columns:
      order_id: {type: text, required: true}
      customer: {type: text, required: true}
      ordered_on: {type: date, required: true}
      net: {type: \"decimal(18,4)\", required: true, min: 0}
packs: [shop, crm/sales]
";

const ORDERS: &str = "\
/* matins
key: [order_id]
*/
SELECT order_id, customer AS customer_key, ordered_on AS bdate, net, TRUE AS valid
FROM raw.orders
";

const REVENUE: &str = "\
/* matins
description: One row per month, what was sold
formula: sum of net
key: [period]
*/
SELECT CAST(date_trunc('month', bdate) AS DATE) AS period, CAST(sum(net) AS DECIMAL(18, 4)) AS value, count(*) AS n,
       CAST(date_trunc('month', bdate) AS DATE) >= date_trunc('month', $as_of) AS provisional
FROM core.orders
GROUP BY 1, 4
";

const MARGIN: &str = "\
SELECT bdate AS period, CAST(sum(o.net - o.cost) AS DECIMAL(18, 4)) AS value, count(*) AS n
FROM core.orders AS o
GROUP BY bdate
";

const TICKETS: &str = "SELECT bdate AS period, count(*) AS value, count(*) AS n FROM core.tickets GROUP BY bdate\n";

const PACK: &str = "\
description: What was sold
kpis:
  - {name: revenue, unit: money, direction: up, alert: {change: -50%}}
  - {name: margin, unit: money, direction: up}
  - {name: tickets, unit: count, direction: down}
";

/// A company without costs and tickets, and a pack that would like both.
fn company() -> Project {
    Project::empty()
        .with(
            "matins.yaml",
            "lake: lake\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {exports: exports}\n",
        )
        .with("pipelines/shop.yaml", PIPELINE)
        .with("sql/shop/core/orders.sql", ORDERS)
        .with("sql/crm/sales/kpi/revenue.sql", REVENUE)
        .with("sql/crm/sales/kpi/margin.sql", MARGIN)
        .with("sql/crm/sales/kpi/tickets.sql", TICKETS)
        .with("sql/crm/sales/kpi/tickets_again.sql", "SELECT period FROM kpi.tickets\n")
        .with("sql/crm/sales/pack.yaml", PACK)
}

fn export(project: &Project, date: &str, lines: &[&str]) {
    let text = format!("order_id,customer,ordered_on,net\n{}\n", lines.join("\n"));
    project.write(&format!("exports/orders/{date}.csv"), text);
}

fn told(project: &Project, code: i32) -> Vec<String> {
    let said = project.matins(&["check", "--json"]).code(code).json();
    let found = said["diagnostics"].as_array().expect("a list").iter();
    let text = |d: &Value, key: &str| d[key].as_str().map_or_else(|| d[key].to_string(), str::to_owned);
    found
        .map(|d| {
            let at = format!("{}:{}:{}", text(d, "file"), text(d, "line"), text(d, "column"));
            format!("{} {} {at} {}", text(d, "level"), text(d, "code"), text(d, "message"))
        })
        .collect()
}

#[test]
fn what_a_company_has_no_data_for_is_left_out_by_name() {
    let project = company();
    assert_eq!(
        told(&project, 0),
        [
            "note left-out pipelines/shop.yaml:12:15 `kpi.margin` of pack `crm/sales` is left out for want of `core.orders.cost`; it costs the KPI margin",
            "note left-out pipelines/shop.yaml:12:15 `kpi.tickets`, `kpi.tickets_again` of pack `crm/sales` are left out for want of `core.tickets`; it costs the KPI tickets",
        ]
    );
    // A person is told in few lines, and in full when they ask.
    let short = project.matins(&["check"]).ok();
    short
        .says("note: shop has no data for 2 KPIs (`matins check -v shop` shows all tables)")
        .says("\n  crm/sales  without core.orders.cost: margin\n  crm/sales  without core.tickets: tickets\n")
        .says_not("kpi.tickets_again");
    project.matins(&["check", "-v"]).ok().says("note[left-out]: `kpi.tickets`, `kpi.tickets_again` of pack");
    assert!(project.matins(&["check", "-q"]).ok().err.is_empty());
    export(&project, "2024-01-01", &[]);
    let plan = project.matins(&["plan", "--as-of", "2024-02-01", "--json"]).ok().json();
    assert_eq!(
        plan["left_out"][0],
        json!({"table": "kpi.margin", "pack": "crm/sales", "lacks": ["core.orders.cost"], "kpis": ["margin"]})
    );
    // What is known to be unknown is there.
    project.edit("sql/shop/core/orders.sql", "net, TRUE", "net, CAST(NULL AS DECIMAL(18, 4)) AS cost, TRUE");
    assert_eq!(told(&project, 0).len(), 1);
    // What a pipeline asks for by name cannot be left out.
    project.edit("pipelines/shop.yaml", "packs:", "kpis: [revenue, tickets]\npacks:");
    let mistakes = told(&project, 2);
    assert_eq!(
        mistakes[0],
        "error left-out pipelines/shop.yaml:12:17 KPI `tickets` needs `kpi.tickets`, which is left out for want of `core.tickets`"
    );
}

#[test]
fn a_name_that_is_nowhere_in_the_contract_is_a_mistake() {
    let project = company();
    project.edit("sql/crm/sales/kpi/tickets.sql", "core.tickets", "core.tikets");
    let said = project.matins(&["check"]).code(2);
    said.says("pipeline `shop` has no table `core.tikets`").says("did you mean `core.tickets`?");
}

#[test]
fn a_companys_tables_are_held_to_the_contract() {
    let project = company();
    project.write(
        "sql/shop/core/orders.sql",
        "/* matins\nkey: [customer_key, order_id]\n*/\nSELECT order_id, customer AS customer_key, CAST(ordered_on AS TIMESTAMP) AS bdate, net,\n\
         1 AS valid, NULL AS channel\nFROM raw.orders\n",
    );
    let mistakes: Vec<String> = told(&project, 2).into_iter().filter(|m| m.starts_with("error core")).collect();
    assert_eq!(
        mistakes,
        [
            "error core-type sql/shop/core/orders.sql:4:77 `core.orders.bdate` must be DATE, not Timestamp(ns)",
            "error core-type sql/shop/core/orders.sql:5:21 `core.orders.channel` must be VARCHAR, not Null",
            "error core-type sql/shop/core/orders.sql:5:6 `core.orders.valid` must be BOOLEAN, not Int64",
            "error core-key sql/shop/core/orders.sql:2:6 the key of `core.orders` is order_id; its head says customer_key, order_id",
        ]
    );
    project.write("sql/shop/core/orders.sql", ORDERS.replace("AS customer_key", "AS custmer_key"));
    project
        .matins(&["check"])
        .code(2)
        .says("`core.orders` has no column `customer_key`")
        .says("did you mean `customer_key`, VARCHAR?");
}

#[test]
fn values_are_kept_and_a_later_change_of_a_closed_one_is_a_restatement() {
    let project = company();
    export(&project, "2024-01-31", &["1,ada,2024-01-05,60.00", "2,bo,2024-01-20,40.00"]);
    export(&project, "2024-02-29", &["3,ada,2024-02-11,30.00"]);
    let first = project.matins(&["run", "--as-of", "2024-03-01", "--json"]).ok().json();
    // February brought 30, January 100: a fall by more than half.
    assert_eq!(
        first["alerts"][0]["message"],
        "Revenue was £30.00 in Feb 2024, 70.0\u{202f}% below the £100.00 of Jan 2024"
    );
    // A late order of January, and one of the running month.
    export(&project, "2024-03-01", &["4,cy,2024-01-31,25.00", "5,cy,2024-03-01,7.00"]);
    let second = project.matins(&["run", "--as-of", "2024-03-02", "--json"]).ok().json();
    assert_eq!(second["alerts"][0]["since"], "2024-03-01", "it stands since then");
    export(&project, "2024-03-02", &["6,cy,2024-03-02,3.00"]);
    project.matins(&["run", "--as-of", "2024-03-03"]).ok();

    let all = project.query(
        "SELECT as_of, period, value, provisional FROM system.kpis WHERE kpi = 'revenue' ORDER BY as_of, period",
    );
    let all: Vec<String> = all
        .iter()
        .map(|r| format!("{} {} {} {}", r["as_of"], r["period"], r["value"], r["provisional"]).replace('"', ""))
        .collect();
    assert_eq!(
        all,
        [
            "2024-03-01 2024-01-01 100.0 false",
            "2024-03-01 2024-02-01 30.0 false",
            "2024-03-02 2024-01-01 125.0 false",
            "2024-03-02 2024-02-01 30.0 false",
            "2024-03-02 2024-03-01 7.0 true",
            "2024-03-03 2024-01-01 125.0 false",
            "2024-03-03 2024-02-01 30.0 false",
            "2024-03-03 2024-03-01 10.0 true",
        ]
    );
    // The running month changes every night, and that is no restatement.
    let restated = project.query("SELECT kpi, period, was, value, change, as_of FROM system.restatements");
    assert_eq!(
        restated,
        [
            json!({"kpi": "revenue", "period": "2024-01-01", "was": 100.0, "value": 125.0, "change": 25.0, "as_of": "2024-03-02"})
        ]
    );
    // A backfill of an earlier day is not a later word on it.
    project.matins(&["backfill", "--from", "2024-02-01", "--to", "2024-02-01"]).ok();
    assert_eq!(project.query("SELECT * FROM system.restatements").len(), 1);
    let alerts = project.query("SELECT what, since FROM system.alerts WHERE kpi = 'revenue'");
    assert_eq!(alerts[0], json!({"what": "fell", "since": "2024-03-01"}));

    let mut explained = project.matins(&["explain", "revenue", "--period", "2024-01-01"]).ok();
    for words in [
        "Revenue: £125.00, period from 2024-01-01 (n = 3)",
        "formula    sum of net",
        "restated   as of 2024-03-02: £100.00 in snapshot",
        "raw.orders",
        "orders/2024-03-02.csv",
        "sql/crm/sales/kpi/revenue.sql",
    ] {
        explained = explained.says(words);
    }
    let then = project
        .matins(&["explain", "revenue", "--period", "2024-01-01", "--as-of", "2024-03-01", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&then["values"][0]["value"], &then["sources"][0]["exports"].as_array().map(Vec::len)),
        (&json!(100.0), &Some(2))
    );
    project.matins(&["explain", "margin"]).code(2).says("the company has no core.orders.cost");
    project.matins(&["explain", "revenu"]).code(2).says("did you mean `revenue`?");
}

/// Pages say what the packs say; a pack that changes without them is found here.
#[test]
fn the_pages_of_this_repository_are_what_its_packs_say() {
    let root = env!("CARGO_MANIFEST_DIR");
    Project::empty().matins(&["-C", root, "docs", "--check"]).ok();
}

#[test]
fn pages_are_written_and_old_ones_go() {
    let project = company().with("docs/kpis/old.md", "once a KPI");
    project.matins(&["docs", "--check"]).code(2).says("docs/kpis/revenue.md is not what the packs say");
    project.matins(&["docs"]).ok().says("5 pages in docs: 5 written, 1 removed");
    project.matins(&["docs", "--check"]).ok();
    let page = project.read("docs/kpis/revenue.md");
    assert!(page.contains("| alert | when it is down by 50\u{a0}% or more, beyond what chance makes |"), "{page}");
    assert!(page.contains("## Formula\n\nsum of net\n") && page.contains("```sql\nSELECT CAST("), "{page}");
}
