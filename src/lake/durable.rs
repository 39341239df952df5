//! A lake in a folder of this machine: what is named by a marker or manifest must outlive a power cut. Unix does that only
//! when the file and every folder whose entry is new are synced. Object stores need none of it.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::lake::Create;
use super::paths::{STAGING, TABLES};

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Folders whose own entry is known to be on the disk, so that the way up is synced once and not for every file.
    folders: HashSet<PathBuf>,
    /// How many folders were removed: what was listed before one was is not believed.
    removals: u64,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        let known = Known { folders: HashSet::from([root.clone()]), removals: 0 };
        Self { root, known: Mutex::new(known) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn sync_file(&self, path: &str) -> io::Result<()> {
        File::open(self.root.join(path))?.sync_all()
    }

    /// Syncs the folders the files lie in, each once, and those above them as far as they are new.
    pub(super) fn sync_folders_of<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let mut done = BTreeSet::new();
        let parents: BTreeSet<PathBuf> =
            files.into_iter().filter_map(|f| self.root.join(f).parent().map(Path::to_owned)).collect();
        for folder in parents {
            sync_once(&folder, &mut done)?;
            let mut fresh = folder.as_path();
            while !self.is_known(fresh) {
                let Some(above) = fresh.parent() else { break };
                // Every table has its folder in this one: all that are there are known by one look.
                let removals = self.known().removals;
                let beside =
                    if above == self.root.join(TABLES) && !done.contains(above) { folders_in(above) } else { vec![] };
                sync_once(above, &mut done)?;
                let mut known = self.known();
                if known.removals == removals {
                    known.folders.extend(beside);
                }
                known.folders.insert(fresh.to_owned());
                drop(known);
                fresh = above;
            }
        }
        Ok(())
    }

    fn is_known(&self, folder: &Path) -> bool {
        self.known().folders.contains(folder)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in files, in the order of their paths; nothing where there is none. Says of which file it failed.
    pub(super) fn read_many(&self, paths: &[String]) -> Result<Vec<Option<Vec<u8>>>, (String, io::Error)> {
        let read = paths.iter().map(|path| match std::fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err((path.clone(), error)),
        });
        read.collect()
    }

    /// Puts a whole, synced file in place unless one stands there. The store's own put does not sync, and a cut could
    /// leave an empty file under the name, which nobody could ever create again.
    pub(super) fn create(&self, path: &str, bytes: &[u8]) -> io::Result<Create> {
        let created = self.place(path, self.stage(path, bytes)?)?;
        // Whoever made it may have been stopped before syncing, and we go on to rely on it.
        self.sync_folders_of([path])?;
        Ok(created)
    }

    /// A synced file without its name yet; none where one stands under it.
    pub(super) fn stage(&self, path: &str, bytes: &[u8]) -> io::Result<Option<NamedTempFile>> {
        if self.root.join(path).try_exists()? {
            return Ok(None);
        }
        let staging = self.root.join(STAGING);
        std::fs::create_dir_all(&staging)?;
        let mut file = staged(&staging)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(Some(file))
    }

    /// Gives a staged file its name. The name is durable when the folders are.
    pub(super) fn place(&self, path: &str, staged: Option<NamedTempFile>) -> io::Result<Create> {
        let Some(file) = staged else { return Ok(Create::Exists) };
        let target = self.root.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match file.persist_noclobber(&target) {
            Ok(_) => Ok(Create::Created),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(Create::Exists),
            Err(error) => Err(error.error),
        }
    }

    /// Removes the folders of deleted files as far up as they are empty. One that is not, or is in use, stays.
    pub(super) fn remove_empty(&self, deleted: &[String]) {
        for file in deleted {
            let mut above = self.root.join(file);
            while above.pop() && above != self.root {
                let mut known = self.known();
                if std::fs::remove_dir(&above).is_err() {
                    break;
                }
                known.folders.remove(&above);
                known.removals += 1;
            }
        }
    }

    /// Removes what writers that were killed left behind.
    pub(super) fn sweep_staging(&self, older_than: std::time::SystemTime) -> io::Result<()> {
        let entries = match std::fs::read_dir(self.root.join(STAGING)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.metadata()?.modified()? < older_than {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// A temporary file that others may read once it is in place, as far as the umask lets them.
fn staged(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
        builder.tempfile_in(folder)
    }
    #[cfg(not(unix))]
    builder.tempfile_in(folder)
}

/// As far as they can be told; one that is not named is synced when it is needed.
fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()).collect()
}

fn sync_once(folder: &Path, done: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if done.insert(folder.to_owned()) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sync_of_the_folder_of_tables_is_enough_for_what_was_in_it() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(root.path().to_owned());
        for file in ["tables/core.a/1/part", "tables/core.b/2/part"] {
            folder.create(file, b"rows").expect("created");
        }
        let later = Folder::new(root.path().to_owned());
        later.create("tables/core.a/3/part", b"rows").expect("created");
        assert!(later.is_known(&root.path().join("tables/core.b")), "it was there when `tables` was synced");
        assert!(!later.is_known(&root.path().join("tables/core.b/2")), "what is in it was not looked at");
        std::fs::create_dir(root.path().join("tables/core.c")).expect("a folder");
        later.create("tables/core.a/4/part", b"rows").expect("created");
        assert!(!later.is_known(&root.path().join("tables/core.c")), "it came after");
        later.remove_empty(&["tables/core.c/gone".to_owned()]);
        assert!(!root.path().join("tables/core.c").exists() && !later.is_known(&root.path().join("tables/core.c")));
    }
}
