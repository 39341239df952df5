//! The shipped example, as a stranger meets it: a fresh folder, one command, no configuration, no network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;

use crate::plants;
use crate::project::{HEADER, Project, SHOP, copy_folder, same_as_snapshot};

/// A fresh clone, as far as the program reads it.
fn clone() -> Project {
    let project = Project::empty();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::copy(here.join("matins.yaml"), project.path("matins.yaml")).expect("a copy");
    for folder in ["pipelines", "sql", "report-templates"] {
        copy_folder(&here.join(folder), &project.path(folder));
    }
    project
}

/// The text of the one report below a lake.
fn report(project: &Project, lake: &str) -> String {
    let reports = project.files(&format!("{lake}/reports"));
    let pages: Vec<_> = reports.iter().filter(|(path, _)| path.ends_with("/executive/all.en.html")).collect();
    assert_eq!(pages.len(), 1, "{:?}", reports.keys());
    String::from_utf8(pages[0].1.clone()).expect("a page in UTF-8")
}

#[test]
fn one_command_makes_a_year_and_a_half_of_exports_into_a_report() {
    let project = clone();
    same_as_snapshot("sample_check", &project.matins(&["check"]).ok());
    let first = project.matins(&["run"]).ok();
    same_as_snapshot("sample_run", &first);
    let shown = first.out.lines().find_map(|l| l.strip_prefix("  report   ")).expect("the report's path").to_owned();
    assert!(Path::new(&shown).is_file(), "{shown}");
    let night = project.matins(&["run", "--json"]).ok().json();
    assert_eq!(night["published"], false);
    project.matins(&["run"]).ok().says("nothing to do").says(&shown);

    let truth: Value = serde_json::from_str(&project.read("exports/truth.json")).expect("the truth");
    balances_are_true(&night, &truth);
    faults_are_named(&project, &truth);
    figures_are_true(&project, &truth);
    plants::are_found(&project, &truth);
    let page = report(&project, "lake");
    few_are_of_the_tiers_beside_them(&project, &page);
    page_is_harmless(&page);
    mail_can_be_read(&project);
}

fn balances_are_true(night: &Value, truth: &Value) {
    let sources = truth["sources"].as_object().expect("sources");
    assert_eq!(
        sources.keys().collect::<Vec<_>>(),
        night["sources"].as_object().expect("sources").keys().collect::<Vec<_>>()
    );
    for (source, truth) in sources {
        let found = &night["sources"][source];
        let pairs =
            [("rows", "read"), ("landed", "landed"), ("quarantined", "quarantined"), ("deduplicated", "deduplicated")];
        for (planted, seen) in pairs {
            assert_eq!(truth[planted], found[seen], "{planted} of {source}");
        }
    }
}

/// Every planted fault is in quarantine, under the rule that it breaks.
fn faults_are_named(project: &Project, truth: &Value) {
    let sources = truth["sources"].as_object().expect("sources");
    for (rule, kinds) in [
        ("ragged", &["ragged_row"][..]),
        ("too_long", &["overlong_row"][..]),
        ("type", &["bad_number", "bad_date"][..]),
    ] {
        let of_source = |source: &Value| kinds.iter().filter_map(|kind| source["faults"][*kind].as_u64()).sum::<u64>();
        let planted: u64 = sources.values().map(of_source).sum();
        assert!(planted > 0, "{rule} is planted");
        let found = project.value(&format!("SELECT count(*) FROM system.quarantine WHERE rule = '{rule}'"));
        assert_eq!(found, planted.to_string(), "{rule}");
    }
    let named = "SELECT count(*) FROM core.customers WHERE strpos(name, '<') > 0 OR strpos(name, '()') > 0";
    assert_eq!(project.value(named), truth["hostile_names"].to_string());
}

fn figures_are_true(project: &Project, truth: &Value) {
    let business = &truth["business"];
    let number = |sql: &str| project.value(sql);
    assert_eq!(
        number("SELECT CAST(sum(value) AS DECIMAL(18, 2)) FROM kpi.net_revenue"),
        business["net_revenue"].as_str().expect("text")
    );
    assert_eq!(number("SELECT sum(n) FROM kpi.net_revenue"), business["sold_orders"].to_string());
    assert_eq!(number("SELECT count(*) FROM core.valid_orders"), business["valid_orders"].to_string());
    let customers =
        "SELECT count(*) FROM (SELECT customer_key, count(*) AS n FROM core.valid_orders GROUP BY customer_key)";
    assert_eq!(number(customers), business["customers_with_first_order"].to_string());
    assert_eq!(number(&format!("{customers} WHERE n >= 2")), business["repeat_customers"].to_string());
    let unknown = "SELECT bad_rows FROM system.checks WHERE check_name = 'references(customer_key)' AND table_name = 'core.orders'";
    assert_eq!(number(unknown), truth["unknown_customer_orders"].to_string());
    let lost = "SELECT failing FROM quality.dimensions WHERE table_name = 'core.orders' AND dimension = 'consistency'";
    assert_eq!(number(lost), truth["unknown_customer_orders"].to_string());
    let scores = "SELECT count(*) FROM system.quarantine WHERE rule = 'range(nps)'";
    assert_eq!(number(scores), truth["out_of_range_scores"].to_string());

    let by_month = |sql: &str| -> BTreeMap<String, String> {
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        project.query(sql).iter().map(|row| (text(&row["period"]), text(&row["value"]))).collect()
    };
    let revenue = by_month("SELECT period, CAST(value AS DECIMAL(18, 2)) AS value FROM kpi.net_revenue");
    let active = by_month("SELECT period, CAST(value AS BIGINT) AS value FROM kpi.active_customers");
    for month in business["months"].as_array().expect("months") {
        let first_day = month["month"].as_str().expect("a date");
        assert_eq!(revenue[first_day], month["net_revenue"].as_str().expect("text"), "revenue of {first_day}");
        assert_eq!(active[first_day], month["active_customers"].to_string(), "active in {first_day}");
    }
}

/// Not of those a month before, which the same table holds.
fn few_are_of_the_tiers_beside_them(project: &Project, page: &str) {
    let ranked = project.value("SELECT sum(customers) FROM segment.pareto_summary");
    let (thousands, rest) = ranked.split_at(ranked.len() - 3);
    let shown = format!(" of {thousands},{rest} customers brought");
    assert!(page.contains(&shown), "{shown}");
}

fn page_is_harmless(page: &str) {
    assert!(page.contains("Customer health") && page.contains("Net revenue"));
    assert!(!page.contains("<script"), "no script of anybody's");
    assert!(!page.contains("http://") || !page.contains("src=\"http"), "the page fetches nothing");
    assert!(page.len() < 95_000, "mail readers cut longer ones off");
}

fn mail_can_be_read(project: &Project) {
    let mails = project.files("mail");
    assert_eq!(mails.len(), 1, "{:?}", mails.keys());
    let (name, bytes) = mails.first_key_value().expect("a mail");
    assert!(name.ends_with(".eml"), "{name}");
    let mail = MessageParser::default().parse(bytes).expect("a message");
    assert!(mail.subject().is_some_and(|s| s.starts_with("Customer health")), "{:?}", mail.subject());
    assert_eq!(mail.to().and_then(|to| to.first()).and_then(|to| to.address()), Some("board@example.com"));
    let (text, html) = (mail.body_text(0).expect("a text part"), mail.body_html(0).expect("an HTML part"));
    assert!(text.contains("Net revenue") && !text.contains('<'), "{text}");
    assert!(!html.contains("../why/") && !html.contains("<svg"), "what only a page can hold is not in a mail");
    // Every picture it names travels with it.
    let named: BTreeSet<&str> = html.split("src=\"cid:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let sent: BTreeSet<&str> = mail.parts.iter().filter_map(|part| part.content_id()).collect();
    assert!(named.len() >= 6 && named == sent, "{named:?} {sent:?}");
    let page = report(project, "lake");
    assert!(
        page.contains("<svg") && page.contains("href=\"../why/net_revenue.html\""),
        "the page leads to its sources"
    );
    // So does each row of service, and none of the links is dead.
    assert!(page.contains("href=\"../why/first_response.html\"") && page.contains("nine of ten within"), "{page}");
    let there: BTreeSet<String> = project.files("lake/reports").into_keys().collect();
    for link in page.split("href=\"../").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(link.starts_with("../") || there.iter().any(|path| path.ends_with(&format!("/{link}"))), "{link}");
    }
}

/// The same company month by month, with no more packs than it takes.
#[test]
fn who_was_lost_and_came_back_moves_in_the_month_it_was_planted() {
    let project = clone();
    let pipeline = project.read("pipelines/customer-health.yaml");
    let (sources, _) = pipeline.split_once("\ncurrency:").expect("what follows the sources");
    project.write(
        "pipelines/customer-health.yaml",
        format!("{sources}\npacks: [sample-company, crm/core, crm/segment]\n"),
    );
    project.matins(&["sample", "exports", "--customers", "2000", "--as-of", "2025-01-01"]).ok();
    let truth: Value = serde_json::from_str(&project.read("exports/truth.json")).expect("the truth");
    plants::the_lost_move(&project, &truth);
}

#[test]
fn two_fresh_runs_come_to_the_same() {
    let (one, two) = (clone(), clone());
    one.matins(&["run", "--no-mail"]).ok();
    two.matins(&["run", "--no-mail"]).ok();
    assert_eq!(without_content(&report(&one, "lake")), without_content(&report(&two, "lake")));
    assert!(one.files("mail").is_empty(), "nothing is sent with --no-mail");

    let rows = one.query("SELECT table_schema, table_name FROM information_schema.tables");
    let name = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let tables: BTreeSet<String> = rows
        .iter()
        .filter(|row| !["system", "information_schema"].contains(&name(row, "table_schema").as_str()))
        .map(|row| format!("{}.{}", name(row, "table_schema"), name(row, "table_name")))
        .collect();
    assert!(tables.len() > 20, "{tables:?}");
    for table in &tables {
        let sorted = |project: &Project| -> BTreeMap<String, usize> {
            project.query(&format!("SELECT * FROM {table}")).iter().fold(BTreeMap::new(), |mut rows, row| {
                *rows.entry(row.to_string()).or_default() += 1;
                rows
            })
        };
        assert!(sorted(&one) == sorted(&two), "{table} differs");
    }

    // From the same exports, into an empty lake: to the byte.
    let again = one.variable("MATINS_LAKE", "second");
    again.matins(&["run", "--no-mail"]).ok().says("published");
    assert!(report(&again, "lake") == report(&again, "second"), "the same exports give the same page");
}

/// A page without the name of what it was made from: exports in another folder are other exports.
fn without_content(page: &str) -> String {
    let (before, after) = page.split_once("). Content ").expect("the page names its content");
    format!("{before}{}", &after[32..])
}

#[test]
fn a_name_with_html_in_it_does_no_harm() {
    let report = "\
reports:
  - name: page
    title: Orders
    template: page.html
    subject: Orders
    recipients: [you@example.com]
    data: {orders: core.orders}
";
    let project = Project::shop()
        .with("pipelines/shop.yaml", format!("{SHOP}{report}"))
        .with(
            "report-templates/page.html",
            "<ul>{% for row in data.orders.rows %}<li>{{ row.note }}</li>{% endfor %}</ul>\n",
        )
        .with("exports/orders/2024-01-01.csv", format!("{HEADER}1,2024-01-01,1.00,<script>alert(1)</script>\n"));
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    let reports = project.files("lake/reports");
    let (_, page) = reports.iter().find(|(path, _)| path.ends_with(".html")).expect("a page");
    let page = String::from_utf8_lossy(page);
    assert!(!page.contains("<script>"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    let (_, mail) = project.files("mail").into_iter().next().expect("a mail");
    let mail = MessageParser::default().parse(&mail).expect("a message");
    assert!(!mail.body_html(0).expect("an HTML part").contains("<script>"));
}

#[test]
fn a_sample_of_any_size_is_the_same_each_time() {
    let place = Project::empty();
    let write = |folder: &str| place.matins(&["sample", folder, "--customers", "50", "--as-of", "2024-07-01"]).ok();
    write("one").says("50 customers");
    write("two");
    let one = place.files("one");
    assert!(one.contains_key("truth.json") && one.len() > 100, "{}", one.len());
    assert!(one == place.files("two"), "byte for byte");
}
