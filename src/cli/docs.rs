//! `matins docs`: the pages about KPIs and the core contract, written or held against what is there.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::base::{Diagnostic, Diagnostics};
use crate::cli::args::{Cli, DocsArgs};
use crate::cli::project::project;
use crate::cli::screen::Screen;
use crate::plan::handbook;
use crate::run::RunError;
use crate::system::System;

/// The folder that holds nothing but pages of KPIs.
const KPIS: &str = "kpis";

pub fn docs(cli: &Cli, screen: &Screen, system: &System, args: &DocsArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let folder = project.root.join(&args.folder);
    let pages = handbook(&project);
    let changed: Vec<&String> = pages
        .iter()
        .filter(|(path, text)| read(&folder.join(path)).as_ref() != Some(*text))
        .map(|(path, _)| path)
        .collect();
    let gone: Vec<String> = pages_in(&folder.join(KPIS))
        .into_iter()
        .map(|name| format!("{KPIS}/{name}"))
        .filter(|path| !pages.contains_key(path))
        .collect();
    if args.check {
        let stale = |path: &String| {
            let message = format!("{} is not what the packs say", args.folder.join(path).display());
            Diagnostic::error("stale-page", message).help("write the pages again: `matins docs`")
        };
        let mistakes: Vec<Diagnostic> = changed.iter().copied().chain(&gone).map(stale).collect();
        if !mistakes.is_empty() {
            return Err(RunError::Project(Diagnostics(mistakes)));
        }
    } else {
        for path in &changed {
            write(&folder.join(path), &pages[*path])?;
        }
        for path in &gone {
            let path = folder.join(path);
            std::fs::remove_file(&path)
                .map_err(|cause| RunError::Files { what: format!("removing {}", path.display()), cause })?;
        }
    }
    if screen.json {
        screen.print_json(&json!({ "pages": pages.keys().collect::<Vec<_>>(), "written": changed, "removed": gone }));
    } else {
        let folder = args.folder.display();
        screen.print(&format!("{} pages in {folder}: {} written, {} removed", pages.len(), changed.len(), gone.len()));
    }
    Ok(())
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn pages_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter(|name| Path::new(name).extension().is_some_and(|e| e == "md")).collect()
}

fn write(path: &Path, text: &str) -> Result<(), RunError> {
    let fail = |cause| RunError::Files { what: format!("writing {}", path.display()), cause };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    std::fs::write(path, text).map_err(fail)
}
