//! Reads the texts of a project into memory, so that the rooms that understand them need no I/O.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{SourceText, on_all_cores};

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
    let mut paths = Vec::new();
    if root.join("matins.yaml").is_file() {
        paths.push(PathBuf::from("matins.yaml"));
    }
    for folder in ["pipelines", "sql", "report-templates"] {
        if root.join(folder).is_dir() {
            list_folder(root, Path::new(folder), &mut paths)?;
        }
    }
    let texts = on_all_cores(&paths, |path| read_file(root, path)).into_iter().collect::<io::Result<_>>()?;
    Ok(ProjectFiles { root: root.to_owned(), texts })
}

fn list_folder(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        // Hidden files belong to editors.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // A link to a folder is followed once, by its target's type.
        let kind = entry.file_type()?;
        let is_folder = if kind.is_symlink() { std::fs::metadata(root.join(&path))?.is_dir() } else { kind.is_dir() };
        if is_folder {
            list_folder(root, &path, paths)?;
            continue;
        }
        let known = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if matches!(known, "yaml" | "yml" | "sql" | "html" | "txt" | "css" | "svg") {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_file(root: &Path, path: &Path) -> io::Result<(String, Arc<SourceText>)> {
    let bytes = std::fs::read(root.join(path))
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", root.join(path).display())))?;
    let key = path.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    Ok((key, SourceText::new(path, text)))
}
