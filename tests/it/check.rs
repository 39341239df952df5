//! `matins check`: every mistake at once, each with its file, line, column and what to do about it.

use serde_json::Value;

use crate::project::{ORDERS, Project, SHOP, same_as_snapshot};

const REPORT: &str = "\
reports:
  - name: page
    title: Orders
    template: page.html
    subject: Orders
    recipients: [you@example.com]
    data: {days: mart.days}
";

const PAGE: &str = "\
<h1>{{ title }}</h1>
{% for row in data.days.rows %}<p>{{ row.bdate }}: {{ row.orders }}</p>{% endfor %}
";

/// A shop with a report that has no mistake.
fn reporting() -> Project {
    Project::shop().with("pipelines/shop.yaml", format!("{SHOP}{REPORT}")).with("report-templates/page.html", PAGE)
}

/// One mistake of each of the five kinds. The report shows the very table whose column is wrong.
fn five_mistakes() -> Project {
    let project = reporting()
        .with("sql/shop/core/egg.sql", "SELECT order_id\nFROM core.hen\n")
        .with("sql/shop/core/hen.sql", "SELECT order_id\nFROM core.egg\n");
    project.edit("pipelines/shop.yaml", "    columns:\n", "    quarantine_limt: 5%\n    columns:\n");
    project.edit("pipelines/shop.yaml", "interval: day\n", "interval: day\nschedule: {cron: \"30 25 * * *\"}\n");
    project.edit("sql/shop/mart/days.sql", "sum(net)", "sum(nett)");
    project.edit("report-templates/page.html", "{{ title }}", "{{ tittle }}");
    project
}

/// What `check --json` found, as `code file:line:column`.
fn places(project: &Project, args: &[&str], code: i32) -> Vec<String> {
    let said = project.matins(&[&["check", "--json"], args].concat()).code(code);
    let found = said.json();
    let text = |d: &Value, key: &str| match &d[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    found["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| format!("{} {}:{}:{}", text(d, "code"), text(d, "file"), text(d, "line"), text(d, "column")))
        .collect()
}

#[test]
fn a_good_project_has_no_mistakes() {
    let said = reporting().matins(&["check"]).ok();
    assert!(said.err.is_empty(), "{}", said.err);
    said.says("no mistakes: 1 pipeline, 2 stages planned against their contracts, 1 report rendered");
}

#[test]
fn five_mistakes_are_shown_by_one_check() {
    let project = five_mistakes();
    same_as_snapshot("five_mistakes", &project.matins(&["check"]).code(2));
    assert_eq!(
        places(&project, &[], 2),
        [
            "bad-cron pipelines/shop.yaml:2:22",
            "unknown-key pipelines/shop.yaml:6:5",
            "cycle sql/shop/core/egg.sql:2:6",
            "sql-plan sql/shop/mart/days.sql:4:39",
            "template report-templates/page.html:1:8",
        ]
    );
}

#[test]
fn what_a_catalogue_says_of_no_kpi_is_a_warning() {
    let kpi = "kpis:\n  - {name: orders, table: kpi.orders, label: Orders, unit: count, direction: up}\n";
    let of_month = "SELECT CAST(date_trunc('month', bdate) AS DATE) AS period, count(*) AS value, count(*) AS n FROM core.orders GROUP BY 1\n";
    let project = Project::shop()
        .with("pipelines/shop.yaml", format!("{SHOP}{kpi}"))
        .with("sql/shop/kpi/orders.sql", of_month)
        .with("report-templates/locales/en.yaml", "kpi:\n  orders: {label: Orders}\n  ordrs:\n    label: Orders\n");
    let said = project.matins(&["check"]).ok();
    said.says("warning[unknown-kpi]: `kpi.ordrs.label` is never shown: no pack and no pipeline has a KPI `ordrs`")
        .says("report-templates/locales/en.yaml:4:12")
        .says("did you mean `orders`?")
        .says("1 warning");
    project.edit("report-templates/locales/en.yaml", "  ordrs:\n    label: Orders\n", "");
    assert!(project.matins(&["check"]).ok().err.is_empty());
}

#[test]
fn a_check_reads_no_data_and_writes_nothing() {
    let project = reporting();
    project.matins(&["check"]).ok();
    assert!(project.files("lake").is_empty() && project.files("exports").is_empty());
}

#[test]
fn json_has_the_same_findings() {
    let project = five_mistakes();
    let found = project.matins(&["check", "--json"]).code(2).json();
    let first = &found["diagnostics"][1];
    assert_eq!(first["level"], "error");
    assert_eq!(first["message"], "a source has no key `quarantine_limt`");
    assert!(first["help"].as_str().is_some_and(|h| h.starts_with("did you mean `quarantine_limit`?")), "{first}");
    assert_eq!((&found["pipelines"], &found["reports"]), (&1.into(), &1.into()));
    let clean = reporting().matins(&["check", "--json"]).ok().json();
    assert_eq!(clean["diagnostics"], Value::Array(vec![]));
}

#[test]
fn a_run_of_a_project_with_mistakes_changes_nothing() {
    let project = five_mistakes().with_day(1);
    project.matins(&["run", "--as-of", "2024-01-02"]).code(2).says("pipelines/shop.yaml:6:5");
    assert!(project.files("lake").is_empty());
}

#[test]
fn an_unknown_table_is_named_with_what_was_perhaps_meant() {
    let project = Project::shop();
    project.edit("sql/shop/mart/days.sql", "FROM core.orders", "FROM core.order");
    same_as_snapshot("unknown_table", &project.matins(&["check"]).code(2));
}

#[test]
fn clock_and_chance_are_refused() {
    let project = Project::shop();
    project.write("sql/shop/core/orders.sql", ORDERS.replace("note\nFROM", "note, now() AS read_at\nFROM"));
    project.edit("sql/shop/mart/days.sql", "sum(net)", "sum(net * random())");
    same_as_snapshot("clock_refused", &project.matins(&["check"]).code(2));
}

#[test]
fn what_depends_on_the_order_of_rows_is_refused() {
    let project = Project::shop();
    project.edit("sql/shop/mart/days.sql", "sum(net) AS net", "first_value(net) AS net, approx_distinct(net) AS nets");
    project.edit("sql/shop/core/orders.sql", "FROM raw.orders", "FROM raw.orders LIMIT 5");
    same_as_snapshot("order_refused", &project.matins(&["check"]).code(2));
}

#[test]
fn an_incremental_stage_of_a_source_with_a_key_is_refused() {
    let project = Project::shop();
    project.edit("pipelines/shop.yaml", "    columns:\n", "    key: order_id\n    columns:\n");
    project.edit("sql/shop/core/orders.sql", "key: [order_id]\n", "key: [order_id]\nincremental: month\n");
    same_as_snapshot("incremental_key", &project.matins(&["check"]).code(2));
}

#[test]
fn wrong_types_and_columns_of_checks_are_found_without_data() {
    let project = Project::shop();
    project.edit("sql/shop/core/orders.sql", "key: [order_id]\n", "key: [order]\nchecks:\n  - not_null: bdat\n");
    project.edit("sql/shop/mart/days.sql", "sum(net)", "sum(note)");
    let found = places(&project, &[], 2);
    assert_eq!(
        found,
        [
            "unknown-column sql/shop/core/orders.sql:3:6",
            "check sql/shop/core/orders.sql:5:5",
            "sql-plan sql/shop/mart/days.sql:4:35",
        ]
    );
}

#[test]
fn a_variable_that_is_not_set_fails_only_the_pipelines_that_use_it() {
    let other = SHOP.replace("exports://orders", "elsewhere://orders");
    let project = Project::shop_of_days(1).with("pipelines/other.yaml", other);
    project.edit(
        "matins.yaml",
        "stores: {exports: exports}",
        "stores: {exports: exports, elsewhere: \"${ELSEWHERE}\"}",
    );
    project.matins(&["check"]).ok().says_not("error");
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    same_as_snapshot("unset_variable", &project.matins(&["run", "other", "--as-of", "2024-01-02"]).code(2));
    let set = project.variable("ELSEWHERE", "exports");
    set.matins(&["run", "other", "--as-of", "2024-01-02"]).ok();
}

/// A stage that many pipelines use is planned once for equal columns; where one pipeline's differ, its mistake is found.
#[test]
fn a_shared_stage_is_planned_for_each_contract() {
    let project = Project::shop();
    project.write("pipelines/alike.yaml", crate::project::SHOP);
    project.write(
        "pipelines/other.yaml",
        crate::project::SHOP.replace("net: {type: \"decimal(18,4)\"", "nett: {type: \"decimal(18,4)\""),
    );
    let said = project.matins(&["check"]).code(2);
    let mistakes = said.err.matches("sql-plan").count();
    assert_eq!(mistakes, 1, "{}", said.err);
    said.says("net");
    project.write("pipelines/other.yaml", crate::project::SHOP);
    project.matins(&["check"]).ok().says("6 stages planned");
}
