//! Puts the fictional company's exports where a pipeline looks for them, when nothing is there yet.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::config::{Pipeline, Project};
use crate::run::RunError;
use crate::run::open::known;
use crate::sample::{Spec, exports};

/// The file that tells a folder of ours from a company's own exports.
const TRUTH: &str = "truth.json";

/// Makes the exports of a pipeline that has a `sample`, unless its folder holds something already.
///
/// Gives the `as_of` the sample is for; nothing when the pipeline reads somebody's own exports.
pub fn ensure_sample(
    project: &Project,
    pipeline: &Pipeline,
    mut made: impl FnMut(&Path, usize),
) -> Result<Option<NaiveDate>, RunError> {
    let Some(sample) = &pipeline.sample else { return Ok(None) };
    let Some(store) = project.stores.get(&sample.store) else { return Ok(None) };
    let url = known(&store.url)?;
    if url.contains("://") {
        return Ok(None);
    }
    let folder = project.root.join(&url);
    if folder.join(TRUTH).is_file() {
        return Ok(Some(sample.as_of));
    }
    let holds_something = folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if holds_something {
        return Ok(None);
    }
    let files = write_sample(&folder, &Spec::of(sample.customers, sample.as_of))?;
    made(&folder, files);
    Ok(Some(sample.as_of))
}

/// Writes the exports of a company; `truth.json` comes last, so a folder that has it is whole.
pub fn write_sample(folder: &Path, spec: &Spec) -> Result<usize, RunError> {
    let fail = |path: &Path, cause| RunError::Files { what: format!("writing {}", path.display()), cause };
    let mut count = 0;
    for file in exports(*spec) {
        let path: PathBuf = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| fail(parent, e))?;
        }
        std::fs::write(&path, &file.bytes).map_err(|e| fail(&path, e))?;
        count += 1;
    }
    Ok(count)
}
