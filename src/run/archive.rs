//! The archive of reports in the lake: beside the pages an index by date, and for each figure shown why it is what it is.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::human_count;
use crate::config::Report;
use crate::lake::{CheckStatus, Publication, paths};
use crate::plan::statement;
use crate::report::{self, Archived, Link, WhyCheck, WhyPage, WhyPart, WhySource, WhyTable, of_unit};
use crate::run::burst::{Group, groups};
use crate::run::explain::{Explained, OF_CLOSED, balance_of, explain_all, rests_on};
use crate::run::kpis::KpiValue;
use crate::run::{RunError, Workshop};

/// What is archived of one pipeline, the oldest first.
pub async fn archived(shop: &Workshop) -> Result<Vec<Archived>, RunError> {
    let bytes = shop.lake.get(&paths::archive_list(&shop.pipeline.name)).await?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}

/// Writes the pages that explain the figures of a snapshot, those its reports list and those they lead to besides, and lists a
/// report of it. All of it can be written again at any
/// time from what the lake holds, so nothing here decides anything.
pub(super) async fn keep(
    shop: &Workshop,
    publication: &Publication,
    number: u64,
    values: &[KpiValue],
    reports: &[&Report],
    led_to: &BTreeSet<String>,
) -> Result<(), RunError> {
    let why = paths::why(&shop.pipeline.name, &publication.as_of.replace(':', ""), number);
    let mut figures = Vec::new();
    for found in explain_all(shop, number, publication, values, led_to).await? {
        let (name, path) = (found.kpi.label.clone(), format!("{why}/{}.html", found.kpi.name));
        let html = report::why_page(&page_of(shop, &found)).map_err(|e| failed(&e))?;
        shop.lake.put(&path, html.into_bytes()).await?;
        figures.push(Link { name, path: below(shop, &path) });
    }
    let mut all = archived(shop).await?;
    for one in reports {
        let folder = paths::report(&shop.pipeline.name, &publication.as_of.replace(':', ""), number, &one.name);
        let page = |group: &Group<'_>| {
            let stem = group.stem();
            Link { path: below(shop, &format!("{folder}/{stem}.html")), name: stem }
        };
        let entry = Archived {
            as_of: publication.as_of.replace(':', ""),
            snapshot: number,
            report: one.name.to_string(),
            title: one.title.clone(),
            pages: groups(one).iter().map(page).collect(),
            figures: figures.clone(),
        };
        all.retain(|a| (&a.as_of, a.snapshot, &a.report) != (&entry.as_of, entry.snapshot, &entry.report));
        all.push(entry);
    }
    write(shop, &mut all).await
}

/// Lists every report that lies in the lake anew: after files were deleted, or the list was lost.
pub async fn rebuild(shop: &Workshop) -> Result<Vec<Archived>, RunError> {
    let folder = paths::archive(&shop.pipeline.name);
    let mut found: BTreeMap<(String, u64, String), Archived> = BTreeMap::new();
    let mut figures: BTreeMap<(String, u64), Vec<Link>> = BTreeMap::new();
    for object in shop.lake.list(&folder).await? {
        let path = below(shop, object.location.as_ref());
        let parts: Vec<&str> = path.split('/').collect();
        let &[as_of, number, kind, file] = parts.as_slice() else { continue };
        let (Some(stem), Ok(snapshot)) = (file.strip_suffix(".html"), number.parse::<u64>()) else { continue };
        let of = (as_of.to_owned(), snapshot);
        if kind == paths::WHY {
            let kpi = shop.pipeline.kpis.iter().find(|k| k.name.as_str() == stem);
            let name = kpi.map_or_else(|| stem.to_owned(), |k| k.label.clone());
            figures.entry(of).or_default().push(Link { name, path });
            continue;
        }
        let report = shop.pipeline.reports.iter().find(|r| r.name.as_str() == kind);
        let entry = found.entry((of.0.clone(), snapshot, kind.to_owned())).or_insert_with(|| Archived {
            as_of: of.0,
            snapshot,
            report: kind.to_owned(),
            title: report.map_or_else(|| kind.to_owned(), |r| r.title.clone()),
            pages: vec![],
            figures: vec![],
        });
        entry.pages.push(Link { name: stem.to_owned(), path });
    }
    let mut all: Vec<Archived> = found.into_values().collect();
    for one in &mut all {
        one.pages.sort_by(|a, b| a.name.cmp(&b.name));
        one.figures = figures.get(&(one.as_of.clone(), one.snapshot)).cloned().unwrap_or_default();
    }
    write(shop, &mut all).await?;
    Ok(all)
}

async fn write(shop: &Workshop, all: &mut [Archived]) -> Result<(), RunError> {
    all.sort_by(|a, b| (&a.as_of, a.snapshot, &a.report).cmp(&(&b.as_of, b.snapshot, &b.report)));
    let html = report::index_page(shop.pipeline.name.as_str(), all).map_err(|e| failed(&e))?;
    shop.lake.put(&paths::archive_list(&shop.pipeline.name), serde_json::to_vec(all).unwrap_or_default()).await?;
    shop.lake.put(&paths::archive_index(&shop.pipeline.name), html.into_bytes()).await?;
    Ok(())
}

fn failed(error: &dyn std::error::Error) -> RunError {
    RunError::Report { report: "the archive".to_owned(), why: error.to_string() }
}

/// A path as the index, which lies in the pipeline's folder, links to it.
fn below(shop: &Workshop, path: &str) -> String {
    let folder = format!("{}/", paths::archive(&shop.pipeline.name));
    path.strip_prefix(&folder).unwrap_or(path).to_owned()
}

fn page_of(shop: &Workshop, found: &Explained) -> WhyPage {
    let unit = &found.kpi.unit;
    let shown = |v: &KpiValue| v.point.value.map_or_else(|| "–".to_owned(), |v| of_unit(v, unit));
    let whole = found.values.iter().find(|v| v.dimension.is_none());
    let parts = found.values.iter().filter_map(|v| Some((v.dimension.clone()?, v)));
    let alerts = found.alerts.iter().map(|a| format!("{} (since {})", a.message, a.since));
    let restated = found.restatements().into_iter().map(|r| format!("Restated {r}"));
    WhyPage {
        kpi: found.kpi.name.to_string(),
        label: found.kpi.label.clone(),
        pipeline: shop.pipeline.name.to_string(),
        figure: whole.map_or_else(|| "–".to_owned(), shown),
        period: whole.map(|v| v.point.period.to_string()).unwrap_or_default(),
        as_of: found.as_of.clone(),
        snapshot: found.snapshot,
        run: found.run.to_string(),
        details: whole.map(|v| rests_on(&v.point, unit)).unwrap_or_default(),
        definition: found.definition().cloned(),
        formula: found.stage.head.words.formula.clone(),
        rules: found.stage.head.words.rules.clone(),
        remarks: alerts.chain(restated).collect(),
        breakdown: parts
            .map(|(name, v)| WhyPart { name, figure: shown(v), details: rests_on(&v.point, unit) })
            .collect(),
        tables: found
            .tables
            .iter()
            .map(|t| WhyTable {
                name: t.marked(),
                rows: human_count(t.rows),
                fingerprint: t.fingerprint.clone(),
                file: t.file.clone(),
                reads: t.reads.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            })
            .collect(),
        marked: found.tables.iter().any(|t| t.closed).then(|| OF_CLOSED.to_owned()),
        sources: found
            .sources
            .iter()
            .map(|s| WhySource {
                name: s.source.to_string(),
                balance: balance_of(s),
                exports: s.exports.iter().rev().cloned().collect(),
            })
            .collect(),
        checks: found
            .checks
            .iter()
            .map(|c| WhyCheck {
                table: c.table.to_string(),
                rule: c.check.clone(),
                severity: format!("{:?}", c.severity).to_lowercase(),
                status: match c.status {
                    CheckStatus::Passed => "passed",
                    CheckStatus::Noted => "noted",
                    CheckStatus::Failed => "failed",
                }
                .to_owned(),
                bad: format!("{} of {}", human_count(c.bad_rows), human_count(c.rows)),
            })
            .collect(),
        file: found.stage.file.path.display().to_string(),
        sql: statement(&found.stage.file).to_string(),
    }
}
