//! Instead of silence: a report that is late or whose data failed is announced once, and follows when it can.

use crate::project::{HEADER, Project, SHOP};

fn shop(more: &str) -> Project {
    let report = format!(
        "reports:\n  - name: page\n    title: Orders\n    template: page.html\n    data: {{days: mart.days}}\n{more}    recipients: [board@example.com]\n"
    );
    Project::shop_of_days(1)
        .with("pipelines/shop.yaml", format!("{SHOP}{report}"))
        .with("report-templates/page.html", "{% for row in data.days.rows %}<p>{{ row.net }}</p>{% endfor %}\n")
}

/// The names of the mails that were written, without recipient.
fn mails(project: &Project) -> Vec<String> {
    project.files("mail").into_keys().map(|name| name.replace("-board@example.com.eml", "")).collect()
}

#[test]
fn a_late_report_is_announced_once() {
    let project = shop("    deliver_by: \"00:00\"\n");
    // Nothing was ever published: nobody waits for a first report.
    project.matins(&["outbox", "deliver"]);
    assert!(mails(&project).is_empty());
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    assert_eq!(mails(&project), ["2024-01-02-shop-page"]);
    // The report of last night is not there, by this machine's clock.
    project.matins(&["outbox", "deliver"]).says("board@example.com accepted");
    project.matins(&["outbox", "deliver"]);
    let all = mails(&project);
    assert_eq!(all.iter().filter(|name| name.ends_with("-shop-page-delayed")).count(), 1, "{all:?}");
    assert_eq!(all.len(), 2, "{all:?}");
}

#[test]
fn a_report_whose_data_failed_is_withheld_once_and_follows_when_it_is_mended() {
    let project = shop("");
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\nx,2024-01-02,20.00,b\n"));
    project.write(
        "sql/shop/core/orders.sql",
        "/* matins\nkey: [order_id]\n*/\nSELECT order_id, ordered_on AS bdate, net, note FROM raw.orders\n",
    );
    project.matins(&["run", "--as-of", "2024-01-03"]).code(3);
    project.matins(&["run", "--as-of", "2024-01-03"]).code(3);
    assert_eq!(mails(&project), ["2024-01-03-shop-page-withheld"]);
    let (_, eml) = project.files("mail").into_iter().next().expect("a mail");
    let text = String::from_utf8_lossy(&eml).into_owned();
    assert!(text.contains("withheld") && text.contains("unique(order_id)") && text.contains("core.orders"), "{text}");
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\ny,2024-01-02,20.00,b\n"));
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();
    assert_eq!(mails(&project), ["2024-01-03-shop-page", "2024-01-03-shop-page-withheld"]);
}

/// A KPI of each day with a rule, and a report that waits for it.
fn watched(report: &str) -> Project {
    let pipeline = format!(
        "kpis: [{{name: net, label: Net, table: kpi.net, unit: count, alert: {{below: 50}}}}]\n\
         reports:\n  - name: page\n    title: Orders\n    template: page.html\n    data: {{days: mart.days}}\n{report}"
    );
    Project::shop_of_days(1)
        .with("pipelines/shop.yaml", format!("{SHOP}{pipeline}"))
        .with(
            "sql/shop/kpi/net.sql",
            "SELECT bdate AS period, CAST(net AS DOUBLE) AS value, orders AS n FROM mart.days\n",
        )
        .with("report-templates/page.html", "{% for row in data.days.rows %}<p>{{ row.net }}</p>{% endfor %}\n")
}

#[test]
fn a_report_that_waits_for_an_alert_goes_out_with_it_in_the_subject() {
    let project = watched("    when: alert\n    recipients: [board@example.com]\n");
    project.matins(&["check"]).ok();
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    assert!(mails(&project).is_empty(), "60 is enough");
    let pages = |day: &str| {
        let start = format!("shop/{day}/");
        project
            .files("lake/reports")
            .into_keys()
            .filter(|p| p.starts_with(&start) && p.ends_with("all.en.html"))
            .count()
    };
    assert_eq!(pages("2024-01-02"), 1, "its page is made all the same");
    project.write("exports/orders/2024-01-02.csv", format!("{HEADER}x,2024-01-02,10.00,a\n"));
    project.matins(&["run", "--as-of", "2024-01-03"]).ok();
    assert_eq!(mails(&project), ["2024-01-03-shop-page"]);
    let (_, eml) = project.files("mail").into_iter().next().expect("a mail");
    let mail = mail_parser::MessageParser::default().parse(&eml).expect("a message");
    assert_eq!(mail.subject(), Some("Orders · 2024-01-02 · Net 10, below 50 · 1 alert"));
}

#[test]
fn a_report_that_can_never_go_out_is_a_mistake() {
    let project = watched("    when: alert\n    recipients: [{address: a@example.com, filter: {bdate: 2024-01-01}}]\n");
    project.matins(&["check"]).code(2).says("which a recipient with a filter is not shown").says("shared: [kpis]");
    let project = watched("    when: alert\n    recipients: [board@example.com]\n");
    project.edit("pipelines/shop.yaml", ", alert: {below: 50}", "");
    project.matins(&["check"]).code(2).says("no KPI of the pipeline has a rule");
    let project = watched("    when: alerts\n    recipients: [board@example.com]\n");
    project.matins(&["check"]).code(2).says("did you mean `alert`?");
}
