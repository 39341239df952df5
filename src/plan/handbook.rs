//! The project's handbook: a page for each KPI, their index, and the core contract, as Markdown. From what packs and heads say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::base::{PackName, SourceText, TableName};
use crate::config::{
    AlertRule, Bound, CORE, Comparison, CoreTable, Direction, Kpi, Pack, Project, Stage, Unit, core_table,
};
use crate::sql::{self, Query};

use super::wanted::value_text;

/// Every page by its path below the folder of docs.
pub fn handbook(project: &Project) -> BTreeMap<String, String> {
    let mut pages = BTreeMap::from([("core-tables.md".to_owned(), core_tables())]);
    let declaring: Vec<(&PackName, &Pack)> = project.packs.iter().filter(|(_, p)| !p.kpis.is_empty()).collect();
    let queries = queries(project);
    for (name, pack) in &declaring {
        for kpi in &pack.kpis {
            let Some(stage) = pack.stages.iter().find(|s| s.table == kpi.table) else { continue };
            pages.insert(format!("kpis/{}", file(&declaring, name, kpi)), page(name, kpi, stage, &queries));
        }
    }
    pages.insert("kpis/README.md".to_owned(), index(project, &declaring));
    pages
}

/// Two packs may have a KPI of one name, as long as no pipeline uses both.
fn file(declaring: &[(&PackName, &Pack)], pack: &PackName, kpi: &Kpi) -> String {
    let same = declaring.iter().flat_map(|(_, p)| &p.kpis).filter(|k| k.name == kpi.name).count();
    if same > 1 { format!("{}-{}.md", pack.as_str().replace('/', "-"), kpi.name) } else { format!("{}.md", kpi.name) }
}

fn queries(project: &Project) -> BTreeMap<TableName, Query> {
    let stages = project.packs.values().flat_map(|p| &p.stages);
    stages.filter_map(|s| Some((s.table.clone(), sql::parse(&s.file).ok()?))).collect()
}

const GENERATED: &str = "<!-- Written by `matins docs`: change the pack, not this page. -->\n";

fn index(project: &Project, declaring: &[(&PackName, &Pack)]) -> String {
    let count: usize = declaring.iter().map(|(_, p)| p.kpis.len()).sum();
    let mut out = format!(
        "{GENERATED}\n# KPIs\n\n{count} KPIs in {} packs. Each page says what the figure is, how it is made, what is decided at the \
         edges, and the SQL itself.\n",
        declaring.len()
    );
    for (name, pack) in project.packs.iter().filter(|(_, p)| p.description.is_some() || !p.kpis.is_empty()) {
        let _ = write!(out, "\n## `{name}`\n\n");
        if let Some(description) = &pack.description {
            let _ = writeln!(out, "{}\n", cell(description));
        }
        if !pack.params.is_empty() {
            let shown = |text: String| if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
            let params = pack.params.iter().map(|(name, (value, _))| format!("`{name}` {}", shown(value_text(value))));
            let _ = writeln!(out, "Unless a pipeline says otherwise: {}.\n", params.collect::<Vec<_>>().join(", "));
        }
        if !pack.kpis.is_empty() {
            out.push_str("| KPI | in Chinese | unit | what it is |\n| --- | --- | --- | --- |\n");
        }
        for kpi in &pack.kpis {
            let stage = pack.stages.iter().find(|s| s.table == kpi.table);
            let _ = writeln!(
                out,
                "| [{}]({}) | {} | {} | {} |",
                cell(&kpi.label),
                file(declaring, name, kpi),
                kpi.labels.get("zh-Hans").map_or(String::new(), |l| cell(l)),
                unit(&kpi.unit),
                cell(&definition(kpi, stage)),
            );
        }
        let others: Vec<&Stage> = pack.stages.iter().filter(|s| pack.kpis.iter().all(|k| k.table != s.table)).collect();
        if !others.is_empty() {
            out.push_str("\n| table | one row |\n| --- | --- |\n");
        }
        for stage in others {
            let said = stage.head.description.as_deref().unwrap_or_default();
            let _ = writeln!(out, "| [`{}`]({}) | {} |", stage.table, link(stage), cell(said));
        }
    }
    out
}

fn page(pack: &PackName, kpi: &Kpi, stage: &Stage, queries: &BTreeMap<TableName, Query>) -> String {
    let head = &stage.head;
    let mut out = format!("{GENERATED}\n# {}\n\n{}\n\n", kpi.label, definition(kpi, Some(stage)));
    out.push_str("| | |\n| --- | --- |\n");
    let mut line = |what: &str, text: &str| {
        let _ = writeln!(out, "| {what} | {} |", cell(text));
    };
    line("KPI", &format!("`{}` of pack `{pack}`", kpi.name));
    if let Some(chinese) = kpi.labels.get("zh-Hans") {
        line("in Chinese", chinese);
    }
    line("unit", unit(&kpi.unit));
    line(
        "wanted",
        match kpi.direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Neither => "neither up nor down",
        },
    );
    line(
        "compared with",
        match kpi.comparison {
            Comparison::Previous => "the period before",
            Comparison::LastYear => "the same period last year",
        },
    );
    if matches!(kpi.unit, Unit::Share | Unit::Score | Unit::Mean) {
        line("small samples", &format!("grey below n = {}, not shown below 10", kpi.minimum_n));
    }
    let alerts: Vec<String> = kpi.alerts.iter().map(|rule| alert(rule, &kpi.unit)).collect();
    if !alerts.is_empty() {
        line("alert", &format!("when it is {}, beyond what chance makes", alerts.join(", or ")));
    }
    line("table", &format!("`{}`", kpi.table));
    if let Some(grain) = &head.words.grain {
        line("grain", grain);
    }
    if !head.key.is_empty() {
        line("key", &head.key.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "));
    }
    if head.closed {
        line("as of", "the end of the last closed month");
    }
    line("made from", &sources(&kpi.table, queries));
    if let Some(formula) = &head.words.formula {
        let _ = write!(out, "\n## Formula\n\n{}\n", formula.trim());
    }
    if !head.columns.is_empty() {
        out.push_str("\n## Columns\n\n| column | meaning |\n| --- | --- |\n");
        for (column, meaning) in &head.columns {
            let _ = writeln!(out, "| `{column}` | {} |", cell(meaning));
        }
    }
    list(&mut out, "Rules at the edges", head.words.rules.iter().cloned());
    list(&mut out, "Checked on every run", head.checks.iter().map(|c| format!("`{}`", c.name)));
    list(&mut out, "Reference", head.words.reference.iter().cloned());
    let path = stage.file.path.display();
    let _ = write!(out, "\n## The SQL\n\n[`{path}`]({})\n\n```sql\n{}\n```\n", link(stage), statement(&stage.file));
    out
}

fn list(out: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        let _ = write!(out, "\n## {title}\n\n");
    }
    for item in items {
        let _ = writeln!(out, "- {}", one_line(&item));
    }
}

/// What it means in one sentence or two.
fn definition(kpi: &Kpi, stage: Option<&Stage>) -> String {
    let described = stage.and_then(|s| s.head.description.as_deref());
    one_line(kpi.definitions.get("en").map(String::as_str).or(described).unwrap_or_default())
}

/// The tables of the core contract that a table stands on, with the ones between.
fn sources(table: &TableName, queries: &BTreeMap<TableName, Query>) -> String {
    let (mut core, mut between) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = vec![table.clone()];
    while let Some(next) = waiting.pop() {
        for read in queries.get(&next).iter().flat_map(|q| q.reads.keys()) {
            if core_table(read).is_some() {
                core.insert(format!("[`{read}`](../core-tables.md#{})", anchor(read)));
            } else if read.source().is_none() && between.insert(read.to_string()) {
                waiting.push(read.clone());
            }
        }
    }
    let joined = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    let joined_between = joined(between.into_iter().map(|b| format!("`{b}`")).collect());
    let by_way_of = if joined_between.is_empty() { String::new() } else { format!(", by way of {joined_between}") };
    format!("{}{by_way_of}", joined(core))
}

fn anchor(table: &TableName) -> String {
    table.to_string().replace('.', "")
}

fn unit(unit: &Unit) -> &'static str {
    match unit {
        Unit::Share => "share",
        Unit::Count => "count",
        Unit::Money(_) => "money",
        Unit::Score => "score",
        Unit::Mean => "mean",
        Unit::Ratio => "ratio",
        Unit::Days => "days",
        Unit::Hours => "hours",
    }
}

fn alert(rule: &AlertRule, unit: &Unit) -> String {
    let bound = |bound: &Bound| match bound {
        Bound::Target => "its target".to_owned(),
        Bound::Value(value) if *unit == Unit::Share => format!("{}\u{a0}%", value * 100.0),
        Bound::Value(value) => value.to_string(),
    };
    match rule {
        AlertRule::Below(b) => format!("below {}", bound(b)),
        AlertRule::Above(b) => format!("above {}", bound(b)),
        AlertRule::Change(by) => {
            let size = match unit {
                Unit::Share => format!("{}\u{a0}pp", (by * 100.0).abs()),
                Unit::Score | Unit::Mean => by.abs().to_string(),
                _ => format!("{}\u{a0}%", (by * 100.0).abs()),
            };
            format!("{} by {size} or more", if *by < 0.0 { "down" } else { "up" })
        }
    }
}

/// From a page in `docs/kpis/` to the stage's file.
fn link(stage: &Stage) -> String {
    format!("../../{}", stage.file.path.display())
}

/// A stage's statement without its head.
pub fn statement(file: &SourceText) -> &str {
    let text = file.text.as_str();
    let head = text.find("/*").filter(|at| text[*at + 2..].trim_start().starts_with("matins"));
    let after = head.and_then(|at| text[at..].find("*/").map(|end| at + end + 2)).unwrap_or(0);
    text[after..].trim()
}

fn one_line(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text inside a table's cell.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

fn core_tables() -> String {
    let mut out = format!(
        "{GENERATED}\n# The tables of the core contract\n\nWhat a company's own pack makes of its exports, and what all other packs \
         read: {} tables. [core.md](core.md) says how to write such a pack. A column in **bold** must be there; any other may \
         be left out, and then `matins check` says which KPIs that costs. NULL means \"not known\".\n",
        CORE.len()
    );
    for CoreTable { name, grain, key, columns } in CORE {
        let key: Vec<String> = key.iter().map(|k| format!("`{k}`")).collect();
        let _ = write!(out, "\n## core.{name}\n\n{grain}; key {}\n\n", key.join(", "));
        out.push_str("| column | type | meaning |\n| --- | --- | --- |\n");
        for column in *columns {
            let column_name =
                if column.needed { format!("**`{}`**", column.name) } else { format!("`{}`", column.name) };
            let _ = writeln!(out, "| {column_name} | {} | {} |", column.kind.sql(), cell(column.meaning));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_without_its_head() {
        let text = |t: &str| statement(&SourceText::new("s.sql", t)).to_owned();
        assert_eq!(text("/* matins\nkey: a\n*/\nSELECT 1\n"), "SELECT 1");
        assert_eq!(text("SELECT /* other */ 1"), "SELECT /* other */ 1");
    }

    #[test]
    fn alerts_read_as_people_say_them() {
        let said = |rule, unit| alert(&rule, &unit).replace('\u{a0}', " ");
        assert_eq!(said(AlertRule::Change(-0.05), Unit::Share), "down by 5 pp or more");
        assert_eq!(said(AlertRule::Below(Bound::Value(0.3)), Unit::Share), "below 30 %");
        assert_eq!(said(AlertRule::Change(0.1), Unit::Count), "up by 10 % or more");
    }
}
