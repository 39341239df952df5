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
