//! `matins init`: a new project that works, small enough to read in a minute.

use std::path::Path;

use crate::cli::args::InitArgs;
use crate::cli::screen::Screen;
use crate::config::{SchemaKind, schema};
use crate::run::RunError;

const FILES: &[(&str, &str)] = &[
    ("matins.yaml", include_str!("starter/matins.yaml")),
    ("pipelines/shop.yaml", include_str!("starter/shop.yaml")),
    ("sql/shop/core/orders.sql", include_str!("starter/orders.sql")),
    ("sql/shop/kpi/net_revenue.sql", include_str!("starter/net_revenue.sql")),
    ("sql/shop/kpi/net_revenue.test.yaml", include_str!("starter/net_revenue.test.yaml")),
    (
        "exports/orders/2024-01-31.csv",
        "order_id,customer,ordered_on,net\n1,ada,2024-01-03,12.50\n2,bo,2024-01-20,7.25\n",
    ),
    (
        "exports/orders/2024-02-29.csv",
        "order_id,customer,ordered_on,net\n3,ada,2024-02-11,30.00\n4,cy,2024-02-12,n/a\n5,bo,2024-02-28,9.95\n",
    ),
    (".gitignore", "/lake\n/mail\n"),
    ("report-templates/executive.html", include_str!("../../report-templates/executive.html")),
    ("report-templates/executive.txt", include_str!("../../report-templates/executive.txt")),
    ("report-templates/components.html", include_str!("../../report-templates/components.html")),
    ("report-templates/at_risk.html", include_str!("../../report-templates/at_risk.html")),
    ("report-templates/quality.html", include_str!("../../report-templates/quality.html")),
    ("report-templates/segments.html", include_str!("../../report-templates/segments.html")),
    ("report-templates/screens.css", include_str!("../../report-templates/screens.css")),
    ("report-templates/style.css", include_str!("../../report-templates/style.css")),
    ("report-templates/web.css", include_str!("../../report-templates/web.css")),
    ("report-templates/voice.html", include_str!("../../report-templates/voice.html")),
    ("report-templates/forecast.html", include_str!("../../report-templates/forecast.html")),
    ("report-templates/theme.yaml", include_str!("../../report-templates/theme.yaml")),
    ("report-templates/locales/en.yaml", include_str!("../../report-templates/locales/en.yaml")),
    ("report-templates/locales/zh-Hans.yaml", include_str!("../../report-templates/locales/zh-Hans.yaml")),
];

pub fn init(screen: &Screen, args: &InitArgs) -> Result<(), RunError> {
    let folder = &args.folder;
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(RunError::Usage(format!("{} holds something already; name a new folder", folder.display())));
    }
    for (path, text) in FILES {
        let text = if path.contains("/locales/") { without_kpis(text) } else { (*text).to_owned() };
        write(&folder.join(path), &text)?;
    }
    for (name, kind) in [
        ("project", SchemaKind::Project),
        ("pipeline", SchemaKind::Pipeline),
        ("stage", SchemaKind::Stage),
        ("pack", SchemaKind::Pack),
        ("test", SchemaKind::Test),
    ] {
        let text = serde_json::to_string_pretty(&schema(kind)).unwrap_or_default();
        write(&folder.join(format!(".matins/{name}.schema.json")), &text)?;
    }
    screen.print(&format!("wrote a new project to {}", folder.display()));
    screen.print(&format!("  try it: matins -C {} run", folder.display()));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), RunError> {
    let fail = |cause| RunError::Files { what: format!("writing {}", path.display()), cause };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    std::fs::write(path, text).map_err(fail)
}

/// A catalogue without what it says of KPIs: they are of packs that the new project does not have.
fn without_kpis(text: &str) -> String {
    let mut within = false;
    let kept = text.split_inclusive('\n').filter(|line| {
        if !line.starts_with([' ', '\n']) {
            within = line.starts_with("kpi:");
        }
        !within
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_catalogue_says_of_kpis_goes_and_the_rest_stays() {
        assert_eq!(
            without_kpis("# a\na: b\nkpi:\n  net:\n    label: N\n\nvalues:\n  x: y\n"),
            "# a\na: b\nvalues:\n  x: y\n"
        );
    }
}
