//! A real marketplace's exports, whose ids of buyers are one an order: the figures computed when the sample was collected.

use std::path::Path;

use serde_json::{Value, json};

use crate::project::{Project, copy_folder};

#[test]
fn people_behind_the_ids_of_orders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exports = root.join("../shared/data/olist_sample8k/raw");
    if !exports.join("olist_orders_dataset.csv").is_file() {
        println!(
            "people_behind_the_ids_of_orders: skipped, the marketplace's exports are not in {}",
            exports.display()
        );
        return;
    }
    let project = Project::empty().variable("OLIST_EXPORTS", &exports.to_string_lossy());
    for folder in ["pipelines", "sql", "report-templates"] {
        copy_folder(&root.join(folder), &project.path(folder));
    }
    std::fs::copy(root.join("matins.yaml"), project.path("matins.yaml")).expect("copied");
    // What the marketplace has no data for costs its KPIs by name, and nothing else.
    project
        .matins(&["check", "-v", "olist"])
        .ok()
        .says("`kpi.nps`, `kpi.nps_by_wave`, `kpi.nps_wave_change`, `satisfaction.nps_waves` of pack `crm/satisfaction` are left out for want of")
        .says("`core.survey_responses.nps`; it costs 3 KPIs (nps, nps_by_wave, nps_wave_change)")
        .says("for want of `core.tickets`");
    let night = project.matins(&["run", "olist", "--as-of", "2018-11-01", "--json"]).ok().json();
    let rows = |source: &str| night["sources"][source]["landed"].clone();
    assert_eq!(
        [rows("orders"), rows("customers"), rows("order_items"), rows("reviews"), rows("products"), rows("categories")],
        [8_135, 8_135, 8_365, 8_225, 5_460, 71].map(Value::from)
    );
    let ask = |sql: &str| project.matins(&["query", "--pipeline", "olist", "--json", sql]).ok().json()[0].clone();

    // 8,135 ids of buyers are 8,016 people, of whom 73 ordered again.
    assert_eq!(ask("SELECT count(*) AS people FROM core.customers"), json!({"people": 8_016}));
    let people = "SELECT count(*) AS again FROM (SELECT customer_key FROM core.orders GROUP BY customer_key HAVING count(*) > 1)";
    assert_eq!(ask(people), json!({"again": 73}));
    let empty = "SELECT count(*) AS empty FROM core.orders WHERE freight IS NULL";
    assert_eq!(ask(empty), json!({"empty": 775}));
    let whole = ask("SELECT count(*) AS people, count(*) FILTER (WHERE orders > 1) AS again FROM \
         (SELECT customer_key, count(*) AS orders FROM core.valid_orders GROUP BY customer_key)");
    let repeat = ask("SELECT numerator, denominator FROM kpi.repeat_rate ORDER BY period DESC LIMIT 1");
    assert_eq!((&repeat["numerator"], &repeat["denominator"]), (&whole["again"], &whole["people"]));

    // Late by the moment: 414 of 5,172 delivered, 8.00 %; eight of those and the six cancelled ones differ in having a date.
    let late = ask("SELECT count(*) FILTER (WHERE delivered_at > promised_at) AS late, count(*) AS delivered, \
         count(delivered_at) AS dated FROM core.orders WHERE status = 'completed'");
    assert_eq!(late, json!({"late": 414, "delivered": 5_172, "dated": 5_164}));
    let in_time = ask("SELECT sum(denominator) AS n, sum(denominator - numerator) AS late FROM kpi.on_time_delivery");
    let all = ask("SELECT count(*) AS n, count(*) FILTER (WHERE delivered_at > promised_at) AS late FROM core.orders \
         WHERE delivered_at IS NOT NULL");
    assert_eq!(in_time, all, "the months are the whole");
    assert_eq!(in_time["n"], 5_170);

    // Three stars and a quarter: this sample has every order that went wrong.
    let stars = ask("SELECT round(avg(CAST(csat AS DOUBLE)), 2) AS mean FROM core.survey_responses");
    assert_eq!(stars, json!({"mean": 3.27}));
    let parts = ask(
        "SELECT sum(k) AS k, sum(n) AS n FROM (SELECT numerator AS k, denominator AS n FROM kpi.csat_by_touchpoint)",
    );
    assert!(parts["n"].as_i64() > Some(8_000) && parts["n"].as_i64() <= Some(8_225), "{parts}");
    let content = |touchpoint: &str| {
        let sql = format!(
            "SELECT CAST(sum(numerator) AS DOUBLE) / sum(denominator) AS share FROM kpi.csat_by_touchpoint WHERE dimension = '{touchpoint}'"
        );
        ask(&sql)["share"].as_f64().expect("a share")
    };
    assert!(content("delivery") > 2.0 * content("waiting"), "who waits for an order is not content");
}
