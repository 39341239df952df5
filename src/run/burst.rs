//! One report for many recipients: who sees the same page, and which rows stand on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Diagnostic, Diagnostics, Fingerprint, Recipe, TableName, closest};
use crate::config::{Locale, Recipient, Report};
use crate::engine::{Effort, Engine, PartsTable, Rows, Tables, collect, matching};
use crate::report::TableColumn;
use crate::run::RunError;

/// A report shows tables whole, so they must be small; a larger one belongs behind `query`.
pub(super) const ROWS_SHOWN: usize = 5_000;

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

/// Every table of a report that a recipient's filter cannot be applied to: nobody may see others' rows because a column is
/// missing. One mistake a column and table.
pub(super) fn check(report: &Report, columns: &BTreeMap<TableName, Vec<TableColumn>>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let mut seen = BTreeSet::new();
    for recipient in &report.recipients {
        for column in recipient.filter.keys() {
            for (name, (table, _)) in report.data.iter().filter(|(name, _)| !report.shared.contains(*name)) {
                let Some(known) = columns.get(table) else { continue };
                if known.iter().any(|c| c.name == *column) || !seen.insert((column, name)) {
                    continue;
                }
                let message = format!(
                    "report `{}` is filtered by `{column}` for {}, and `{table}` has no such column",
                    report.name, recipient.to
                );
                let near = closest(column, known.iter().map(|c| c.name.as_str()));
                let near = near.map(|n| format!("did you mean `{n}`? Else ")).unwrap_or_default();
                let help = format!(
                    "{near}give the table the column, or write `shared: [{name}]` if every recipient may see all its rows"
                );
                found.push(Diagnostic::error("unfiltered-table", message).at(recipient.place.clone()).help(help));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Place, SourceText};
    use crate::config::Destination;
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
