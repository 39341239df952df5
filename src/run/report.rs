//! From a snapshot to its reports, and from reports to messages: reads the tables, hands them on, keeps what was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, NaiveDate, Utc};
use futures::{StreamExt, TryStreamExt};

use crate::base::{AsOf, Diagnostics, Event, TableName};
use crate::config::{Destination, Kpi, Locale, Pipeline, Report, When};
use crate::deliver::{Attached, Content, Letter, Links};
use crate::engine::{Cell, PartsTable, Rows};
use crate::lake::{MessageKind, Publication, paths};
use crate::report::{self, ColumnType, ReportInput, SourceLine, Table, TableColumn, Templates};
use crate::run::burst::{self, Group, groups, read};
use crate::run::error::describe;
use crate::run::kpis::{self, KpiValue};
use crate::run::outbox::{self, Post};
use crate::run::pdf::pdf;
use crate::run::query::published_table;
use crate::run::{RunError, Workshop, archive};

/// A report that stands in the lake.
#[derive(Debug, Clone)]
pub struct Rendered {
    pub report: String,
    /// Below the lake.
    pub path: String,
    /// Its messages, and where each stands.
    pub messages: Vec<outbox::Sent>,
}

/// Renders every report of a snapshot that is not there yet, and with `mail` puts its messages into the outbox and delivers
/// what is due. Messages of a run that is `late` say since when it was due.
pub async fn report(
    shop: &Workshop,
    publication: &Publication,
    number: u64,
    mail: bool,
    late: Option<DateTime<Utc>>,
) -> Result<Vec<Rendered>, RunError> {
    let mut all = Vec::new();
    let mut sheets: Option<Sheets<'_>> = None;
    let (mut new, mut led_to) = (Vec::new(), BTreeSet::new());
    let mut addressed = Vec::new();
    for one in &shop.pipeline.reports {
        addressed.push(burst::addressed(shop, publication, one).await?);
    }
    for one in &addressed {
        let folder = paths::report(&shop.pipeline.name, &publication.as_of.replace(':', ""), number, &one.name);
        let path = groups(one).first().map(|g| format!("{folder}/{}.html", g.stem())).unwrap_or_default();
        // Written last: where it stands, the pages are whole and their messages are in the outbox.
        let done = format!("{folder}/{}.json", if mail { "delivered" } else { "rendered" });
        if let Some(bytes) = shop.lake.get(&done).await? {
            let ids: Vec<String> = serde_json::from_slice(&bytes).unwrap_or_default();
            all.push((one.name.to_string(), path, ids));
            continue;
        }
        let sheets = match &sheets {
            Some(sheets) => sheets,
            None => sheets.insert(Sheets::of(shop, publication, &addressed).await?),
        };
        let (ids, explained) = pages(shop, one, publication, sheets, &folder, mail, late).await?;
        led_to.extend(explained);
        new.push(one);
        shop.lake.put(&done, serde_json::to_vec(&ids).unwrap_or_default()).await?;
        all.push((one.name.to_string(), path, ids));
    }
    if let Some(sheets) = sheets.filter(|_| !new.is_empty())
        && let Err(error) = archive::keep(shop, publication, number, &sheets.values, &new, &led_to).await
    {
        // The reports stand, and the next one lists itself.
        let message = format!("the archive of reports is not up to date: {}", describe(&error));
        shop.observer.see(&Event::Warning { message });
    }
    let post = Post::of(shop);
    if all.iter().any(|(_, _, ids)| !ids.is_empty()) {
        outbox::deliver_due(&post, outbox::PATIENCE_OF_A_RUN).await?;
    }
    let (mut reports, mut everything) = (Vec::new(), Vec::new());
    for (report, path, ids) in all {
        let messages = outbox::standing(&post, &ids).await?;
        everything.extend(messages.iter().cloned());
        reports.push(Rendered { report, path, messages });
    }
    outbox::verdict(&everything)?;
    Ok(reports)
}

/// The pages of one report, one for all who see the same, and with `mail` their messages; gives back the messages' ids, and
/// which figures' explanations the pages lead to.
async fn pages(
    shop: &Workshop,
    one: &Report,
    publication: &Publication,
    sheets: &Sheets<'_>,
    folder: &str,
    mail: bool,
    late: Option<DateTime<Utc>>,
) -> Result<(Vec<String>, BTreeSet<String>), RunError> {
    let templates = templates(shop).await?;
    let groups = groups(one);
    let each = groups.iter().map(|group| {
        let templates = Arc::clone(&templates);
        async move {
            let stem = format!("{folder}/{}", group.stem());
            let view = Arc::new(view(shop, one, publication, sheets, group, &stem).await?);
            let rendered = draw(Arc::clone(&templates), one, &view, group.locale).await?;
            let page = report::with_sources(&rendered.html, group.locale, &view);
            let explained = report::explained(&page);
            shop.lake.put(&format!("{stem}.html"), page.into_bytes()).await?;
            if !mail || group.recipients.is_empty() || !worth_sending(one, publication) {
                return Ok::<_, RunError>((vec![], explained));
            }
            let files = files(shop, &templates, one, &view, &rendered, group.locale).await?;
            for file in &files {
                let ending = file.name.rsplit('.').next().unwrap_or_default();
                shop.lake.put(&format!("{stem}.{ending}"), file.bytes.clone()).await?;
            }
            let links = links(shop, group, &stem, &rendered).await?;
            // The page is the same whenever it is made; only the message says that it comes late.
            let rendered = match late {
                Some(due) => report::late(rendered, group.locale, &due.with_timezone(&shop.pipeline.time_zone)),
                None => rendered,
            };
            tell_size(shop, one, group, &rendered);
            let letters: Vec<Letter<'_>> =
                group.recipients.iter().map(|r| letter(shop, one, &view.as_of, &r.to)).collect();
            let post = Post::of(shop);
            let content = Content::Report { rendered: &rendered, files: &files };
            let ids = outbox::enqueue(&post, outbox::composed(&post, &letters, content, &links)?).await?;
            Ok((ids, explained))
        }
    });
    let made: Vec<(Vec<String>, BTreeSet<String>)> =
        futures::stream::iter(each).buffered(shop.engine.cores().max(1)).try_collect().await?;
    let (ids, explained): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    Ok((ids.concat(), explained.into_iter().flatten().collect()))
}

/// By night a table may be longer than any that `check` makes up. The mail goes out whole; who cuts it is its reader.
fn tell_size(shop: &Workshop, one: &Report, group: &Group<'_>, rendered: &report::Rendered) {
    let size = rendered.mail_html.len();
    if size <= report::LARGEST_MAIL || !group.recipients.iter().any(|r| matches!(r.to, Destination::Address(_))) {
        return;
    }
    let message = format!(
        "report `{}` ({}) is a mail of {size} bytes of HTML, of which readers such as Gmail show about 100,000: show fewer rows or tables",
        one.name,
        group.stem()
    );
    shop.observer.see(&Event::Warning { message });
}

/// Whether a publication of a report is one that its recipients asked for.
pub(super) fn worth_sending(one: &Report, publication: &Publication) -> bool {
    match one.when {
        When::Always => true,
        When::Alert => !publication.alerts.is_empty(),
    }
}

/// Drawing takes a processor for a while, so it is done beside the tasks that wait for stores and servers.
pub(super) async fn draw(
    templates: Arc<Templates>,
    one: &Report,
    view: &Arc<ReportInput>,
    locale: Locale,
) -> Result<report::Rendered, RunError> {
    let (one, view) = (one.clone(), Arc::clone(view));
    let name = one.name.to_string();
    let drawn = tokio::task::spawn_blocking(move || report::render(&templates, &one, &view, locale)).await;
    drawn
        .map_err(|e| RunError::Panicked(e.to_string()))?
        .map_err(|e| RunError::Report { report: name, why: e.to_string() })
}

/// What travels with the mail: the tables as a workbook, and the page as a PDF where that is wanted and can be made.
async fn files(
    shop: &Workshop,
    templates: &Templates,
    one: &Report,
    view: &ReportInput,
    rendered: &report::Rendered,
    locale: Locale,
) -> Result<Vec<Attached>, RunError> {
    let mut files = Vec::new();
    if one.workbook {
        let failed = |e: &dyn std::fmt::Display| RunError::Report {
            report: one.name.to_string(),
            why: format!("its workbook: {e}"),
        };
        let bytes = report::workbook(templates, one, view, locale).map_err(|e| failed(&e))?;
        let name = report::workbook_name(one, view, "xlsx");
        files.push(Attached { name, media_type: report::WORKBOOK_TYPE, bytes });
    }
    if one.pdf {
        match pdf(&shop.system.environment, &rendered.html, &view.as_of).await {
            Ok(bytes) => {
                let name = report::workbook_name(one, view, "pdf");
                files.push(Attached { name, media_type: "application/pdf", bytes });
            }
            Err(why) => {
                let message = format!("report `{}` goes without its PDF: {why}", one.name);
                shop.observer.see(&Event::Warning { message });
            }
        }
    }
    Ok(files)
}

/// Where the page and its pictures are read, for posts; the pictures of a mail travel in it.
async fn links(shop: &Workshop, group: &Group<'_>, stem: &str, rendered: &report::Rendered) -> Result<Links, RunError> {
    let Some(site) = &shop.project.site else { return Ok(Links::default()) };
    let mut links = Links { page: Some(format!("{site}/{stem}.html")), pictures: vec![] };
    if group.recipients.iter().any(|r| matches!(r.to, Destination::Channel(_))) {
        for image in &rendered.images {
            let name: String = image.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            let path = format!("{stem}.{name}.png");
            shop.lake.put(&path, image.png.clone()).await?;
            links.pictures.push((format!("{site}/{path}"), rendered.subject.clone()));
        }
    }
    Ok(links)
}

pub(super) fn letter<'a>(shop: &'a Workshop, one: &'a Report, as_of: &'a AsOf, to: &'a Destination) -> Letter<'a> {
    // The date is the interval's, so that the bytes are the same whenever they are made.
    let (kind, date) = (MessageKind::Report, as_of.0.to_utc());
    Letter { kind, pipeline: &shop.pipeline.name, subject_of: one.name.as_str(), as_of, to, date }
}

/// What a check of a report needs of a table.
pub fn table_columns(schema: &SchemaRef) -> Vec<TableColumn> {
    schema.fields().iter().map(|f| TableColumn { name: f.name().clone(), kind: kind(f.data_type()) }).collect()
}

/// Every mistake of one report: tables it names that are not there, and its template on made-up rows.
///
/// `broken` are the tables of stages that cannot be planned: that is told where the stage is, and not again here.
/// `left_out` are those that the company has no data for.
pub fn check(
    templates: Option<&Templates>,
    one: &Report,
    pipeline: &Pipeline,
    columns: &BTreeMap<TableName, Vec<TableColumn>>,
    broken: &BTreeSet<TableName>,
    left_out: &BTreeSet<TableName>,
) -> Diagnostics {
    use crate::base::Diagnostic;
    let mut found = Diagnostics::default();
    let kpis: Vec<Kpi> = pipeline.kpis.iter().filter(|k| !left_out.contains(&k.table)).cloned().collect();
    let names: Vec<String> = columns.keys().map(ToString::to_string).collect();
    found.extend(burst::check(one, columns));
    found.extend(of_alerts(one, &kpis));
    let mut schemas = BTreeMap::new();
    let mut shows_broken = false;
    for (name, (table, place)) in &one.data {
        match columns.get(table) {
            Some(known) => {
                schemas.insert(name.clone(), known.clone());
            }
            // That it is left out has been told where the pipeline asks for it.
            None if broken.contains(table) || left_out.contains(table) => shows_broken = true,
            None => found.push(
                Diagnostic::error(
                    "unknown-table",
                    format!("report `{}` shows `{table}`, which no stage makes", one.name),
                )
                .at(place.clone())
                .did_you_mean(&table.to_string(), names.iter().map(String::as_str)),
            ),
        }
    }
    if let Some(from) = &one.recipients_from
        && ![broken, left_out].iter().any(|known| known.contains(&from.table))
        && !columns.contains_key(&from.table)
    {
        let message = format!("report `{}` finds its recipients in `{}`, which no stage makes", one.name, from.table);
        found.push(
            Diagnostic::error("unknown-table", message)
                .at(from.place.clone())
                .did_you_mean(&from.table.to_string(), names.iter().map(String::as_str)),
        );
    }
    match templates {
        Some(templates) if schemas.len() == one.data.len() => {
            found.extend(report::check(templates, one, &kpis, &schemas));
        }
        Some(templates) if shows_broken => {
            found.extend(report::check_without_rows(templates, one, &kpis, one.data.keys()));
        }
        _ => {}
    }
    found
}

/// A report that waits for alerts must be able to go out, and to show whoever gets it why it came.
fn of_alerts(one: &Report, kpis: &[Kpi]) -> Diagnostics {
    use crate::base::Diagnostic;
    let mut found = Diagnostics::default();
    if one.when == When::Always {
        return found;
    }
    if kpis.iter().all(|k| k.alerts.is_empty()) {
        let message =
            format!("report `{}` goes out when there is an alert, and no KPI of the pipeline has a rule", one.name);
        let help =
            "give a KPI one, as in `kpis: [{name: retention, target: 0.35, alert: {below: target}}]`, or remove `when`";
        found.push(Diagnostic::error("no-alert-rule", message).at(one.place.clone()).help(help));
    }
    let narrowed = one.recipients.iter().find(|r| !r.filter.is_empty()).map(|r| &r.place);
    let narrowed = narrowed.or(one.recipients_from.as_ref().filter(|f| !f.filter.is_empty()).map(|f| &f.place));
    if let Some(place) = narrowed.filter(|_| !one.shared.contains("kpis")) {
        let message = format!(
            "report `{}` goes out when there is an alert, which a recipient with a filter is not shown",
            one.name
        );
        let help = "alerts are of everybody's figures: write `shared: [kpis]` if this recipient may see them, or remove `when`";
        found.push(Diagnostic::error("unseen-alert", message).at(place.clone()).help(help));
    }
    found
}

/// Compiled once for all reports.
async fn templates(shop: &Workshop) -> Result<Arc<Templates>, RunError> {
    let compiled = shop.templates.get_or_try_init(|| async {
        let project = Arc::clone(&shop.project);
        let compiled = tokio::task::spawn_blocking(move || report::compile(&project.templates)).await;
        let compiled = compiled.map_err(|e| RunError::Panicked(e.to_string()))?;
        compiled.map(Arc::new).map_err(RunError::Project)
    });
    compiled.await.cloned()
}

/// Compiles templates while a core has nothing else to do yet. A mistake in them is told by the report.
pub(super) fn prepare(shop: &Workshop) {
    if !shop.pipeline.reports.is_empty() {
        let shop = shop.clone();
        tokio::spawn(async move { templates(&shop).await.ok() });
    }
}

/// What reports show: tables, those that somebody sees whole already read, and the values of KPIs as they were published.
pub(super) struct Sheets<'p> {
    shop: &'p Workshop,
    tables: BTreeMap<TableName, Arc<PartsTable>>,
    whole: BTreeMap<TableName, Rows>,
    values: Vec<KpiValue>,
}

impl<'p> Sheets<'p> {
    pub(super) async fn of(
        shop: &'p Workshop,
        publication: &Publication,
        reports: &[Report],
    ) -> Result<Self, RunError> {
        let (mut wanted, mut whole) = (BTreeSet::new(), BTreeSet::new());
        for one in reports {
            let groups = groups(one);
            for (name, (table, _)) in &one.data {
                wanted.insert(table.clone());
                if groups.iter().any(|g| !g.narrows(one, name)) {
                    whole.insert(table.clone());
                }
            }
        }
        let open = wanted.into_iter().map(|name| async move {
            let table = published_table(&shop.lake, &shop.project, &shop.pipeline.name, publication, &name).await?;
            Ok::<_, RunError>((name, Arc::new(table)))
        });
        let tables: BTreeMap<_, _> = futures::future::try_join_all(open).await?.into_iter().collect();
        let everything = BTreeMap::new();
        let read = whole.into_iter().filter_map(|name| Some((tables.get(&name)?, name))).map(|(table, name)| {
            let everything = &everything;
            async move {
                let rows = read(&shop.engine, &name, table, everything).await?;
                Ok::<_, RunError>((name, rows))
            }
        });
        let whole = futures::future::try_join_all(read).await?.into_iter().collect();
        Ok(Self { shop, tables, whole, values: kpis::published(shop, publication).await? })
    }

    /// The rows of a table that a group sees, by the name the report's `data` gives it.
    async fn rows(&self, one: &Report, group: &Group<'_>, name: &str, table: &TableName) -> Result<Table, RunError> {
        if !group.narrows(one, name) {
            return Ok(self.whole.get(table).map(sheet).unwrap_or_default());
        }
        let Some(of) = self.tables.get(table) else { return Ok(Table::default()) };
        Ok(sheet(&read(&self.shop.engine, table, of, group.filter).await?))
    }
}

/// What one group of recipients sees. `stem` is where its page lies in the lake, without the ending.
pub(super) async fn view(
    shop: &Workshop,
    one: &Report,
    publication: &Publication,
    sheets: &Sheets<'_>,
    group: &Group<'_>,
    stem: &str,
) -> Result<ReportInput, RunError> {
    let zone = shop.pipeline.time_zone;
    let start = AsOf(publication.start.with_timezone(&zone));
    let sources = publication.balances.iter().map(|(name, balance)| {
        let made_from = publication.tables.get(&TableName::raw(name)).map(|t| &t.made_from);
        let word = |key: &str| made_from.and_then(|m| m.get(key));
        SourceLine {
            name: name.clone(),
            latest_export: word("latest export").and_then(|d| d.parse::<NaiveDate>().ok()),
            exports: word("exports").and_then(|n| n.parse().ok()).unwrap_or(0),
            balance: *balance,
        }
    });
    let mut tables = BTreeMap::new();
    for (name, (table, _)) in &one.data {
        tables.insert(name.clone(), sheets.rows(one, group, name, table).await?);
    }
    let dimensions = group.dimensions(one);
    Ok(ReportInput {
        pipeline: shop.pipeline.name.clone(),
        as_of: AsOf(publication.end.with_timezone(&zone)),
        interval: start.to_string(),
        content: publication.content,
        reproducible: publication.reproducible,
        sources: sources.collect(),
        checks: publication.checks.clone(),
        kpis: kpis::series(shop, &sheets.values, dimensions.as_ref()),
        // They are of everybody's figures.
        alerts: if dimensions.is_none() { publication.alerts.clone() } else { vec![] },
        restatements: kpis::restatements(shop, &sheets.values, dimensions.as_ref()),
        tables,
        page: shop.project.site.as_ref().map(|site| format!("{site}/{stem}.html")),
        unsubscribe: !shop.project.mail.unsubscribe.is_empty(),
    })
}

fn sheet(rows: &Rows) -> Table {
    Table {
        columns: rows.columns.iter().map(|(name, t)| TableColumn { name: name.clone(), kind: kind(t) }).collect(),
        rows: rows.rows.iter().map(|row| row.iter().map(shown).collect()).collect(),
    }
}

fn kind(data_type: &DataType) -> ColumnType {
    match data_type {
        t if t.is_integer() => ColumnType::Integer,
        t if t.is_numeric() => ColumnType::Number,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Boolean => ColumnType::Boolean,
        _ => ColumnType::Text,
    }
}

fn shown(cell: &Cell) -> report::Cell {
    match cell {
        Cell::Null => report::Cell::Null,
        Cell::Boolean(yes) => report::Cell::Boolean(*yes),
        Cell::Integer(n) => report::Cell::Integer(*n),
        Cell::Decimal(digits) => report::Cell::Decimal(digits.clone()),
        Cell::Float(x) => report::Cell::Number(*x),
        Cell::Date(date) => report::Cell::Date(*date),
        Cell::Text(text) => report::Cell::Text(text.clone()),
    }
}
