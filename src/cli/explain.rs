//! `matins explain`: one published figure, and everything it was made from.

use std::sync::Arc;

use serde_json::json;

use crate::base::{Diagnostic, Diagnostics, Observer, human_count};
use crate::cli::args::{Cli, ExplainArgs};
use crate::cli::night::shown_path;
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::{Screen, outcome_line};
use crate::config::Unit;
use crate::lake::CheckStatus;
use crate::plan::statement;
use crate::report::of_unit;
use crate::run::{Explained, KpiValue, OF_CLOSED, RunError, balance_of, explain as ask, open, rests_on};
use crate::system::System;

/// Exports that are shown one by one, the latest ones; `--json` has all.
const EXPORTS_SHOWN: usize = 3;

pub async fn explain(cli: &Cli, screen: &Screen, system: &System, args: &ExplainArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let pipeline = pipeline(&project, args.pipeline.as_deref())?;
    let Some(kpi) = pipeline.kpis.iter().find(|k| k.name.as_str() == args.kpi) else {
        let names = pipeline.kpis.iter().map(|k| k.name.as_str());
        let message = format!("pipeline `{}` has no KPI `{}`", pipeline.name, args.kpi);
        return Err(RunError::Project(Diagnostics::from(
            Diagnostic::error("unknown-kpi", message)
                .help(format!("its KPIs: {}", names.clone().collect::<Vec<_>>().join(", ")))
                .did_you_mean(&args.kpi, names),
        )));
    };
    let observer: Arc<dyn Observer> = Arc::new(Progress::silent());
    let shop = open(&project, pipeline, system, &observer)?;
    let found = ask(&shop, kpi, args.as_of.as_deref(), args.period).await?;
    let page = found.page.as_ref().map(|page| shown_path(&shop.lake, page));
    if screen.json {
        screen.print_json(&as_json(&found, page.as_deref()));
    } else {
        show(screen, &found, page.as_deref());
    }
    Ok(())
}

fn as_json(found: &Explained, page: Option<&str>) -> serde_json::Value {
    let value = |v: &KpiValue| {
        json!({
            "period": v.point.period,
            "dimension": v.dimension,
            "value": v.point.value,
            "numerator": v.point.numerator,
            "denominator": v.point.denominator,
            "n": v.point.n,
            "low": v.point.low,
            "high": v.point.high,
            "provisional": v.point.provisional,
        })
    };
    let words = &found.stage.head.words;
    json!({
        "kpi": found.kpi.name,
        "label": found.kpi.label,
        "snapshot": found.snapshot,
        "as_of": found.as_of,
        "run": found.run,
        "page": page,
        "values": found.values.iter().map(value).collect::<Vec<_>>(),
        "target": found.kpi.target,
        "alerts": found.alerts,
        "restatements": found.restated.iter().map(|(as_of, v)| json!({
            "as_of": as_of,
            "value": v.point.value,
            "was": v.was.as_ref().and_then(|w| w.value),
            "was_snapshot": v.was.as_ref().map(|w| w.snapshot),
        })).collect::<Vec<_>>(),
        "definition": found.definition(),
        "formula": words.formula,
        "rules": words.rules,
        "reference": words.reference,
        "sql": found.stage.file.text,
        "tables": found.tables.iter().map(|t| json!({
            "table": t.table, "rows": t.rows, "fingerprint": t.fingerprint, "file": t.file, "reads": t.reads, "closed": t.closed,
        })).collect::<Vec<_>>(),
        "checks": found.checks,
        "sources": found.sources.iter().map(|s| json!({
            "source": s.source, "balance": s.balance, "exports": s.exports,
        })).collect::<Vec<_>>(),
    })
}

fn show(screen: &Screen, found: &Explained, page: Option<&str>) {
    let unit = &found.kpi.unit;
    for value in &found.values {
        screen.print(&figure(&found.kpi.label, value, unit));
    }
    let line = |what: &str, text: &str| {
        screen.print(&format!("  {what:<10} {}", text.split_whitespace().collect::<Vec<_>>().join(" ")));
    };
    line("snapshot", &format!("{} as of {}, by run {}", found.snapshot, found.as_of, found.run));
    if let Some(page) = page {
        line("page", page);
    }
    if let Some(definition) = found.definition() {
        line("is", definition);
    }
    let words = &found.stage.head.words;
    if let Some(formula) = &words.formula {
        line("formula", formula);
    }
    for rule in &words.rules {
        line("rule", rule);
    }
    for reference in &words.reference {
        line("reference", reference);
    }
    if let Some(target) = found.kpi.target {
        line("target", &of_unit(target, unit));
    }
    for alert in &found.alerts {
        line("alert", &format!("{} (since {})", alert.message, alert.since));
    }
    for sentence in found.restatements() {
        line("restated", &sentence);
    }
    screen.print("\nmade from");
    for table in &found.tables {
        let reads: Vec<String> = table.reads.iter().map(ToString::to_string).collect();
        screen.print(&format!(
            "  {:<28} {:>10} rows  {}  {} ← {}",
            table.marked(),
            human_count(table.rows),
            table.fingerprint,
            table.file,
            reads.join(", ")
        ));
    }
    if found.tables.iter().any(|table| table.closed) {
        screen.print(&format!("  {OF_CLOSED}"));
    }
    for source in &found.sources {
        screen.print(&format!("  {:<28} {}", format!("raw.{}", source.source), balance_of(source)));
        for export in source.exports.iter().rev().take(EXPORTS_SHOWN) {
            screen.print(&format!("    {export}"));
        }
        if source.exports.len() > EXPORTS_SHOWN {
            screen.print(&format!("    … and {} before", source.exports.len() - EXPORTS_SHOWN));
        }
    }
    let noted: Vec<_> = found.checks.iter().filter(|c| c.status != CheckStatus::Passed).collect();
    screen.print(&format!("\n{} checks on these tables, {} with a remark", found.checks.len(), noted.len()));
    for outcome in noted {
        screen.print(&format!("  {}", outcome_line(outcome)));
    }
    screen.print(&format!("\n{}\n{}", found.stage.file.path.display(), statement(&found.stage.file)));
}

/// `Retention 34.2 % in 2011-11-01 (n = 1,204; 412 ÷ 1,204; 95 % interval 31.5 % to 36.9 %)`.
fn figure(label: &str, value: &KpiValue, unit: &Unit) -> String {
    let point = &value.point;
    let of = value.dimension.as_ref().map_or(String::new(), |d| format!(" of {d}"));
    let figure = point.value.map_or_else(|| "–".to_owned(), |v| of_unit(v, unit));
    format!("{label}{of}: {figure}, period from {} ({})", point.period, rests_on(point, unit))
}
