//! One report for many recipients: who sees the same page, and which rows stand on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Event, Fingerprint, Recipe, TableName, closest};
use crate::config::{Destination, Locale, Recipient, RecipientsFrom, Report};
use crate::deliver::is_address;
use crate::engine::{Cell, Effort, Engine, PartsTable, Rows, Tables, collect, matching};
use crate::lake::Publication;
use crate::report::TableColumn;
use crate::run::query::published_table;
use crate::run::{RunError, Workshop};

/// A report shows tables whole, so they must be small; a larger one belongs behind `query`.
pub(super) const ROWS_SHOWN: usize = 5_000;
/// One report goes to no more.
const MOST_RECIPIENTS: usize = 100_000;

/// Recipients who see the same: one language, the same rows. Rendered once.
#[derive(Debug, Clone)]
pub(super) struct Group<'r> {
    pub locale: Locale,
    /// Column and value; everything when empty.
    pub filter: &'r BTreeMap<String, String>,
    pub recipients: Vec<&'r Recipient>,
}

/// In order: those who see everything first. A report that nobody gets has a page all the same.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    static EVERYTHING: BTreeMap<String, String> = BTreeMap::new();
    let mut found: BTreeMap<(&BTreeMap<String, String>, Locale), Vec<&Recipient>> = BTreeMap::new();
    for recipient in &report.recipients {
        found.entry((&recipient.filter, recipient.locale)).or_default().push(recipient);
    }
    if found.is_empty() {
        found.insert((&EVERYTHING, Locale::default()), vec![]);
    }
    found.into_iter().map(|((filter, locale), recipients)| Group { locale, filter, recipients }).collect()
}

impl Group<'_> {
    /// What its files are called: `all.en`, or for a filter its values and a mark that tells it from others like it.
    pub fn stem(&self) -> String {
        let locale = self.locale.tag();
        if self.filter.is_empty() {
            return format!("all.{locale}");
        }
        let values: Vec<&str> = self.filter.values().map(String::as_str).collect();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let shown: String = values.join("-").chars().map(plain).take(40).collect();
        format!("{}-{}.{locale}", shown.trim_matches('-'), self.mark().short())
    }

    fn mark(&self) -> Fingerprint {
        let recipe = Recipe::new("filter/1");
        self.filter.iter().fold(recipe, |r, (column, value)| r.text("column", column).text("value", value)).finish()
    }

    /// Whether its recipients see only some of the rows of one of the report's tables, by the name its `data` gives it.
    pub fn narrows(&self, report: &Report, name: &str) -> bool {
        !self.filter.is_empty() && !report.shared.contains(name)
    }

    /// The breakdown of KPIs its recipients see; everybody's figures when none is given. A KPI has one breakdown, so with
    /// two columns to go by each of its values would be of others too: then there is none.
    pub fn dimensions(&self, report: &Report) -> Option<BTreeSet<String>> {
        let one = if self.filter.len() == 1 { self.filter.values().cloned().collect() } else { BTreeSet::new() };
        self.narrows(report, "kpis").then_some(one)
    }
}

/// Rows of a table, all or those of a filter.
pub(super) async fn read(
    engine: &Engine,
    name: &TableName,
    table: &Arc<PartsTable>,
    filter: &BTreeMap<String, String>,
) -> Result<Rows, RunError> {
    let mut tables = Tables::new();
    tables.insert(name.clone(), Arc::clone(table) as _);
    let session = engine.session(&tables, Effort::Beside)?;
    let frame = matching(engine, &session, name, filter, ROWS_SHOWN + 1).await?;
    let rows = collect(engine, frame).await?;
    if rows.rows.len() > ROWS_SHOWN {
        let why = format!("`{name}` has more than {ROWS_SHOWN} rows; a report shows tables of at most so many");
        return Err(RunError::Report { report: name.to_string(), why });
    }
    Ok(rows)
}

/// A report with the recipients that stand in a table of a snapshot. A row that cannot be trusted is left out and told: one whose
/// address is none, or that says nothing of the rows it is to see, for it would see all.
pub(super) async fn addressed(shop: &Workshop, publication: &Publication, report: &Report) -> Result<Report, RunError> {
    let Some(from) = &report.recipients_from else { return Ok(report.clone()) };
    let table = published_table(&shop.lake, &shop.project, &shop.pipeline.name, publication, &from.table).await?;
    let mut tables = Tables::new();
    tables.insert(from.table.clone(), Arc::new(table) as _);
    let session = shop.engine.session(&tables, Effort::Beside)?;
    let frame = matching(&shop.engine, &session, &from.table, &BTreeMap::new(), MOST_RECIPIENTS + 1).await?;
    let rows = collect(&shop.engine, frame).await?;
    if rows.rows.len() > MOST_RECIPIENTS {
        let why = format!("`{}` has more than {MOST_RECIPIENTS} recipients", from.table);
        return Err(RunError::Report { report: report.name.to_string(), why });
    }
    let mut all = report.clone();
    let mut seen: BTreeSet<String> = all.recipients.iter().map(|r| r.to.to_string().to_lowercase()).collect();
    let mut found: Vec<Recipient> = Vec::new();
    let mut left_out = Vec::new();
    for row in &rows.rows {
        match recipient(from, &rows, row) {
            Err(why) => left_out.push(why),
            Ok(one) if !seen.insert(one.to.to_string().to_lowercase()) => {
                left_out.push(format!("{} is named twice", one.to));
            }
            Ok(one) => found.push(one),
        }
    }
    found.sort_by(|a, b| a.to.cmp(&b.to));
    all.recipients.extend(found);
    if let Some(first) = left_out.first() {
        let (n, table) = (left_out.len(), &from.table);
        let message = format!("report `{}`: {n} rows of `{table}` get none: {first}", report.name);
        shop.observer.see(&Event::Warning { message });
    }
    Ok(all)
}

fn recipient(from: &RecipientsFrom, rows: &Rows, row: &[Cell]) -> Result<Recipient, String> {
    let text = |column: &str| {
        let at = rows.columns.iter().position(|(name, _)| name == column);
        let at = at.ok_or_else(|| format!("`{}` has no column `{column}`", from.table))?;
        Ok::<_, String>(row.get(at).map(Cell::text).unwrap_or_default().trim().to_owned())
    };
    let address = text(&from.address)?;
    if !is_address(&address) {
        return Err(format!("`{}` is no address", address.escape_debug().take(80).collect::<String>()));
    }
    let mut filter = BTreeMap::new();
    for (column, here) in &from.filter {
        let value = text(here)?;
        if value.is_empty() {
            return Err(format!("`{here}` of {address} is empty"));
        }
        filter.insert(column.clone(), value);
    }
    let tag = from.locale.as_ref().map(|column| text(column)).transpose()?;
    let locale = Locale::ALL.into_iter().find(|l| tag.as_deref() == Some(l.tag())).unwrap_or_default();
    Ok(Recipient { to: Destination::Address(address), locale, filter, place: from.place.clone() })
}

/// Every table of a report that a recipient's filter cannot be applied to: nobody may see others' rows because a column is
/// missing. One mistake a column and table.
pub(super) fn check(report: &Report, columns: &BTreeMap<TableName, Vec<TableColumn>>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let mut seen = BTreeSet::new();
    let listed = report.recipients.iter().map(|r| (r.to.to_string(), r.filter.keys(), &r.place));
    let from = report.recipients_from.as_ref();
    let in_table = from.map(|f| (format!("the recipients in `{}`", f.table), f.filter.keys(), &f.place));
    for (who, filter, place) in listed.chain(in_table) {
        for column in filter {
            for (name, (table, _)) in report.data.iter().filter(|(name, _)| !report.shared.contains(*name)) {
                let Some(known) = columns.get(table) else { continue };
                if known.iter().any(|c| c.name == *column) || !seen.insert((column, name)) {
                    continue;
                }
                let message = format!(
                    "report `{}` is filtered by `{column}` for {}, and `{table}` has no such column",
                    report.name, who
                );
                let near = closest(column, known.iter().map(|c| c.name.as_str()));
                let near = near.map(|n| format!("did you mean `{n}`? Else ")).unwrap_or_default();
                let help = format!(
                    "{near}give the table the column, or write `shared: [{name}]` if every recipient may see all its rows"
                );
                found.push(Diagnostic::error("unfiltered-table", message).at(place.clone()).help(help));
            }
        }
    }
    if let Some(from) = from
        && let Some(known) = columns.get(&from.table)
    {
        let needed = [&from.address].into_iter().chain(&from.locale).chain(from.filter.values());
        for column in needed.filter(|c| known.iter().all(|k| k.name != **c)) {
            let message =
                format!("report `{}` finds its recipients in `{}`, which has no `{column}`", report.name, from.table);
            found.push(
                Diagnostic::error("unknown-column", message)
                    .at(from.place.clone())
                    .did_you_mean(column, known.iter().map(|c| c.name.as_str())),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Place, SourceText};
    use crate::report::ColumnType;

    fn report(recipients: Vec<Recipient>) -> Report {
        let file = SourceText::new("pipelines/a.yaml", "");
        Report {
            name: "r".parse().expect("a name"),
            title: "R".into(),
            template: "r.html".into(),
            data: [("sales".to_owned(), ("a.sales".parse().expect("a table"), Place::file(&file)))].into(),
            subject: "R".into(),
            recipients,
            shared: BTreeSet::new(),
            deliver_by: None,
            workbook: true,
            pdf: false,
            when: crate::config::When::Always,
            recipients_from: None,
            place: Place::file(&file),
        }
    }

    fn recipient(address: &str, locale: Locale, region: Option<&str>) -> Recipient {
        let filter = region.map(|r| ("region".to_owned(), r.to_owned())).into_iter().collect();
        let place = Place::file(&SourceText::new("pipelines/a.yaml", ""));
        Recipient { to: Destination::Address(address.into()), locale, filter, place }
    }

    #[test]
    fn who_sees_the_same_is_rendered_once_and_names_do_not_meet() {
        let (north, tricky) = (Some("North/East"), Some("north.east"));
        let report = report(vec![
            recipient("a@x", Locale::En, north),
            recipient("b@x", Locale::En, None),
            recipient("c@x", Locale::En, north),
            recipient("d@x", Locale::ZhHans, north),
            recipient("e@x", Locale::En, tricky),
        ]);
        let groups = groups(&report);
        let sizes: Vec<usize> = groups.iter().map(|g| g.recipients.len()).collect();
        assert_eq!(sizes, [1, 2, 1, 1]);
        let stems: BTreeSet<String> = groups.iter().map(Group::stem).collect();
        assert_eq!(stems.len(), 4, "{stems:?}");
        assert!(stems.contains("all.en") && stems.iter().filter(|s| s.starts_with("north-east-")).count() == 3);
    }

    #[test]
    fn two_columns_show_no_breakdown_of_one() {
        let mut both = recipient("a@x", Locale::En, Some("north"));
        both.filter.insert("channel".into(), "web".into());
        let mut report =
            report(vec![both, recipient("b@x", Locale::En, Some("north")), recipient("c@x", Locale::En, None)]);
        let dimensions = |report: &Report| groups(report).iter().map(|g| g.dimensions(report)).collect::<Vec<_>>();
        assert_eq!(dimensions(&report), [None, Some(BTreeSet::new()), Some(["north".to_owned()].into())]);
        report.shared.insert("kpis".into());
        assert_eq!(dimensions(&report), [None, None, None]);
    }

    #[test]
    fn a_table_without_the_column_is_a_mistake_unless_everybody_may_see_it() {
        let mut report = report(vec![recipient("a@x", Locale::En, Some("N")), recipient("b@x", Locale::En, Some("S"))]);
        let column = |name: &str| TableColumn { name: name.into(), kind: ColumnType::Text };
        let of = |names: &[&str]| {
            BTreeMap::from([("a.sales".parse().expect("a table"), names.iter().map(|n| column(n)).collect())])
        };
        let found = check(&report, &of(&["regions", "net"]));
        assert_eq!(found.0.len(), 1, "once, however many recipients: {found:?}");
        assert!(found.0[0].message.contains("has no such column"));
        assert!(check(&report, &of(&["region"])).is_empty());
        report.shared.insert("sales".into());
        assert!(check(&report, &of(&["net"])).is_empty());
    }
}
