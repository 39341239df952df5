//! A report as it would be made now, from the snapshot readers follow or, where there is none, from made-up rows. Keeps and
//! sends nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Cadence, Diagnostic, start_of_day};
use crate::config::{Locale, Report};
use crate::lake::paths;
use crate::plan::Graph;
use crate::report::{self, ReportInput, TableColumn};
use crate::run::burst::Group;
use crate::run::report::{Sheets, draw, table_columns, view};
use crate::run::{RunError, Workshop};
use crate::source;
use crate::stage::{Planned, Schemas, plan_offline};

/// A report, and what it was made from.
#[derive(Debug, Clone)]
pub struct Preview {
    pub rendered: report::Rendered,
    /// The snapshot's number; none for made-up rows.
    pub snapshot: Option<u64>,
}

/// What everybody sees of a report; the first one of the pipeline when none is named.
pub async fn preview(shop: &Workshop, named: Option<&str>, locale: Locale, made_up: bool) -> Result<Preview, RunError> {
    let one = report_of(shop, named)?;
    let templates = Arc::new(report::compile(&shop.project.templates).map_err(RunError::Project)?);
    let head = if made_up { None } else { shop.lake.head(&shop.pipeline.name).await? };
    let published = head.as_ref().and_then(|m| Some((m.number, m.publication.as_ref()?)));
    let input = match published {
        Some((number, publication)) => {
            let everything = BTreeMap::new();
            let group = Group { locale, filter: &everything, recipients: vec![] };
            let sheets = Sheets::of(shop, publication, std::slice::from_ref(one)).await?;
            let folder = paths::report(&shop.pipeline.name, &publication.as_of.replace(':', ""), number, &one.name);
            view(shop, one, publication, &sheets, &group, &format!("{folder}/{}", group.stem())).await?
        }
        None => fixture(shop, one).await?,
    };
    let rendered = draw(templates, one, &Arc::new(input), locale).await?;
    Ok(Preview { rendered, snapshot: published.map(|(number, _)| number) })
}

fn report_of<'s>(shop: &'s Workshop, named: Option<&str>) -> Result<&'s Report, RunError> {
    let reports = &shop.pipeline.reports;
    let names = || reports.iter().map(|r| r.name.as_str());
    match named {
        None => reports.first().ok_or_else(|| {
            RunError::Usage(format!("the pipeline `{}` has no report; `reports:` declares one", shop.pipeline.name))
        }),
        Some(name) => reports.iter().find(|r| r.name.as_str() == name).ok_or_else(|| {
            let unknown = Diagnostic::error("unknown-report", format!("there is no report `{name}`"));
            RunError::Project(unknown.one_of(name, names()).into())
        }),
    }
}

/// Made-up rows in the columns that the stages would give.
async fn fixture(shop: &Workshop, one: &Report) -> Result<ReportInput, RunError> {
    let pipeline = &shop.pipeline;
    let graph: &Graph = &shop.graph;
    let raw: Schemas =
        pipeline.sources.values().map(|s| (crate::base::TableName::raw(&s.name), source::schema(s))).collect();
    let day = Cadence::Day.containing(start_of_day(chrono::NaiveDate::default(), pipeline.time_zone));
    let mut planned = Planned::default();
    let (schemas, mistakes) = plan_offline(&shop.engine, pipeline, graph, &day, raw, &mut planned).await;
    if mistakes.has_errors() {
        return Err(RunError::Project(mistakes));
    }
    let columns = |table| schemas.get(table).map(table_columns);
    let tables: BTreeMap<String, Vec<TableColumn>> =
        one.data.iter().filter_map(|(name, (table, _))| Some((name.clone(), columns(table)?))).collect();
    let kpis: Vec<_> = pipeline.kpis.iter().filter(|k| graph.makes(&k.table)).cloned().collect();
    Ok(report::made_up(&kpis, &tables))
}
