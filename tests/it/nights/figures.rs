//! A real year in one run: the published figures, then the same night again, then one new export.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::ground::{Ground, RETAIL, drop_names, drops};

#[test]
fn a_year_in_one_run_gives_the_published_figures() {
    let Some(folder) = drops("a_year_in_one_run_gives_the_published_figures") else { return };
    let ground = Ground::of_drops(&folder);
    let run = ["run", RETAIL, "--as-of", "2011-12-10", "--json"];
    let night = ground.run("lake", &run).done().json();
    assert_eq!(night["published"], true);
    assert_eq!(night["rows"], json!({ "read": 541_909, "landed": 541_909, "quarantined": 0, "deduplicated": 0 }));

    let one = |sql: &str| ground.one("lake", RETAIL, sql);
    let all = one("SELECT count(*) AS lines, count(*) FILTER (WHERE customer_id IS NULL) AS unknown, \
             count(DISTINCT customer_id) AS customers, count(*) FILTER (WHERE quantity < 0) AS negative, \
             CAST(sum(quantity * unit_price) AS DECIMAL(18, 2)) AS signed, \
             CAST(sum(quantity * unit_price) FILTER (WHERE customer_id IS NOT NULL) AS DECIMAL(18, 2)) AS of_known \
             FROM raw.invoice_lines");
    assert_eq!(
        all,
        json!({ "lines": 541_909, "unknown": 135_080, "customers": 4_372, "negative": 10_624, "signed": "9747747.93", "of_known": "8300065.81" }),
        "the lines as they landed"
    );
    let kept = one("WITH firsts AS (SELECT customer_id, min(date_trunc('month', invoice_date)) AS cohort \
             FROM raw.invoice_lines WHERE customer_id IS NOT NULL GROUP BY customer_id) \
             SELECT count(DISTINCT f.customer_id) AS size, count(DISTINCT CASE WHEN date_trunc('month', l.invoice_date) = \
             TIMESTAMP '2011-01-01' THEN f.customer_id END) AS back FROM firsts AS f \
             INNER JOIN raw.invoice_lines AS l ON l.customer_id = f.customer_id WHERE f.cohort = TIMESTAMP '2010-12-01'");
    assert_eq!(kept, json!({ "size": 948, "back": 362 }), "the first cohort with its cancellations: 38.2 %");
    let valid = one("SELECT count(*) AS lines, count(DISTINCT customer_key) AS customers, \
             count(DISTINCT order_id) AS orders, sum(net) AS revenue FROM core.order_lines WHERE valid");
    assert_eq!(
        valid,
        json!({ "lines": 397_884, "customers": 4_338, "orders": 18_532, "revenue": "8911407.9040" }),
        "the valid lines"
    );
    let kpi = one("SELECT sum(value) AS revenue FROM kpi.net_revenue");
    assert_eq!(kpi["revenue"], valid["revenue"], "the KPI's months are the whole");
    let repeat = one("SELECT value, numerator, denominator FROM kpi.repeat_rate WHERE period = DATE '2011-12-01'");
    assert_eq!(percent(&repeat["value"], 2), "65.58");
    assert_eq!((&repeat["numerator"], &repeat["denominator"]), (&json!(2_845), &json!(4_338)));
    let cohort = one("SELECT cohort_size, customers, retention FROM retention.cohorts \
         WHERE cohort = DATE '2010-12-01' AND month_index = 1");
    assert_eq!(cohort["cohort_size"], 885);
    assert_eq!(percent(&cohort["retention"], 1), "36.6");

    for (table, month) in [
        ("kpi.net_revenue", "period"),
        ("kpi.repeat_rate", "period"),
        ("kpi.active_customers", "period"),
        ("growth.customers", "month"),
    ] {
        let found = one(&format!("SELECT min({month}) AS first, max({month}) AS last FROM {table} WHERE provisional"));
        assert_eq!(found, json!({ "first": "2011-12-01", "last": "2011-12-01" }), "only December 2011 of {table}");
    }

    let again = ground.run("lake", &run).done();
    println!("the same night again: {} ms", again.took.as_millis());
    let again = again.json();
    assert_eq!((&again["published"], &again["steps_run"]), (&json!(false), &json!(0)));
    assert_eq!((&again["snapshot"], &again["content"]), (&night["snapshot"], &night["content"]));
    assert_eq!(ground.publications("lake", RETAIL).len(), 1);
    let said = ground.run("lake", &["run", RETAIL, "--as-of", "2011-12-10"]).done().out;
    assert!(said.contains("nothing to do"), "{said}");
    let said = ground.run("lake", &["plan", RETAIL, "--as-of", "2011-12-10"]).done().out;
    assert!(said.contains("nothing to do"), "{said}");
}

#[test]
fn one_new_export_is_the_only_one_landed() {
    let Some(folder) = drops("one_new_export_is_the_only_one_landed") else { return };
    let names = drop_names(&folder);
    let (newest, before) = (&names[names.len() - 1], names[names.len() - 2].trim_end_matches(".csv"));
    assert_eq!(newest, "2011-12-09.csv");
    let ground = Ground::of_drops_until(&folder, before);
    let cold = ground.run("lake", &["run", RETAIL, "--as-of", "2011-12-09", "--json"]).done();
    fs::copy(folder.join(newest), ground.drops().join(newest)).expect("the new drop");

    let plan = ground.run("lake", &["plan", RETAIL, "--as-of", "2011-12-10", "--json"]).done().json();
    let night = ground.run("lake", &["run", RETAIL, "--as-of", "2011-12-10", "--json"]).done();
    println!("cold {} ms, one new export {} ms", cold.took.as_millis(), night.took.as_millis());
    let records = ground.run("lake", &["runs", "--pipeline", RETAIL, "--json", "--limit", "1"]).done().json();
    let record = &records[0]["finished"];
    assert_eq!(record["status"], "published");
    assert_eq!(record["snapshot"], night.json()["snapshot"]);

    let (planned, ran) = (steps(&plan["steps"]), steps(&record["steps"]));
    assert_eq!(planned, ran, "what was planned is what ran, for the same reasons");
    let landed: Vec<_> = planned.iter().filter(|(step, _)| step.starts_with("land ")).collect();
    assert_eq!(landed, [&("land invoice_lines 2011-12-09.csv".to_owned(), "new export".to_owned())]);
    let lines: Vec<_> = planned.iter().filter(|(step, _)| step.starts_with("make core.order_lines")).collect();
    assert_eq!(lines.len(), 1, "only the month of the new export: {lines:?}");
    assert_eq!(lines[0].0, "make core.order_lines 2011-12");
    // A stage without periods looks at all history again, and says what made it.
    let whole: Vec<_> =
        planned.iter().filter(|(step, _)| step.starts_with("make ") && step.split(' ').count() == 2).collect();
    assert!(!whole.is_empty());
    for (step, why) in &whole {
        println!("{step}: {why}");
        assert!(why.contains(" changed") || why.contains("$as_of was 2011-12-09, is 2011-12-10"), "{step}: {why}");
    }

    let fresh = ground.run("fresh", &["run", RETAIL, "--as-of", "2011-12-10", "--json"]).done().json();
    assert_eq!(fresh["content"], night.json()["content"], "it does not matter what was there before");
}

fn steps(list: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    list.as_array().expect("steps").iter().map(|s| (text(&s["step"]), text(&s["why"]))).collect()
}

fn percent(share: &Value, digits: usize) -> String {
    format!("{:.digits$}", share.as_f64().expect("a share") * 100.0)
}
