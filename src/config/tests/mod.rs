//! A good project and what it means; broken texts and what is said of them; and texts no person would write.

mod broken;
mod good;
mod robust;
mod shared;
mod stages_tests;

use std::collections::BTreeMap;

use crate::base::{Diagnostics, SourceText};
use crate::system::{Environment, ProjectFiles};

use super::{Project, load};

const GOOD: [(&str, &str); 9] = [
    ("matins.yaml", include_str!("good/matins.yaml")),
    ("pipelines/customer-health.yaml", include_str!("good/customer-health.yaml")),
    ("pipelines/other.yaml", "description: Another one"),
    ("sql/shop/core/orders.sql", include_str!("good/orders.sql")),
    ("sql/crm/kpis/kpi/net_revenue.sql", "SELECT 1 AS value"),
    ("sql/crm/kpis/kpi/net_revenue.test.yaml", "not: [read"),
    ("sql/crm/kpis/pack.yaml", include_str!("good/pack.yaml")),
    ("report-templates/executive.html", "<p>"),
    ("report-templates/parts/head.html", "<p>"),
];

fn files(texts: &[(&str, &str)]) -> ProjectFiles {
    let texts: BTreeMap<_, _> = texts.iter().map(|(p, t)| ((*p).to_owned(), SourceText::new(*p, *t))).collect();
    ProjectFiles { root: "/project".into(), texts }
}

/// The good project with some of its texts replaced.
fn with(changes: &[(&str, &str)]) -> ProjectFiles {
    let mut all = files(&GOOD);
    all.texts.extend(files(changes).texts);
    all
}

fn environment() -> Environment {
    Environment([("EXPORTS".to_owned(), "s3://bucket/exports".to_owned())].into())
}

fn read(files: &ProjectFiles) -> (Option<Project>, Diagnostics) {
    load(files, &environment())
}

/// `pipelines/a.yaml:3:5 unknown-key: message (help)`, one a line.
fn lines(found: &Diagnostics) -> Vec<String> {
    let line = |d: &crate::base::Diagnostic| {
        let place = d.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let shown = d.place.as_ref().map(|p| p.file.text.get(p.span.clone()).expect("a place inside its file"));
        format!(
            "{place} {}: {} «{}» ({})",
            d.code,
            d.message,
            shown.unwrap_or(""),
            d.help.as_deref().unwrap_or("NO HELP")
        )
    };
    found.0.iter().map(line).collect()
}
