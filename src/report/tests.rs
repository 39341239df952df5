//! The shipped templates on made-up companies: what is shown, what is held back, and that nothing breaks out of its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{Months, NaiveDate};

use super::check::{Fill, fixture};
use super::*;
use crate::base::{AsOf, Fingerprint, Level, Place, SourceText, start_of_day};
use crate::config::{Comparison, Direction, Kpi, Locale, Report, Severity, Unit};
use crate::lake::{Alert, AlertKind, Balance, CheckOutcome, CheckStatus};

fn shipped() -> BTreeMap<String, Arc<SourceText>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("report-templates");
    let mut all = BTreeMap::new();
    let below = |folder: &Path| std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let paths: Vec<_> = below(&folder).chain(below(&folder.join("locales"))).filter(|p| p.is_file()).collect();
    for path in paths {
        let name = path.strip_prefix(&folder).expect("below").to_string_lossy().into_owned();
        all.insert(
            name.clone(),
            SourceText::new(format!("report-templates/{name}"), std::fs::read_to_string(&path).expect("a text")),
        );
    }
    all
}

fn place() -> Place {
    Place::file(&SourceText::new("pipelines/customer-health.yaml", ""))
}

pub(super) fn kpi(name: &str, label: &str, unit: Unit, direction: Direction, target: Option<f64>) -> Kpi {
    let table = format!("kpi.{name}").parse().expect("a table");
    Kpi {
        name: name.parse().expect("a name"),
        table,
        label: label.into(),
        labels: BTreeMap::new(),
        definitions: BTreeMap::new(),
        unit,
        direction,
        comparison: Comparison::Previous,
        minimum_n: 30,
        target,
        gate: None,
        alerts: vec![],
        shown: true,
        named: true,
        worded: false,
        place: place(),
    }
}

fn month(back: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2011, 12, 1).expect("a date") - Months::new(back)
}

fn series(kpi: Kpi, values: impl Fn(u32) -> f64, n: i64, half: Option<f64>) -> KpiSeries {
    let points = (0..16).rev().map(|back| KpiPoint {
        period: month(back),
        value: Some(values(back)),
        numerator: None,
        denominator: None,
        n: Some(n),
        low: half.map(|h| values(back) - h),
        high: half.map(|h| values(back) + h),
        provisional: back == 0,
    });
    KpiSeries {
        kpi,
        definition: Some("What was sold, less what came back, without tax.".into()),
        points: points.collect(),
    }
}

fn columns(all: &[(&str, ColumnType)]) -> Vec<TableColumn> {
    all.iter().map(|(name, kind)| TableColumn { name: (*name).into(), kind: *kind }).collect()
}

fn schemas() -> BTreeMap<String, Vec<TableColumn>> {
    use ColumnType::{Boolean, Date, Integer, Number, Text};
    let tables: [(&str, &[(&str, ColumnType)]); 6] = [
        (
            "growth",
            &[
                ("month", Date),
                ("active", Integer),
                ("new", Integer),
                ("retained", Integer),
                ("resurrected", Integer),
                ("churned", Integer),
                ("provisional", Boolean),
            ],
        ),
        (
            "growth_revenue",
            &[
                ("month", Date),
                ("revenue", Number),
                ("new", Number),
                ("resurrected", Number),
                ("expansion", Number),
                ("contraction", Number),
                ("churned", Number),
                ("provisional", Boolean),
            ],
        ),
        (
            "cohorts",
            &[
                ("cohort", Date),
                ("month_index", Integer),
                ("customers", Integer),
                ("cohort_size", Integer),
                ("retention", Number),
                ("provisional", Boolean),
            ],
        ),
        (
            "segments",
            &[
                ("segment", Text),
                ("customers", Integer),
                ("customer_share", Number),
                ("net", Number),
                ("net_share", Number),
                ("median_recency_days", Number),
            ],
        ),
        (
            "pareto",
            &[
                ("tier", Text),
                ("customers", Integer),
                ("customer_share", Number),
                ("net", Number),
                ("net_share", Number),
            ],
        ),
        (
            "at_risk",
            &[
                ("customer", Text),
                ("segment", Text),
                ("tier", Text),
                ("last_order", Date),
                ("net", Number),
                ("alive", Number),
                ("clv_12", Number),
                ("action", Text),
            ],
        ),
    ];
    tables.into_iter().map(|(name, all)| (name.to_owned(), columns(all))).collect()
}

fn report() -> Report {
    let tables = [
        "growth.customers",
        "growth.revenue",
        "retention.cohorts",
        "segment.rfm_summary",
        "segment.pareto_summary",
        "segment.at_risk",
    ];
    let names = ["growth", "growth_revenue", "cohorts", "segments", "pareto", "at_risk"];
    Report {
        name: "executive".parse().expect("a name"),
        title: "Customer health".into(),
        template: "executive.html".into(),
        data: names
            .iter()
            .zip(tables)
            .map(|(n, t)| ((*n).to_owned(), (t.parse().expect("a table"), place())))
            .collect(),
        subject: "Customer health".into(),
        recipients: vec![],
        shared: std::collections::BTreeSet::new(),
        pdf: false,
        when: crate::config::When::Always,
        recipients_from: None,
        deliver_by: None,
        workbook: true,
        place: place(),
    }
}

/// A company with a good November.
fn input() -> ReportInput {
    use Cell::{Boolean, Date, Decimal, Integer, Number, Text};
    let wave = |back: u32, base: f64, slope: f64| {
        let season =
            [0.0, 1.32, 1.12, 1.03, 0.9, 0.94, 0.97, 1.02, 0.96, 0.93, 0.88, 0.86, 1.1, 1.2, 1.05, 0.98][back as usize];
        if back == 0 { base * 0.31 } else { base * season * (1.0 - slope * f64::from(back)) }
    };
    let kpis = vec![
        series(
            kpi("net_revenue", "Net revenue", Unit::Money("£".into()), Direction::Up, Some(1_000_000.0)),
            |b| wave(b, 940_000.0, 0.006),
            2660,
            None,
        ),
        series(
            kpi("active_customers", "Active customers", Unit::Count, Direction::Up, Some(1_700.0)),
            |b| wave(b, 1_280.0, 0.004),
            1680,
            None,
        ),
        series(
            kpi("average_order", "Average order", Unit::Money("£".into()), Direction::Up, None),
            |b| 412.4 - 3.1 * f64::from(b % 5),
            2660,
            None,
        ),
        series(
            kpi("repeat_rate", "12-month repeat rate", Unit::Share, Direction::Up, Some(0.65)),
            |b| 0.652 - 0.002 * f64::from(b),
            3921,
            Some(0.018),
        ),
        series(
            kpi("retention", "Monthly retention", Unit::Share, Direction::Up, Some(0.4)),
            |b| {
                [
                    0.12, 0.442, 0.381, 0.372, 0.36, 0.351, 0.37, 0.382, 0.363, 0.356, 0.341, 0.35, 0.393, 0.415, 0.38,
                    0.37,
                ][b as usize]
            },
            1364,
            Some(0.026),
        ),
        series(
            kpi("return_rate", "Return rate", Unit::Share, Direction::Down, Some(0.02)),
            |b| 0.0262 + 0.0011 * f64::from(b % 4),
            2660,
            Some(0.006),
        ),
        series(kpi("nps", "NPS", Unit::Score, Direction::Up, Some(30.0)), |b| 24.0 + f64::from(b % 3), 22, Some(17.0)),
        series(kpi("csat", "Satisfied with service", Unit::Share, Direction::Up, None), |_| 0.9, 7, Some(0.3)),
    ];
    let mut tables: BTreeMap<String, Table> =
        schemas().into_iter().map(|(name, columns)| (name, Table { columns, rows: Vec::new() })).collect();
    let mut add = |name: &str, row: Vec<Cell>| tables.get_mut(name).expect("a table").rows.push(row);
    for (back, active, new, retained, resurrected, churned) in
        [(2, 1364, 352, 687, 325, 579), (1, 1664, 323, 936, 405, 428), (0, 615, 41, 470, 104, 1194)]
    {
        let numbers = [active, new, retained, resurrected, churned].map(Integer);
        add("growth", [vec![Date(month(back))], numbers.to_vec(), vec![Boolean(back == 0)]].concat());
    }
    for (back, numbers) in [
        (2, ["1039318.79", "181000.10", "120400.00", "301200.55", "-143000.20", "-180300.00"]),
        (1, ["1161817.38", "156200.00", "171940.50", "289350.09", "-261991.99", "-233000.01"]),
        (0, ["338000.00", "10000.00", "20000.00", "30000.00", "-400000.00", "-480000.00"]),
    ] {
        let numbers = numbers.map(|n| Decimal(n.into()));
        add("growth_revenue", [vec![Date(month(back))], numbers.to_vec(), vec![Boolean(back == 0)]].concat());
    }
    for cohort in 0..13_u32 {
        let size = if cohort == 9 {
            22
        } else if cohort == 11 {
            7
        } else {
            180 + i64::from(cohort * 37 % 90)
        };
        for index in 0..=cohort {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let share = if index == 0 {
                1.0
            } else {
                (0.23
                    + 0.06 * f64::from((cohort + index * 5) % 7) / 7.0
                    + 0.008 * f64::from(index) * size as f64 / 200.0)
                    .min(1.0)
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small")]
            let customers = (share * size as f64) as i64;
            add(
                "cohorts",
                vec![
                    Date(month(cohort)),
                    Integer(i64::from(index)),
                    Integer(customers),
                    Integer(size),
                    Number(share),
                    Boolean(index == cohort),
                ],
            );
        }
    }
    for (segment, customers, share, net, net_share, days) in [
        ("Champions", 912, 0.21, "5120400.10", 0.605, 12.0),
        ("Loyal", 866, 0.199, "1610200.00", 0.19, 38.5),
        ("Promising", 540, 0.124, "402100.00", 0.047, 31.0),
        ("New", 398, 0.092, "151000.00", 0.018, 22.0),
        ("At risk", 611, 0.141, "790000.00", 0.093, 148.0),
        ("Asleep", 1012, 0.233, "398000.00", 0.047, 265.0),
        ("Odd ones", 3, 0.001, "90.00", 0.0, 300.0),
    ] {
        add(
            "segments",
            vec![
                Text(segment.into()),
                Integer(customers),
                Number(share),
                Decimal(net.into()),
                Number(net_share),
                Number(days),
            ],
        );
    }
    for (tier, customers, share, net, net_share) in [
        ("Top 1 %", 43, 0.01, "2700000.00", 0.319),
        ("Next 9 %", 391, 0.09, "2500000.00", 0.295),
        ("Next 40 %", 1735, 0.4, "2590000.00", 0.306),
        ("Last 50 %", 2170, 0.5, "680000.00", 0.08),
    ] {
        add(
            "pareto",
            vec![Text(tier.into()), Integer(customers), Number(share), Decimal(net.into()), Number(net_share)],
        );
    }
    for (customer, net, alive, action) in [
        ("5bdcc146bf", "77183.60", 0.09, "offer"),
        ("0c1de37f88", "44534.30", 0.31, "call"),
        ("a41c09be77", "21008.00", 0.5, "call"),
    ] {
        add(
            "at_risk",
            vec![
                Text(customer.into()),
                Text("At risk".into()),
                Text("Gold".into()),
                Date(month(6)),
                Decimal(net.into()),
                Number(alive),
                Number(310.0),
                Text(action.into()),
            ],
        );
    }
    let outcome = |check: &str, severity, status, bad_rows, note: Option<&str>| CheckOutcome {
        table: "core.order_lines".parse().expect("a table"),
        check: check.into(),
        severity,
        status,
        bad_rows,
        rows: 541_909,
        note: note.map(Into::into),
    };
    ReportInput {
        pipeline: "customer-health".parse().expect("a name"),
        as_of: AsOf(start_of_day(NaiveDate::from_ymd_opt(2011, 12, 10).expect("a date"), chrono_tz::Europe::London)),
        interval: "2011-12-09".into(),
        content: Fingerprint::of_bytes(b"content"),
        reproducible: true,
        alerts: vec![],
        restatements: vec![],
        sources: vec![
            SourceLine {
                name: "orders".parse().expect("a name"),
                latest_export: NaiveDate::from_ymd_opt(2011, 12, 9),
                exports: 305,
                balance: Balance { read: 541_909, landed: 536_639, quarantined: 2, deduplicated: 5_268 },
            },
            SourceLine {
                name: "customers".parse().expect("a name"),
                latest_export: None,
                exports: 1,
                balance: Balance { read: 4_372, landed: 4_372, quarantined: 0, deduplicated: 0 },
            },
        ],
        checks: vec![
            outcome("unique(order_id, line)", Severity::Error, CheckStatus::Passed, 0, None),
            outcome("net is not far from gross", Severity::Warn, CheckStatus::Noted, 214, Some("more than 50 % off")),
            outcome("row_change", Severity::Info, CheckStatus::Passed, 0, Some("no snapshot before this one")),
        ],
        kpis,
        tables,
        page: None,
        unsubscribe: false,
    }
}

fn rendered(input: &ReportInput) -> Rendered {
    render(&compile(&shipped()).expect("templates"), &report(), input, Locale::En).expect("a report")
}

/// Pages to look at, in `$CARGO_TARGET_TMPDIR` or the machine's folder for such things.
fn keep(name: &str, page: &str) {
    let folder = std::env::temp_dir().join("matins-report-preview");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), page).expect("a page");
}

#[test]
fn the_executive_report_says_what_the_numbers_bear_out() {
    let page = rendered(&input());
    keep("full.html", &page.html);
    keep("full.txt", &page.text);
    assert!(page.html.len() < 95_000, "{} bytes", page.html.len());
    let style: usize = page.html.split("<style>").skip(1).map(|s| s.find("</style>").expect("an end")).sum();
    assert!(style < 16_000, "{style} bytes of style");
    assert_eq!(page.subject, "Customer health · 2011-12-09 · Net revenue +18.6\u{202f}% · 1 data remark");
    for told in [
        "Net revenue rose by 18.6\u{202f}% to £1.23M in Nov 2011, from £1.04M in Oct 2011",
        "; that is 18.6\u{202f}% above Nov 2010.",
        // Clear of last month's interval, and so in colour; the repeat rate's change is not.
        "<b class=\"good\">▲&nbsp;+6.1\u{202f}pp</b>",
        "<b class=\"even\">▲&nbsp;+0.2\u{202f}pp</b>",
        "Monthly retention rose by 6.1\u{202f}pp to 44.2\u{202f}% in Nov 2011, from 38.1\u{202f}% in Oct 2011.",
        "n&nbsp;=&nbsp;2,660",
        "541,909",
        "Every source balances",
        "<th scope=\"row\">Oct 2011</th>",
        "Figures through 9 December 2011",
        "<th scope=\"row\"",
    ] {
        assert!(page.html.contains(told), "{told}");
    }
    // The repeat rate moved within its interval, the average order by less than 5 %.
    assert!(!page.html.contains("12-month repeat rate rose") && !page.html.contains("Average order rose"));
    // Seven answers are no satisfaction rate, and three customers no segment.
    assert!(!page.html.contains("90.0\u{202f}%") && page.html.contains("too few"));
    assert!(page.html.contains("under 5") && !page.html.contains("£90<"));
    assert!(page.text.contains("Net revenue: £1.23M (Nov 2011, n = 2,660)"), "{}", page.text);
    assert!(!page.html.contains("<script") && !page.html.contains("http"), "neither scripts nor anything from outside");
}

#[test]
fn alerts_and_restatements_are_told() {
    let mut input = input();
    let retention = input.kpis[4].kpi.clone();
    let restated = |value: f64, n: i64| Restatement {
        kpi: retention.clone(),
        period: month(3),
        was: Some(0.40),
        value: Some(value),
        n: Some(n),
    };
    // A change of half a per cent or less is noted and not told, and so is the figure of a handful of people.
    input.restatements = vec![restated(0.4019, 900), restated(0.39, 9), restated(0.372, 900)];
    input.alerts = vec![Alert {
        kpi: retention.name.clone(),
        period: month(1),
        what: AlertKind::Below,
        value: 0.44,
        against: 0.5,
        message: "Monthly retention <b> lay below 50 %".into(),
        since: "2011-12-01".into(),
    }];
    let page = rendered(&input);
    for text in [&page.html.replace("&lt;b&gt;", "<b>"), &page.text] {
        assert!(text.contains("Monthly retention <b> lay below 50 %"), "{text}");
        let sentence =
            "Monthly retention of the period from 1 Sep 2011 was published as 40.0\u{202f}% and is now 37.2\u{202f}%.";
        assert_eq!(text.matches(sentence).count(), 1, "{text}");
    }
    assert!(page.html.contains("&lt;b&gt;"), "a text from outside is escaped");
}

#[test]
fn the_same_figures_are_the_same_bytes() {
    assert_eq!(rendered(&input()), rendered(&input()));
}

/// What Gmail and Outlook take out or do not know is not in a mail, however full the report; and it stays below the size at
/// which they cut.
#[test]
fn a_mail_holds_only_what_mail_programs_show() {
    for locale in Locale::ALL {
        let templates = compile(&shipped()).expect("templates");
        let mail = render(&templates, &report(), &input(), locale).expect("a report");
        keep(&format!("mail.{}.html", locale.tag()), &mail.mail_html);
        let html = &mail.mail_html;
        assert!(html.len() < 80_000, "{} bytes", html.len());
        for foreign in
            ["<svg", "data:", "<script", "<link", "display:flex", "display:grid", "<section", "var(--", "href="]
        {
            assert!(!html.contains(foreign), "{foreign}");
        }
        // Styles stand in the elements; what must stand in the head (dark mode, small screens) stays small.
        let style: usize = html.split("<style>").skip(1).map(|s| s.find("</style>").expect("an end")).sum();
        assert!(style < 8_000, "{style} bytes of style");
        assert!(html.contains("prefers-color-scheme:dark") && html.contains("[data-ogsc]"));
        assert_eq!(html.matches("<table").count(), html.matches("</table>").count());
        let wanted: std::collections::BTreeSet<&str> =
            html.split("src=\"cid:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let sent: std::collections::BTreeSet<&str> = mail.images.iter().map(|i| i.id.as_str()).collect();
        assert!(wanted == sent && sent.len() >= 6, "{wanted:?} {sent:?}");
        assert!(mail.images.iter().all(|i| i.png.len() < 200_000));
        assert!(!html.contains("alt=\"\""), "every picture says what it shows");
        assert_eq!(render(&templates, &report(), &input(), locale).expect("again"), mail, "byte for byte");
    }
}

/// One link to the archived page where there is one, and one out of the list where there is a way; the page has neither.
#[test]
fn a_mail_leads_to_its_page_and_out_of_the_list() {
    let templates = compile(&shipped()).expect("templates");
    let address = "https://reports.example.com/reports/customer-health/all.en.html";
    for locale in Locale::ALL {
        let alone = render(&templates, &report(), &input(), locale).expect("a report");
        let told = ReportInput { page: Some(address.into()), unsubscribe: true, ..input() };
        let told = render(&templates, &report(), &told, locale).expect("a report");
        keep(&format!("links.{}.html", locale.tag()), &told.mail_html);
        assert_eq!(told.html, alone.html, "the page is the same wherever it is shown");
        assert_eq!(told.mail_html.matches("href=").count(), 2);
        for link in [format!("href=\"{address}\""), format!("href=\"{UNSUBSCRIBE}\"")] {
            let (_, tag) = told.mail_html.split_once(&link).unwrap_or_else(|| panic!("no {link}"));
            let (tag, _) = tag.split_once('>').expect("the end of a tag");
            assert!(tag.contains("style=\"color:#00639c\""), "Outlook wants its colour in the element: {tag}");
        }
        assert!(told.text.contains(address) && told.text.contains(UNSUBSCRIBE), "{}", told.text);
        assert!(!alone.text.contains("https://") && !alone.text.contains(UNSUBSCRIBE));
    }
}

/// The company's own colours are where the shipped ones were, in the page and in the mail.
#[test]
fn a_theme_of_ones_own_is_in_page_and_mail() {
    let own = [
        ("accent", "#5b2a86", "#14324d"),
        ("page", "#fffefa", "#fdfdfb"),
        ("around", "#ece7f2", "#f0efea"),
        ("panel", "#f6f2fa", "#f4f6f7"),
        ("ink", "#20182a", "#1c2126"),
        ("muted", "#5d5468", "#59636d"),
        ("good", "#006b5b", "#00639c"),
        ("bad", "#9b3d12", "#a04a00"),
        ("up", "#00806c", "#0072b2"),
        ("down", "#c26a1b", "#c97500"),
        ("dark_page", "#1b1622", "#191d21"),
        ("dark_accent", "#cbb1e8", "#9cc9ec"),
    ];
    let lines: Vec<String> = own.iter().map(|(name, colour, _)| format!("{name}: \"{colour}\"\n")).collect();
    let mut files = shipped();
    let theme = format!("brand: Hartwell & Finch\nlogo: H & F\n{}", lines.concat());
    files.insert("theme.yaml".into(), SourceText::new("report-templates/theme.yaml", theme));
    let templates = compile(&files).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let page = render(&templates, &report(), &input(), Locale::En).expect("a report");
    keep("theme.html", &page.html);
    keep("theme.mail.html", &page.mail_html);
    for (medium, html) in [("page", &page.html), ("mail", &page.mail_html)] {
        assert!(html.contains("H &amp; F") && !html.contains("Matins"), "the brand in the {medium}");
        for (name, colour, shipped) in own {
            assert!(html.contains(colour), "`{name}` in the {medium}");
            assert!(!html.contains(shipped), "the shipped `{name}` is still in the {medium}");
        }
    }
}

#[test]
fn a_chinese_reader_gets_chinese() {
    let templates = compile(&shipped()).expect("templates");
    let mut input = input();
    input.kpis[0].kpi.labels.insert("zh-Hans".into(), "净收入".into());
    let page = render(&templates, &report(), &input, Locale::ZhHans).expect("a report");
    keep("zh.html", &page.html);
    for told in [
        "lang=\"zh-Hans\"",
        "2011-11 净收入为 £123万，较 2011-10 的 £104万 上升 18.6%",
        "活跃客户从何而来",
        "数据截至 2011-12-09",
    ] {
        assert!(page.html.contains(told), "{told}");
    }
    assert!(page.text.contains("这些数字可信吗？") && page.subject.ends_with("1 项数据备注"), "{}", page.subject);
    assert!(!page.html.contains("What changed") && !page.html.contains("on Oct"));
}

/// Who reads only the text misses no section, no figure and no definition of the page.
#[test]
fn the_text_alone_tells_the_whole_story() {
    let templates = compile(&shipped()).expect("templates");
    let mut input = input();
    for kpi in &mut input.kpis {
        kpi.kpi.labels.insert("zh-Hans".into(), format!("指标 {}", kpi.kpi.name));
    }
    for locale in Locale::ALL {
        let page = render(&templates, &report(), &input, locale).expect("a report");
        keep(&format!("{}.txt", locale.tag()), &page.text);
        let between = |open: &str, close: &str| -> Vec<String> {
            let parts = page.html.split(open).skip(1).filter_map(|rest| rest.split_once(close));
            parts.map(|(inside, _)| inside.trim().to_owned()).filter(|inside| !inside.contains('<')).collect()
        };
        let (titles, figures) = (between("<h2>", "</h2>"), between("<p class=\"value\">", "</p>"));
        assert!(titles.len() >= 8 && figures.len() >= 5, "{titles:?} {figures:?}");
        for told in titles.iter().chain(&figures) {
            assert!(page.text.contains(told.as_str()), "{told}\n{}", page.text);
        }
        for kpi in input.kpis.iter().filter_map(|k| k.definition.as_deref()) {
            assert!(locale != Locale::En || page.text.contains(kpi), "{kpi}");
        }
    }
}

#[test]
fn what_a_catalogue_lacks_fails_the_check() {
    let mut files = shipped();
    let short = "growth:\n  title: 活跃客户\n";
    files.insert("locales/zh-Hans.yaml".into(), SourceText::new("report-templates/locales/zh-Hans.yaml", short));
    let kpis: Vec<Kpi> = input().kpis.into_iter().map(|k| k.kpi).collect();
    let found = check(&compile(&files).expect("templates"), &report(), &kpis, &schemas());
    let missing = |key: &str| {
        let says = format!("`report-templates/locales/zh-Hans.yaml` has no phrase `{key}`");
        found.0.iter().any(|d| d.code == "missing-phrase" && d.message == says)
    };
    assert!(missing("revenue.title") && !missing("growth.title"), "{found:#?}");
}

#[test]
fn hostile_names_stay_in_their_cells() {
    let mut input = input();
    let hostile = [
        "<script>alert(1)</script>",
        "=cmd()|'/c calc'!A0",
        "\u{202e}gpj.exe\u{202c}",
        "\"><img src=x onerror=1>",
        "{{ title }}",
        "👩‍💻\r\nBcc: x@y",
    ];
    for (row, name) in input.tables.get_mut("at_risk").expect("a table").rows.iter_mut().zip(hostile) {
        row[0] = Cell::Text(name.into());
    }
    for (row, name) in input.tables.get_mut("segments").expect("a table").rows.iter_mut().zip(hostile) {
        row[0] = Cell::Text(name.into());
    }
    input.kpis[0].kpi.label = hostile[0].into();
    input.kpis[1].kpi.label = hostile[3].into();
    input.checks[1].note = Some(hostile[3].into());
    let mut report = report();
    report.title = hostile[3].into();
    report.subject = "a\r\nBcc: everyone@example.com".into();
    let page = render(&compile(&shipped()).expect("templates"), &report, &input, Locale::En).expect("a report");
    keep("hostile.html", &page.html);
    assert!(!page.html.contains("<script") && !page.html.contains("<img"));
    assert!(page.html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.html.contains("{{ title }}") && page.html.contains("👩‍💻"));
    assert!(!page.html.contains('\u{202e}') && !page.text.contains('\u{202e}'));
    assert!(!page.subject.contains(['\r', '\n']));
}

#[test]
fn sections_without_a_table_are_left_out_and_empty_ones_say_so() {
    let kpis: Vec<Kpi> = input().kpis.into_iter().map(|k| k.kpi).collect();
    let empty = rendered(&fixture(&kpis, &schemas(), Fill::Empty));
    keep("empty.html", &empty.html);
    assert_eq!(empty.html.matches("No data yet").count(), 6);
    assert!(empty.html.contains("no closed period yet"));
    let bare = rendered(&ReportInput { tables: BTreeMap::new(), kpis: Vec::new(), ..input() });
    keep("bare.html", &bare.html);
    assert!(!bare.html.contains("No data yet") && !bare.html.contains("Segments"));
    assert!(bare.html.contains("No KPI is declared yet"));
}

/// A forecast of each series that is named, with its MASE, and eight weeks that were.
fn with_forecast(mut input: ReportInput, rows: &[(&str, Option<f64>)]) -> ReportInput {
    use ColumnType::{Date, Number, Text};
    let numbers = ["value", "low80", "high80", "low95", "high95", "mase"].map(|name| (name, Number));
    let named = [[("series", Text), ("period", Date), ("method", Text)].as_slice(), &numbers].concat();
    let mut forecast = Table { columns: columns(&named), rows: Vec::new() };
    for (series, mase) in rows {
        let better = mase.is_some_and(|m| m < 1.0);
        let number = |v: f64| if better { Cell::Number(v) } else { Cell::Null };
        for step in 1..=3 {
            let begins = if *series == "weekly" {
                month(0) + chrono::Days::new(7 * step)
            } else {
                month(0) + Months::new(u32::try_from(step).expect("small"))
            };
            let method = if better { "Holt–Winters" } else { "season before" };
            let head =
                [Cell::Text((*series).into()), Cell::Date(begins), Cell::Text(method.into()), Cell::Number(4321.0)];
            let bounds = [4200.0, 4400.0, 4100.0, 4500.0].map(number);
            forecast.rows.push([head.as_slice(), &bounds, &[mase.map_or(Cell::Null, Cell::Number)]].concat());
        }
    }
    let weeks = (1..=8).map(|back| vec![Cell::Date(month(0) - chrono::Days::new(7 * back)), Cell::Number(4000.0)]);
    let weeks = Table { columns: columns(&[("week", Date), ("revenue", Number)]), rows: weeks.collect() };
    input.tables.extend([("forecast".to_owned(), forecast), ("weeks".to_owned(), weeks)]);
    input
}

#[test]
fn a_forecast_is_of_months_else_of_weeks_else_none_and_says_why() {
    // What it is forecast from, what is said, and what is not.
    type Case<'a> = (&'a [(&'a str, Option<f64>)], &'a [&'a str], &'a [&'a str]);
    const SHORT: &str = "Months cannot be forecast yet: that takes two whole years, and a third to try it on.";
    const BETTER: &str = "Over the last 13 weeks its error was 0.70 times that of “as the week before”.";
    const WORSE: &str = "Over the last 13 weeks no model of weeks beat “as the week before” either, so none is shown.";
    let week = "Seven days from";
    let cases: [Case<'_>; 6] = [
        (
            &[("monthly", Some(0.5)), ("weekly", Some(0.7))],
            &["by Holt–Winters. Its error", "Jan 2012"],
            &[SHORT, week, BETTER],
        ),
        (
            &[("monthly", Some(1.5)), ("weekly", Some(0.7))],
            &["For months, no model", BETTER, week, "8 Dec 2011"],
            &[SHORT, "Jan 2012"],
        ),
        (
            &[("monthly", None), ("weekly", Some(1.2))],
            &["no model is known to beat that", WORSE, "Jan 2012"],
            &[SHORT, week],
        ),
        (&[("weekly", Some(0.7))], &[SHORT, BETTER, week, "8 Dec 2011"], &[WORSE]),
        (&[("weekly", Some(1.2))], &[SHORT, WORSE], &[week, "4,321"]),
        (&[("weekly", None)], &[SHORT, "that takes fifteen whole ones"], &[WORSE, week, "4,321"]),
    ];
    for (at, (rows, told, not_told)) in cases.into_iter().enumerate() {
        let page = rendered(&with_forecast(input(), rows));
        keep(&format!("forecast-{at}.html"), &page.html);
        let (_, section) = page.html.split_once("<h2>What to expect</h2>").expect("the section");
        let (section, _) = section.split_once("</section>").expect("its end");
        let (_, text) = page.text.split_once("# What to expect").expect("the section");
        let (text, _) = text.split_once("\n# ").expect("its end");
        for (shown, what) in [("page", section), ("text", text)] {
            for words in told {
                assert!(what.contains(words), "case {at}: no `{words}` in the {shown}: {what}");
            }
            for words in not_told {
                assert!(!what.contains(words), "case {at}: `{words}` in the {shown}: {what}");
            }
        }
    }
}

#[test]
fn the_shipped_template_has_no_mistake() {
    let kpis: Vec<Kpi> = input().kpis.into_iter().map(|k| k.kpi).collect();
    let found = check(&compile(&shipped()).expect("templates"), &report(), &kpis, &schemas());
    assert!(found.is_empty(), "{found:#?}");
}

fn found_in(template: &str) -> Vec<(Level, &'static str, String, String)> {
    let file = SourceText::new("report-templates/executive.html", template);
    let templates = match compile(&BTreeMap::from([("executive.html".to_owned(), file)])) {
        Ok(templates) => templates,
        Err(mistakes) => return described(&mistakes),
    };
    let report = Report { data: BTreeMap::new(), ..report() };
    let kpis: Vec<Kpi> = input().kpis.into_iter().map(|k| k.kpi).collect();
    described(&check(&templates, &report, &kpis, &schemas()))
}

fn described(mistakes: &crate::base::Diagnostics) -> Vec<(Level, &'static str, String, String)> {
    let place = |d: &crate::base::Diagnostic| d.place.as_ref().map(ToString::to_string).unwrap_or_default();
    mistakes
        .0
        .iter()
        .map(|d| (d.level, d.code, format!("{} {}", place(d), d.message), d.help.clone().unwrap_or_default()))
        .collect()
}

#[test]
fn a_template_s_mistakes_are_found_where_they_stand() {
    let at = "report-templates/executive.html";
    for (template, message, help) in [
        ("<p>\n{{ titel }}</p>", format!("{at}:2:4 variable `titel` is not defined"), "did you mean `title`?"),
        (
            "{% for k in kpis %}{{ k.lable }}{% endfor %}",
            format!("{at}:1:25 field `lable` is not defined"),
            "did you mean `label`?",
        ),
        (
            "{% for r in data.growth.rows %}{{ r.actve }}{% endfor %}",
            format!("{at}:1:37 field `actve` is not defined"),
            "did you mean `active`?",
        ),
        (
            "{{ kpi.net_revenu.text }}",
            format!("{at}:1:8 field `net_revenu` is not defined"),
            "did you mean `net_revenue`?",
        ),
        ("{% if title %}\n<p>", format!("{at}:1:15 unexpected end of input"), ""),
        ("{{ title | shuot }}", format!("{at}:1:"), ""),
        ("{% include \"nowhere.html\" %}", format!("{at}:1:"), ""),
        ("{{ data.growth | waterfall(total=\"actve\", up=[], down=[]) }}", format!("{at}:1:"), ""),
    ] {
        let found = found_in(template);
        let hit = found
            .iter()
            .any(|(level, _, m, h)| *level == Level::Error && m.starts_with(&message) && h.starts_with(help));
        assert!(hit, "{template}: {found:#?}");
    }
    let hidden = found_in("{% if not title %}{{ tilte }}{% endif %}");
    assert_eq!(hidden[0].1, "unknown-name", "{hidden:#?}");
    assert!(hidden[0].3.contains("`title`") && hidden[0].2.starts_with(&format!("{at}:1:22")), "{hidden:#?}");
    let random = found_in(
        "{% for name, k in kpi %}{{ name }}{% endfor %}{% for name, k in kpi.net_revenue %}{{ name }}{% endfor %}",
    );
    assert!(random.iter().any(|m| m.1 == "template-not-repeatable"), "{random:#?}");
}

#[test]
fn a_missing_template_and_data_that_is_not_shown_are_told() {
    let templates = compile(&shipped()).expect("templates");
    let mut wrong = report();
    wrong.template = "executiv.html".into();
    let found = check(&templates, &wrong, &[], &schemas());
    assert_eq!(
        (found.0[0].code, found.0[0].help.as_deref()),
        ("unknown-template", Some("did you mean `executive.html`?"))
    );
    assert!(matches!(render(&templates, &wrong, &input(), Locale::En), Err(ReportError::UnknownTemplate { .. })));
    let mut misspelt = report();
    let growth = misspelt.data.remove("growth").expect("growth");
    misspelt.data.insert("grwth".into(), growth);
    let found = check(&templates, &misspelt, &[], &schemas());
    assert_eq!(
        (found.0[0].code, found.0[0].help.as_deref()),
        ("unused-data", Some("did you mean `growth`?")),
        "{found:#?}"
    );
}

#[test]
fn what_the_author_of_a_template_may_use_is_what_the_check_knows() {
    let (words, _) = super::words::Words::of(Locale::En, &BTreeMap::new());
    let (theme, _) = super::theme::Theme::of(&BTreeMap::new());
    let view = super::context::view(&report(), &input(), &words);
    let context = super::context::context(&report(), &input(), &view, &words, &theme, "web");
    for name in super::check::KNOWN {
        assert!(context.contains_key(name), "{name}");
    }
}

#[test]
fn below_its_gate_every_figure_is_struck_and_nothing_is_said_of_it() {
    let mut input = input();
    let mut trust =
        series(kpi("data_quality", "Data quality", Unit::Share, Direction::Up, Some(0.95)), |_| 0.79, 900, None);
    trust.kpi.gate = Some(0.8);
    input.kpis.push(trust);
    let page = rendered(&input);
    assert!(page.subject.contains(" · figures not reliable"), "{}", page.subject);
    for html in [&page.html, &page.mail_html] {
        assert!(html.contains("Data quality: not reliable"));
        assert!(html.contains("<s>") && html.contains("the data behind it is not reliable"));
        assert!(html.contains("Nothing can be said") && !html.contains("Net revenue rose"));
    }
    assert!(page.text.contains("the data behind it is not reliable") && page.text.contains("Nothing can be said"));
    // At the gate it is not below it.
    let last = input.kpis.last_mut().expect("the one above");
    last.points.iter_mut().for_each(|p| p.value = Some(0.8));
    assert!(!rendered(&input).mail_html.contains("<s>"));
}

#[test]
fn a_change_between_few_cases_has_no_colour() {
    let mut input = input();
    let change = "▲&nbsp;+18.6\u{202f}%</b>";
    assert!(rendered(&input).html.contains(&format!("<b class=\"good\">{change}")));
    input.kpis[0].points.iter_mut().for_each(|p| p.n = Some(29));
    assert!(rendered(&input).html.contains(&format!("<b class=\"even\">{change}")));
}
