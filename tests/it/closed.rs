//! Stages of closed months: one table all month, the same however the nights came, made again for no other reason than others are.

use serde_json::Value;

use crate::project::Project;

const PIPELINE: &str = "\
interval: day
sources:
  orders:
    path: exports://orders/{date}.csv
    columns:
      order_id: {type: text, required: true}
      ordered_on: date
      net: \"decimal(18,4)\"
  customers:
    path: exports://customers/{date}.csv
    mode: full
    columns: {customer_id: {type: text, required: true}}
packs: [shop]
";

/// Made every night from all that was ordered before.
const KNOWN: &str = "SELECT count(*) AS orders, sum(net) AS net FROM raw.orders WHERE ordered_on < $as_of";

const RATES: &str = "\
/* matins
closed: month
*/
SELECT orders, (SELECT count(*) FROM raw.customers) AS customers, CAST($as_of AS DATE) AS as_of, $prev_as_of AS before
FROM core.known
";

/// Every day from 2024-01-29 to 2024-02-05 one order, and a dump of as many customers as days.
fn project() -> Project {
    let project = Project::shop()
        .with("pipelines/shop.yaml", PIPELINE)
        .with("sql/shop/core/orders.sql", "SELECT order_id, ordered_on FROM raw.orders")
        .with("sql/shop/core/known.sql", KNOWN)
        .with("sql/shop/mart/days.sql", "SELECT orders * 2 AS twice FROM core.known")
        .with("sql/shop/mart/rates.sql", RATES);
    (29..=36).fold(project, with_day)
}

fn with_day(project: Project, day: u32) -> Project {
    let dumped: String = (0..day).map(|n| format!("c{n}\n")).collect();
    project
        .with(
            &format!("exports/orders/{}.csv", date(day)),
            format!("order_id,ordered_on,net\no{day},{},10.00\n", date(day)),
        )
        .with(&format!("exports/customers/{}.csv", date(day)), format!("customer_id\n{dumped}"))
}

/// So many days after 2023-12-31.
fn date(day: u32) -> String {
    let first = chrono::NaiveDate::from_ymd_opt(2023, 12, 31).expect("a date");
    (first + chrono::Days::new(day.into())).to_string()
}

fn rates(project: &Project) -> String {
    let row = project.query("SELECT orders, customers, as_of, before FROM mart.rates").remove(0);
    ["orders", "customers", "as_of", "before"].map(|name| row[name].to_string().replace('"', "")).join(" ")
}

fn made(night: &Value) -> Vec<&str> {
    let steps = night["steps"].as_array().expect("steps").iter().filter_map(|s| s["step"].as_str());
    steps.filter(|s| s.starts_with("make ") || s.contains("as of")).collect()
}

#[test]
fn a_month_that_is_closed_is_one_table_all_month_whichever_way_it_was_made() {
    let project = project();
    let nights = project.matins(&["backfill", "--from", &date(30), "--to", &date(35), "--json"]).ok().json();
    let nights = nights.as_array().expect("nights").clone();
    assert_eq!(nights.len(), 6);
    // 29, 30 and 31 January; the dump after them, as the first export after the month may bring its last days.
    assert_eq!(rates(&project), "3 32 2024-02-01 2024-01-01");
    let night = project.night(&date(37));
    assert!(!made(&night).iter().any(|step| step.contains("mart.rates") || step.contains("as of")), "{night}");
    assert_eq!(project.value("SELECT orders FROM core.known"), "8");
    assert_eq!(rates(&project), "3 32 2024-02-01 2024-01-01");

    // One run of that day, in an empty lake, must make what it stands on.
    std::fs::remove_dir_all(project.path("lake")).expect("anew");
    let planned = project.matins(&["plan", "--as-of", &date(37)]).ok();
    let planned = planned.says("core.known as of 2024-02-01").says("a stage of closed months is made from it");
    planned.says("raw.orders as of 2024-02-01").says_not("core.orders as of");
    let whole = project.night(&date(37));
    assert_eq!(whole["content"], night["content"]);
    // It is not published.
    assert_eq!(project.value("SELECT orders FROM core.known"), "8");
}

#[test]
fn a_closed_month_is_made_again_when_its_sql_or_an_export_of_it_changes() {
    let project = project();
    project.night(&date(34));
    project.matins(&["plan", "--as-of", &date(34)]).ok().says_not("core.known");
    project.edit("sql/shop/mart/rates.sql", "SELECT orders,", "SELECT orders, 1 AS one,");
    assert_eq!(made(&project.night(&date(34))), ["make mart.rates"], "what it stands on is there");
    // An order of January that comes in February is of the next month's close; one that is sent again with its export is of this.
    project.write(
        &format!("exports/orders/{}.csv", date(35)),
        format!("order_id,ordered_on,net\nlate,{},1.00\n", date(30)),
    );
    assert!(!made(&project.night(&date(36))).contains(&"make mart.rates"));
    project.write(
        &format!("exports/orders/{}.csv", date(30)),
        format!("order_id,ordered_on,net\na,{0},1.00\nb,{0},1.00\n", date(30)),
    );
    let again = project.night(&date(36));
    assert!(
        made(&again).contains(&"make core.known as of 2024-02-01") && made(&again).contains(&"make mart.rates"),
        "{again}"
    );
    assert_eq!(rates(&project), "4 32 2024-02-01 2024-01-01");
}

#[test]
fn the_last_dump_of_a_month_stays_though_its_store_drops_old_ones_and_gc_has_run() {
    let project = project();
    for day in 30..=36 {
        if day > 30 {
            // A store that keeps the last dumps.
            project.remove(&format!("exports/customers/{}.csv", date(day - 2)));
        }
        project.night(&date(day));
    }
    for _ in 0..2 {
        project.matins(&["gc", "--keep", "1", "--wait-hours", "0"]).ok();
    }
    assert_eq!(rates(&project), "3 32 2024-02-01 2024-01-01");
    project.edit("sql/shop/mart/rates.sql", "SELECT orders,", "SELECT orders, 1 AS one,");
    project.night(&date(36));
    assert_eq!(rates(&project), "3 32 2024-02-01 2024-01-01");
    // A lake that never saw it takes the first that is left.
    std::fs::remove_dir_all(project.path("lake")).expect("anew");
    project.night(&date(37));
    assert_eq!(rates(&project), "3 35 2024-02-01 2024-01-01");
}

#[test]
fn what_has_vanished_is_known_from_the_newest_snapshot_though_readers_are_held_at_an_older_one() {
    let project = project();
    let first = project.night(&date(31))["snapshot"].to_string();
    project.night(&date(32));
    project.matins(&["rollback", &first]).ok();
    for day in 33..=36 {
        project.night(&date(day));
        project.remove(&format!("exports/customers/{}.csv", date(day - 2)));
        project.remove(&format!("exports/orders/{}.csv", date(day - 2)));
    }
    project.night(&date(37));
    project.matins(&["rollback", "--release"]).ok();
    assert_eq!(rates(&project), "3 32 2024-02-01 2024-01-01");
    assert_eq!(project.value("SELECT orders FROM core.known"), "8");
}

#[test]
fn a_backfill_side_by_side_reuses_as_much_as_one_interval_after_another() {
    let project = project();
    // What is wanted of an interval itself, made or there.
    let all = |more: &[&str]| -> Vec<u64> {
        let args = ["backfill", "--from", &date(33), "--to", &date(36), "--json"];
        let nights = project.matins(&[&args[..], more].concat()).ok().json();
        let wanted = |night: &Value| {
            let of_month = format!("land customers customers/{}.csv", date(32));
            let ran = night["steps"].as_array().expect("steps").iter().filter_map(|s| s["step"].as_str());
            let ran = ran.filter(|s| !s.starts_with("check ") && !s.contains(" as of ") && *s != of_month).count();
            night["steps_reused"].as_u64().expect("a count") + ran as u64
        };
        nights.as_array().expect("nights").iter().map(wanted).collect()
    };
    let beside = all(&["--parallel", "3"]);
    std::fs::remove_dir_all(project.path("lake")).expect("anew");
    assert_eq!(beside, all(&[]));
}

#[test]
fn what_a_closed_month_stood_on_is_collected_and_keeps_no_gc_from_its_work() {
    let project = project();
    // In mid-month, so that it makes what no snapshot names.
    let night = project.night(&date(34));
    assert!(made(&night).contains(&"make core.known as of 2024-02-01"), "{night}");
    let gc = || project.matins(&["gc", "--keep", "400", "--wait-hours", "0"]).ok();
    gc().says("listed");
    project.night(&date(35));
    gc().says("deleted");
    assert!(!made(&project.night(&date(36))).iter().any(|step| step.contains("as of")));
    // What is needed again calls it off.
    project.edit("sql/shop/mart/rates.sql", "SELECT orders,", "SELECT orders, 1 AS one,");
    assert!(made(&project.night(&date(36))).contains(&"make core.known as of 2024-02-01"));
    gc().says("listed");
    project.edit("sql/shop/mart/rates.sql", "1 AS one", "2 AS one");
    let night = project.night(&date(36));
    assert!(!made(&night).iter().any(|step| step.contains("as of")), "{night}");
    gc().says_not("deleted");
    assert_eq!(rates(&project), "3 32 2024-02-01 2024-01-01");
}

#[test]
fn a_month_waits_for_its_last_exports_and_before_the_first_there_is_nothing() {
    let project = project();
    project.edit("pipelines/shop.yaml", "interval: day", "interval: day\nclose_after: 2d");
    project.night(&date(33));
    assert_eq!(rates(&project), "0 29 2024-01-01 2023-12-01", "the first dump there is, and no orders yet");
    project.write(
        &format!("exports/orders/{}.csv", date(33)),
        format!("order_id,ordered_on,net\nlate,{},1.00\nnew,{},1.00\n", date(31), date(33)),
    );
    project.night(&date(34));
    assert_eq!(rates(&project), "4 33 2024-02-01 2024-01-01");
    project.edit("pipelines/shop.yaml", "close_after: 2d", "close_after: soon");
    project.matins(&["check"]).code(2).says("`close_after`");
    project.edit("pipelines/shop.yaml", "close_after: soon\n", "");
    project.edit("sql/shop/mart/rates.sql", "closed: month", "closed: year");
    project.matins(&["check"]).code(2).says("`closed`").says("month");
}
