//! Every key of the format, and what it becomes.

use chrono::{NaiveDate, Weekday};

use super::super::*;
use super::{GOOD, files, lines, read, with};
use crate::base::{ByteSize, Cadence, Level};

fn project() -> Project {
    let (project, found) = read(&files(&GOOD));
    assert_eq!(lines(&found), Vec::<String>::new());
    project.expect("a project")
}

fn pipeline() -> Pipeline {
    project().pipelines.into_values().next().expect("the pipeline")
}

fn source(name: &str) -> Source {
    pipeline().sources.remove(&name.parse().expect("a name")).expect("the source")
}

fn day(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).expect("a date")
}

#[test]
fn the_project() {
    let project = project();
    assert_eq!(project.lake, Ok("lake".to_owned()));
    assert_eq!(project.time_zone, chrono_tz::Europe::London);
    assert_eq!(project.memory, Some(ByteSize(2 << 30)));
    assert_eq!(project.default_pipeline.expect("a default").as_str(), "customer-health");
    let MailTransport::Smtp(smtp) = &project.mail.transport else { panic!("a mail server") };
    assert_eq!((smtp.port, smtp.security, smtp.connections), (587, Security::StartTls, 8));
    assert!(smtp.login.as_ref().is_some_and(|(user, password)| user.is_ok() && password.0.is_err()));
    assert!(project.mail.allows("a@Example.com") && !project.mail.allows("a@other.org"));
    assert_eq!(project.site.as_deref(), Some("https://reports.example.com"));
    let kinds: Vec<_> = project.channels.values().map(|c| (c.timeout_s, c.kind == ChannelKind::Slack)).collect();
    assert_eq!(kinds, [(5, false), (30, true)]);
    let stores: Vec<_> = project.stores.values().collect();
    assert_eq!(stores[0].url, Ok("s3://bucket/exports".to_owned()));
    assert_eq!(stores[1].options["allow_http"], Ok("true".to_owned()));
    // Nobody is stopped by a variable that nobody used yet.
    let unset = stores[1].url.clone().expect_err("not set");
    assert_eq!(
        (unset.variable.as_str(), unset.place.to_string().as_str()),
        ("ONLINE_RETAIL_EXPORTS", "matins.yaml:8:17")
    );
    assert_eq!(stores[1].options["key"].clone().expect_err("not set").variable, "KEY");
    assert_eq!(project.packs.keys().map(ToString::to_string).collect::<Vec<_>>(), ["crm/kpis", "shop"]);
    assert_eq!(project.templates.keys().collect::<Vec<_>>(), ["executive.html", "parts/head.html"]);
}

#[test]
fn the_lake_can_be_moved_by_a_variable() {
    let environment = crate::system::Environment([("MATINS_LAKE".to_owned(), "s3://b/lake".to_owned())].into());
    let (project, _) = load(&files(&[("matins.yaml", "lake: ${NOT_SET}")]), &environment);
    assert_eq!(project.expect("a project").lake, Ok("s3://b/lake".to_owned()));
}

#[test]
fn nothing_written_means_the_defaults() {
    let (project, found) = read(&files(&[("matins.yaml", "")]));
    assert!(found.is_empty(), "{found:?}");
    let project = project.expect("a project");
    assert_eq!((project.lake, project.time_zone), (Ok("lake".to_owned()), chrono_tz::UTC));
    assert!(project.memory.is_none() && project.stores.is_empty());
}

#[test]
fn the_pipeline() {
    let pipeline = pipeline();
    assert_eq!(pipeline.time_zone, chrono_tz::Europe::Berlin);
    assert_eq!(pipeline.interval, Cadence::Week { starts: Weekday::Sun });
    let schedule = pipeline.schedule.expect("a schedule");
    assert_eq!(schedule.cron, ["30 2 * * *", "0 30 2 * * MON"]);
    assert_eq!((schedule.after[0].0.as_str(), schedule.exports[0].as_str()), ("other", "orders"));
    assert_eq!(schedule.catch_up, CatchUp { data: CatchUpData::Latest, reports: CatchUpReports::None });
    assert_eq!((schedule.overlap, schedule.priority, schedule.paused), (Overlap::Skip, Priority::High, true));
    let england = project().calendars.remove(&"england".parse().expect("a name")).expect("the calendar");
    let business = |text: &str| england.is_business_day(text.parse().expect("a date"));
    assert!(business("2026-12-21") && !business("2026-12-22") && !business("2026-12-28"));
    let sample = pipeline.sample.expect("a sample");
    assert_eq!((sample.as_of, sample.customers), (day(2025), 500));
    assert_eq!(pipeline.packs.iter().map(|(p, _)| p.as_str()).collect::<Vec<_>>(), ["shop", "crm/kpis"]);
    let params: Vec<_> = pipeline.params.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
    assert_eq!(
        params,
        [
            ("churn_days", ParamValue::Integer(90)),
            ("code", ParamValue::Text("007".to_owned())),
            ("quiet_days", ParamValue::Integer(30)),
            ("region", ParamValue::Text("north".to_owned())),
            ("since", ParamValue::Date(day(2024))),
            ("strict", ParamValue::Boolean(true)),
            ("vat", ParamValue::Decimal("0.20".to_owned())),
        ]
    );
    let units: Vec<_> = pipeline
        .kpis
        .iter()
        .filter(|k| k.shown)
        .map(|k| (k.label.as_str(), k.unit.clone(), k.direction, k.target))
        .collect();
    assert_eq!(
        units,
        [
            ("Net revenue", Unit::Money("£".to_owned()), Direction::Up, Some(100_000.0)),
            ("Repeat rate", Unit::Share, Direction::Neither, None),
            ("Tickets", Unit::Money("$".to_owned()), Direction::Down, None),
            ("Nps", Unit::Score, Direction::Neither, None),
        ]
    );
    let names: Vec<_> = pipeline.kpis.iter().map(|k| (k.name.as_str(), k.shown, k.named)).collect();
    assert_eq!(names[3..], [("nps", true, true), ("paying_share", false, false)]);
    // What the pipeline does not say of a pack's KPI is the pack's word.
    let revenue = &pipeline.kpis[0];
    assert_eq!((revenue.comparison, revenue.minimum_n), (Comparison::LastYear, 50));
    assert_eq!(revenue.labels["zh-Hans"], "净收入");
    assert_eq!(revenue.definitions["en"], "What was sold, less what came back");
    let above = AlertRule::Above(Bound::Value(1_000_000.0));
    assert_eq!(revenue.alerts, [AlertRule::Below(Bound::Target), above, AlertRule::Change(-0.1)]);
    assert_eq!(pipeline.kpis[4].alerts, [AlertRule::Below(Bound::Value(0.3)), AlertRule::Change(-0.05)]);
    let report = &pipeline.reports[0];
    assert_eq!((report.subject.as_str(), report.recipients.len()), ("Your customers", 2));
    let board = &report.recipients[0];
    assert_eq!(
        (board.to.to_string().as_str(), board.locale, board.filter["region"].as_str()),
        ("board@example.com", Locale::ZhHans, "North")
    );
    let from = report.recipients_from.as_ref().expect("a table");
    assert_eq!((from.address.as_str(), from.filter["region"].as_str()), ("email", "area"));
    assert!(report.pdf && report.workbook && report.shared.contains("kpis"));
    assert_eq!(report.deliver_by, chrono::NaiveTime::from_hms_opt(7, 30, 0));
    assert_eq!(report.data["growth"].0.to_string(), "growth.customers");
}

#[test]
fn a_recipient_may_be_a_channel() {
    let text = "reports:\n  - {name: r, template: executive.html, recipients: [ops, a@example.com, {channel: crm, locale: zh-Hans}]}\n";
    let (project, found) = read(&with(&[("pipelines/customer-health.yaml", text)]));
    assert_eq!(lines(&found), Vec::<String>::new());
    let pipeline = project.expect("a project").pipelines.into_values().next().expect("the pipeline");
    let to: Vec<_> = pipeline.reports[0].recipients.iter().map(|r| r.to.clone()).collect();
    let channel = |name: &str| Destination::Channel(name.parse().expect("a name"));
    assert_eq!(to, [channel("ops"), Destination::Address("a@example.com".into()), channel("crm")]);
}

#[test]
fn the_source() {
    let orders = source("orders");
    assert_eq!(orders.store.as_str(), "exports");
    let pattern = ExportPattern { text: "erp/orders/{date}.csv".to_owned(), date_format: Some("%Y%m%d".to_owned()) };
    assert_eq!(orders.pattern, pattern);
    assert_eq!(
        (orders.mode, orders.unknown_columns, orders.on_vanish),
        (Mode::Full, UnknownColumns::Refuse, OnVanish::Refuse)
    );
    assert_eq!((orders.key, orders.keep), (vec!["order_id".to_owned()], Keep::Latest("ordered_at".to_owned())));
    assert_eq!(format!("{}", orders.quarantine_limit), "0.025");
    let format = &orders.format;
    assert_eq!((format.delimiter, format.quote, format.encoding.as_str(), format.trim), (b';', b'\'', "latin1", true));
    assert_eq!(format.null_tokens, ["NULL", "n/a"]);
    let names: Vec<_> = orders.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["order_id", "amount", "status", "ordered_at", "active", "day", "n", "score"]);
    let amount = &orders.columns[1];
    assert_eq!(amount.kind, ColumnKind::Decimal { precision: 18, scale: 4, point: DecimalPoint::Comma });
    assert_eq!(amount.headers, ["Amount", "Amount (GBP)"]);
    assert_eq!((amount.min.as_deref(), amount.max.as_deref()), (Some("0"), Some("1000000.50")));
    assert!(amount.required && amount.null_tokens == ["-"]);
    assert_eq!(orders.columns[2].accepted, Some(vec!["paid".to_owned(), "shipped".to_owned()]));
    let formats = vec!["%Y-%m-%d %H:%M:%S".to_owned()];
    assert_eq!(orders.columns[3].kind, ColumnKind::Timestamp { formats, zone: Some(chrono_tz::UTC) });
    let words = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
    assert_eq!(orders.columns[4].kind, ColumnKind::Boolean { yes: words("Y", "1"), no: words("N", "0") });
    assert_eq!(
        orders.checks.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        ["row_count", "not_null(order_id)", "not_null(status)"]
    );

    let customers = source("customers");
    assert_eq!(customers.pattern, ExportPattern { text: "crm/**/customers-*.csv".to_owned(), date_format: None });
    assert_eq!((customers.keep, customers.mode, customers.key.len()), (Keep::Last, Mode::Append, 2));
}

#[test]
fn the_head() {
    let stage = project().packs.remove(&"shop".parse().expect("a name")).expect("the pack").stages.remove(0);
    let words = Words {
        grain: Some("one row per order".to_owned()),
        formula: Some("gross − discount".to_owned()),
        rules: vec!["orders without a customer stay".to_owned()],
        reference: vec!["Farris 2010".to_owned(), "MASB".to_owned()],
    };
    assert_eq!(stage.head.words, words);
    assert_eq!(stage.table.to_string(), "core.orders");
    assert_eq!(stage.head.key, ["order_id"]);
    let incremental = stage.head.incremental.clone().expect("in parts");
    let by = incremental.by.expect("by a time");
    assert_eq!((incremental.every, by.column.as_str()), (Period::Month, "bdate"));
    assert_eq!((by.lookback_days, by.lookahead_days, by.late), (3, 1, Severity::Warn));
    assert_eq!(stage.head.timeout, Some(std::time::Duration::from_mins(10)));
    let checks: Vec<_> = stage.head.checks.iter().map(|c| (c.name.as_str(), c.severity)).collect();
    assert_eq!(
        checks,
        [
            ("not_null(order_id)", Severity::Error),
            ("unique(order_id)", Severity::Error),
            ("one order a day", Severity::Error),
            ("accepted(status)", Severity::Warn),
            ("range(bdate)", Severity::Quarantine),
            ("references(customer_key)", Severity::Error),
            ("expression(net <= gross)", Severity::Error),
            ("freshness(bdate)", Severity::Error),
            ("row_count", Severity::Error),
            ("row_change", Severity::Info),
            ("query(SELECT * FROM core.orders WHERE net < 0 …)", Severity::Error),
        ]
    );
    assert_eq!(stage.head.checks[3].limit, Limit { count: None, share: Some(0.01) });
    assert_eq!(stage.head.checks[4].limit, Limit { count: Some(5), share: None });
    // A bound is SQL: a date is a quoted text there.
    let (min, max) = (Some("'2010-01-01'".to_owned()), Some("DATE '2030-01-01'".to_owned()));
    assert_eq!(stage.head.checks[4].rule, Rule::Range { column: "bdate".to_owned(), min, max });
    assert_eq!(stage.head.checks[3].place.to_string(), "sql/shop/core/orders.sql:13:5");
}

#[test]
fn a_stage_in_parts_by_the_dates_of_exports() {
    let text = "/* matins\nincremental: day\n*/ SELECT 1 AS id";
    let (project, found) = read(&with(&[("sql/shop/core/orders.sql", text)]));
    assert_eq!(lines(&found), Vec::<String>::new());
    let stage =
        project.expect("good").packs.remove(&"shop".parse().expect("a name")).expect("the pack").stages.remove(0);
    assert_eq!(stage.head.incremental, Some(Incremental { every: Period::Day, by: None }));
    assert_eq!(stage.head.timeout, None);
}

#[test]
fn a_check_that_a_key_makes_already_is_one_warning_when_it_differs() {
    let text = "/* matins\nkey: id\nchecks: [{unique: id, severity: warn}]\n*/ SELECT 1 AS id";
    let (_, found) = read(&with(&[("sql/shop/core/orders.sql", text)]));
    assert_eq!(found.0.iter().map(|d| (d.level, d.code)).collect::<Vec<_>>(), [(Level::Warning, "check-of-key")]);
}
