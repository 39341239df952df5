//! The exports are read again, by their own rules, and must tell what the truth says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use chrono_tz::Europe::London;
use serde_json::Value;

use super::{SampleFile, Spec, exports};

type Row = BTreeMap<String, String>;

/// What a reader of one source finds.
#[derive(Default)]
struct Found {
    rows: u64,
    quarantined: u64,
    /// By key, the row that counts.
    landed: BTreeMap<String, Row>,
}

fn spec() -> Spec {
    Spec::of(2000, NaiveDate::from_ymd_opt(2025, 1, 1).expect("a date"))
}

#[test]
fn the_same_specification_gives_the_same_bytes() {
    let mut hasher = blake3::Hasher::new();
    for file in exports(spec()) {
        hasher.update(file.path.as_bytes());
        hasher.update(&file.bytes);
    }
    // A change here changes what everybody's sample run shows: make it on purpose.
    assert_eq!(hasher.finalize().to_hex().as_str(), "7a64f6dbe43b68a1956968f326c4e7a47e2809fb2babb54a6a7fb1e324f92c23");
    assert!(exports(spec()).eq(exports(spec())));
    assert!(exports(Spec { seed: 1, ..spec() }).ne(exports(spec())));
}

#[test]
fn the_truth_equals_a_recount_of_the_bytes() {
    let mut files: Vec<SampleFile> = exports(spec()).collect();
    let truth: Value = serde_json::from_slice(&files.pop().expect("the truth").bytes).expect("JSON");
    assert_eq!(truth["files"], files.len());

    let last_dump = files.iter().rfind(|file| file.path.starts_with("crm/")).expect("a dump").path.clone();
    files.retain(|file| !file.path.starts_with("crm/") || file.path == last_dump);
    let customers =
        read(&files, "crm/customers", &["customer_id"], |row| date(&row["created_at"], "%d/%m/%Y").is_some());
    let orders = read(&files, "erp/orders", &["order_id"], |row| {
        row["gross"].parse::<f64>().is_ok() && instant(&row["ordered_at"]).is_some()
    });
    let lines = read(&files, "erp/order_lines", &["order_id", "line_no"], |row| {
        row.get("qty").or(row.get("quantity")).expect("a quantity").parse::<u32>().is_ok()
            && row["net"].parse::<f64>().is_ok()
    });
    let refunds = read(&files, "erp/refunds", &["refund_id"], |row| {
        row["amount"].replace(',', ".").parse::<f64>().is_ok() && date(&row["refunded_on"], "%d.%m.%Y").is_some()
    });
    let tickets = read(&files, "service/tickets", &["ticket_id"], |row| {
        NaiveDateTime::parse_from_str(&row["opened_at"], "%d/%m/%Y %H:%M:%S").is_ok()
    });
    let survey =
        read(&files, "voice/survey", &["response_id"], |row| row["nps"] == "-" || row["nps"].parse::<u32>().is_ok());

    let found = [
        ("customers", &customers),
        ("orders", &orders),
        ("order_lines", &lines),
        ("refunds", &refunds),
        ("tickets", &tickets),
        ("survey", &survey),
    ];
    for (source, found) in found {
        let told = &truth["sources"][source];
        let landed = found.landed.len() as u64;
        assert_eq!(told["rows"], found.rows, "rows of {source}");
        assert_eq!(told["quarantined"], found.quarantined, "quarantined of {source}");
        assert_eq!(told["landed"], landed, "landed of {source}");
        assert_eq!(told["deduplicated"], found.rows - found.quarantined - landed, "deduplicated of {source}");
        assert!(found.quarantined > 0 && found.quarantined * 100 < found.rows, "{source} stays below 1 %");
    }
    let scores = survey.landed.values().filter(|row| row["nps"] == "11").count();
    assert_eq!(truth["out_of_range_scores"], scores);
    let hostile =
        customers.landed.values().filter(|row| row["name"].contains("()") || row["name"].contains("<script>"));
    assert_eq!(truth["hostile_names"], hostile.count());

    recount_business(&truth, &customers, &orders, &refunds);
}

fn recount_business(truth: &Value, customers: &Found, orders: &Found, refunds: &Found) {
    let unknown = orders.landed.values().filter(|row| !customers.landed.contains_key(&row["customer_id"])).count();
    assert_eq!(truth["unknown_customer_orders"], unknown);
    let sold: BTreeMap<&String, &Row> = orders
        .landed
        .iter()
        .filter(|(_, row)| matches!(row["status"].as_str(), "paid" | "shipped" | "completed"))
        .filter(|(_, row)| customers.landed.contains_key(&row["customer_id"]))
        .collect();
    let mut refunded: BTreeMap<&str, i64> = BTreeMap::new();
    let mut net_by_month: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    for row in refunds.landed.values() {
        let amount = pence(&row["amount"]);
        *refunded.entry(&row["order_id"]).or_default() += amount;
        let day = date(&row["refunded_on"], "%d.%m.%Y").expect("a date");
        *net_by_month.entry(day.with_day(1).expect("a first")).or_default() -= amount;
    }
    let mut active: BTreeMap<NaiveDate, BTreeSet<&str>> = BTreeMap::new();
    let mut orders_of: BTreeMap<&str, u32> = BTreeMap::new();
    for (id, row) in &sold {
        let net = pence(&row["gross"]) - pence(&row["discount"]);
        let local = instant(&row["ordered_at"]).expect("a time").and_utc().with_timezone(&London).date_naive();
        let month = local.with_day(1).expect("a first");
        *net_by_month.entry(month).or_default() += net;
        if refunded.get(id.as_str()).is_none_or(|amount| *amount < net) {
            active.entry(month).or_default().insert(&row["customer_id"]);
            *orders_of.entry(&row["customer_id"]).or_default() += 1;
        }
    }
    let told = &truth["business"];
    assert_eq!(told["sold_orders"], sold.len());
    assert_eq!(told["valid_orders"], orders_of.values().sum::<u32>());
    assert_eq!(told["customers_with_first_order"], orders_of.len());
    assert_eq!(told["repeat_customers"], orders_of.values().filter(|orders| **orders > 1).count());
    assert_eq!(pence(told["net_revenue"].as_str().expect("text")), net_by_month.values().sum::<i64>());
    let months = told["months"].as_array().expect("a list");
    assert_eq!(months.len(), net_by_month.len());
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (month, (first, net)) in months.iter().zip(&net_by_month) {
        assert_eq!(month["month"], first.to_string());
        assert_eq!(pence(month["net_revenue"].as_str().expect("text")), *net);
        assert_eq!(month["active_customers"], active[first].len());
        let before = seen.len();
        seen.extend(&active[first]);
        assert_eq!(month["new_customers"], seen.len() - before);
    }
}

#[test]
fn the_company_has_the_story_it_tells() {
    let truth = exports(spec()).last().expect("the truth");
    let truth: Value = serde_json::from_slice(&truth.bytes).expect("JSON");
    let business = &truth["business"];
    assert_eq!(business["churn_wave_month"], "2024-08-01");
    assert_eq!(business["nps_drop_month"], "2024-09-01");
    assert_eq!(business["retention_shift_month"], "2024-03-01");
    // A third leaves at once, as drawn. Nearly all who come back can be seen to: a status or a refund undoes few orders.
    let number = |name: &str| business[name].as_u64().expect("a number");
    assert!((25..45).contains(&(number("churn_wave_customers") * 100 / number("churn_wave_among"))));
    let (came_back, seen) = (number("win_back_customers"), number("win_back_customers_seen"));
    assert!(seen <= came_back && seen * 10 > came_back * 9);
    let active = |month: usize| business["months"][month]["active_customers"].as_u64().expect("a number");
    // The wave breaks the growth, which then goes on.
    assert!(active(13) < active(12) && active(17) > active(12));
}

#[test]
fn small_and_odd_companies_work_too() {
    for (customers, start) in [(0, "2024-12-31"), (1, "2024-12-01"), (25, "2024-01-15"), (10, "2025-01-01")] {
        let spec = Spec { customers, start: start.parse().expect("a date"), ..spec() };
        let files: Vec<SampleFile> = exports(spec).collect();
        assert_eq!(files.last().expect("the truth").path, "truth.json");
        let paths: BTreeSet<&String> = files.iter().map(|file| &file.path).collect();
        assert_eq!(paths.len(), files.len());
    }
}

/// Reads one source: rows of another length than the header, and those that do not pass, are quarantined.
fn read(files: &[SampleFile], folder: &str, key: &[&str], passes: impl Fn(&Row) -> bool) -> Found {
    let mut found = Found::default();
    for file in files.iter().filter(|file| file.path.starts_with(&format!("{folder}/"))) {
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8").trim_start_matches('\u{feff}');
        let delimiter = if folder == "erp/refunds" { ';' } else { ',' };
        let mut records = records(text, delimiter).into_iter();
        let header = records.next().expect("a header");
        for record in records {
            found.rows += 1;
            if record.len() != header.len() {
                found.quarantined += 1;
                continue;
            }
            let row: Row = header.iter().cloned().zip(record).collect();
            if !passes(&row) {
                found.quarantined += 1;
                continue;
            }
            let key: Vec<&str> = key.iter().map(|column| row[*column].as_str()).collect();
            let key = key.join("/");
            let newer = |old: &Row| {
                row.get("updated_at").map(|text| sortable(text)) >= old.get("updated_at").map(|text| sortable(text))
            };
            if found.landed.get(&key).is_none_or(newer) {
                found.landed.insert(key, row);
            }
        }
    }
    found
}

/// RFC 4180, with either line end.
fn records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ if letter == delimiter && !quoted => record.push(std::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    records
}

/// A text that sorts as the time does, of any of the forms used here.
fn sortable(text: &str) -> NaiveDateTime {
    instant(text)
        .or_else(|| NaiveDateTime::parse_from_str(text, "%d/%m/%Y %H:%M:%S").ok())
        .or_else(|| date(text, "%d/%m/%Y").and_then(|date| date.and_hms_opt(0, 0, 0)))
        .expect("a time")
}

fn instant(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%SZ").ok()
}

fn date(text: &str, format: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, format).ok()
}

fn pence(text: &str) -> i64 {
    text.replace(['.', ','], "").parse().expect("two decimals")
}
