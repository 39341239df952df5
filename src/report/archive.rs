//! The pages around reports: an index by date, and for each figure a page that says why it is what it is. Their templates are
//! the program's own, because what they say is the same for every project.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tera::{Context, Tera};

use super::input::ReportInput;
use super::number::tame;
use crate::config::Locale;

const STYLE: &str = include_str!("archive/style.css");

/// Everything that is known of one figure, in words.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WhyPage {
    pub kpi: String,
    pub label: String,
    pub pipeline: String,
    /// As people read it.
    pub figure: String,
    pub period: String,
    pub as_of: String,
    pub snapshot: u64,
    pub run: String,
    /// The sample, numerator and denominator, the interval.
    pub details: String,
    pub definition: Option<String>,
    pub formula: Option<String>,
    pub rules: Vec<String>,
    pub remarks: Vec<String>,
    pub breakdown: Vec<WhyPart>,
    pub tables: Vec<WhyTable>,
    /// What is to be said of tables whose names bear a mark.
    pub marked: Option<String>,
    pub sources: Vec<WhySource>,
    pub checks: Vec<WhyCheck>,
    /// Below the project.
    pub file: String,
    pub sql: String,
}

/// One value of a breakdown.
#[derive(Debug, Clone, Serialize)]
pub struct WhyPart {
    pub name: String,
    pub figure: String,
    pub details: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct WhyTable {
    pub name: String,
    pub rows: String,
    pub fingerprint: String,
    pub file: String,
    pub reads: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct WhySource {
    pub name: String,
    pub balance: String,
    /// The newest first.
    pub exports: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WhyCheck {
    pub table: String,
    pub rule: String,
    pub severity: String,
    pub status: String,
    pub bad: String,
}

/// One report of one snapshot, as the index lists it. Paths are below the pipeline's folder of reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    pub as_of: String,
    pub snapshot: u64,
    pub report: String,
    pub title: String,
    pub pages: Vec<Link>,
    pub figures: Vec<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    pub path: String,
}

#[derive(Serialize)]
struct Day<'a> {
    as_of: &'a str,
    reports: Vec<&'a Archived>,
}

pub fn why_page(why: &WhyPage) -> Result<String, tera::Error> {
    let mut context = Context::new();
    context.insert("w", why);
    page("why.html", include_str!("archive/why.html"), context)
}

/// A report's page as the archive keeps it: at its end, the way from each figure to what it was made from, and to the index.
/// The mail of the report is without, because these links are relative to where the page lies.
pub fn with_sources(html: &str, locale: Locale, input: &ReportInput) -> String {
    let (question, all) = match locale {
        Locale::En => ("Why are these numbers what they are?", "All reports"),
        Locale::ZhHans => ("这些数字从何而来？", "全部报告"),
    };
    let explained = input.kpis.iter().filter(|k| k.kpi.shown && k.points.iter().any(|p| !p.provisional));
    let figures: Vec<String> = explained
        .map(|series| {
            let kpi = &series.kpi;
            let label = kpi.labels.get(locale.tag()).unwrap_or(&kpi.label);
            format!("<li><a href=\"../why/{}.html\">{}</a></li>", kpi.name, escaped(&tame(label)))
        })
        .collect();
    let list =
        if figures.is_empty() { String::new() } else { format!("<h2>{question}</h2><ul>{}</ul>", figures.concat()) };
    let index = format!("<p><a href=\"../../../index.html\">{all}</a></p>");
    let nav = format!("<nav class=\"why\" aria-label=\"{question}\">{list}{index}</nav>\n");
    match html.rfind("</body>") {
        Some(at) => format!("{}{nav}{}", &html[..at], &html[at..]),
        None => format!("{html}{nav}"),
    }
}

/// The names of the figures whose explanation a page leads to.
pub fn explained(html: &str) -> BTreeSet<String> {
    let links = html.split("href=\"../why/").skip(1).filter_map(|rest| rest.split_once(".html\""));
    links.map(|(name, _)| name.to_owned()).collect()
}

/// The newest day first.
pub fn index_page(pipeline: &str, all: &[Archived]) -> Result<String, tera::Error> {
    let mut sorted: Vec<&Archived> = all.iter().collect();
    sorted.sort_by(|a, b| (&b.as_of, b.snapshot, &a.report).cmp(&(&a.as_of, a.snapshot, &b.report)));
    let days: Vec<Day<'_>> = sorted
        .chunk_by(|a, b| a.as_of == b.as_of)
        .map(|day| Day { as_of: day.first().map_or("", |d| d.as_of.as_str()), reports: day.to_vec() })
        .collect();
    let mut context = Context::new();
    context.insert("pipeline", &tame(pipeline));
    context.insert("days", &days);
    page("index.html", include_str!("archive/index.html"), context)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(name: &'static str, text: &'static str, mut context: Context) -> Result<String, tera::Error> {
    let mut tera = Tera::new();
    tera.autoescape_on([".html"]);
    tera.add_raw_template(name, text)?;
    context.insert("style", STYLE);
    tera.render(name, &context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_what_they_are_given_and_escape_it() {
        let part = WhyPart { name: "<script>".into(), figure: "1".into(), details: String::new() };
        let source =
            WhySource { name: "orders".into(), balance: "3 rows".into(), exports: vec!["erp/2024-01-01.csv".into()] };
        let why = WhyPage {
            kpi: "net_revenue".into(),
            label: "Net & gross".into(),
            sql: "SELECT 1 WHERE 1 < 2".into(),
            breakdown: vec![part],
            sources: vec![source],
            marked: Some("* of closed months".into()),
            ..WhyPage::default()
        };
        let html = why_page(&why).expect("a page");
        assert!(html.contains("Net &amp; gross") && html.contains("1 &lt; 2") && !html.contains("<script>"), "{html}");
        assert!(html.contains("erp") && html.contains("2024-01-01.csv") && html.contains("<p>* of closed months</p>"));
    }

    #[test]
    fn a_page_leads_to_what_its_figures_were_made_from() {
        use crate::config::{Comparison, Direction, Kpi, Unit};
        let place = crate::base::Place::file(&crate::base::SourceText::new("a", ""));
        let kpi = Kpi {
            name: "net".parse().expect("a name"),
            table: "kpi.net".parse().expect("a name"),
            label: "Net & gross".into(),
            labels: std::collections::BTreeMap::new(),
            definitions: std::collections::BTreeMap::new(),
            unit: Unit::Count,
            direction: Direction::Up,
            comparison: Comparison::Previous,
            minimum_n: 30,
            target: None,
            gate: None,
            alerts: vec![],
            shown: true,
            named: true,
            worded: false,
            place,
        };
        let input =
            crate::report::check::fixture(&[kpi], &std::collections::BTreeMap::new(), crate::report::check::Fill::Full);
        let page = with_sources("<body><p>x</p></body></html>", Locale::En, &input);
        assert!(
            page.contains("<a href=\"../why/net.html\">Net &amp; gross</a>")
                && page.ends_with("</nav>\n</body></html>"),
            "{page}"
        );
        assert_eq!(explained(&page).into_iter().collect::<Vec<_>>(), ["net"]);
        assert!(with_sources("<p>a part</p>", Locale::ZhHans, &input).contains("这些数字从何而来？"));
    }

    #[test]
    fn the_index_begins_with_the_newest_day() {
        let one = |as_of: &str, report: &str| Archived {
            as_of: as_of.into(),
            snapshot: 1,
            report: report.into(),
            title: report.into(),
            pages: vec![Link { name: "en".into(), path: format!("{as_of}/x.html") }],
            figures: vec![],
        };
        let html = index_page("shop", &[one("2024-01-02", "b"), one("2024-01-03", "a"), one("2024-01-02", "a")]);
        let html = html.expect("a page");
        let at = |text: &str| html.find(text).expect("there");
        assert!(at("<h2>2024-01-03</h2>") < at("<h2>2024-01-02</h2>"), "{html}");
        assert_eq!(html.matches("<h2>2024-01-02</h2>").count(), 1);
    }
}
