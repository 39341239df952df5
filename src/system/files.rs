//! Reads the texts of a project into memory, so that the rooms that understand them need no I/O.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::SourceText;

/// The texts of a project by their path from its root, with `/` between folders.
#[derive(Debug, Clone, Default)]
pub struct ProjectFiles {
    pub root: PathBuf,
    pub texts: BTreeMap<String, Arc<SourceText>>,
}

impl ProjectFiles {
    /// The files below a folder whose name ends so, in order of path.
    pub fn below<'a>(
        &'a self,
        folder: &'a str,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<SourceText>)> {
        self.texts
            .range(folder.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(folder))
            .filter(move |(path, _)| path.ends_with(ending))
            .map(|(path, text)| (path.as_str(), text))
    }
}

/// Reads `matins.yaml` and everything under `pipelines/`, `sql/` and `report-templates/`.
pub fn read_project(root: &Path) -> io::Result<ProjectFiles> {
    let mut texts = BTreeMap::new();
    if root.join("matins.yaml").is_file() {
        read_file(root, Path::new("matins.yaml"), &mut texts)?;
    }
    for folder in ["pipelines", "sql", "report-templates"] {
        if root.join(folder).is_dir() {
            read_folder(root, Path::new(folder), &mut texts)?;
        }
    }
    Ok(ProjectFiles { root: root.to_owned(), texts })
}

fn read_folder(root: &Path, folder: &Path, texts: &mut BTreeMap<String, Arc<SourceText>>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        // A link to a folder is followed once, by its target's type; hidden files belong to editors.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = std::fs::metadata(root.join(&path))?;
        if kind.is_dir() {
            read_folder(root, &path, texts)?;
        } else {
            read_file(root, &path, texts)?;
        }
    }
    Ok(())
}

fn read_file(root: &Path, path: &Path, texts: &mut BTreeMap<String, Arc<SourceText>>) -> io::Result<()> {
    let known = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if !matches!(known, "yaml" | "yml" | "sql" | "html" | "txt" | "css" | "svg") {
        return Ok(());
    }
    let bytes = std::fs::read(root.join(path))
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", root.join(path).display())))?;
    let key = path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    texts.insert(key, SourceText::new(path, text));
    Ok(())
}
