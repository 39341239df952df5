//! The lake itself: a store, where it is, and the few ways to read and write an object in it. Knows no meaning of any.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as StorePath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::system::Environment;

use super::disk::{Stored, decode, encode};
use super::durable::Folder;
use super::error::LakeError;
use super::store::{Absent, RootedStore, open};

/// Reads at once: enough to hide a store's latency, few enough for its limits.
pub(super) const AT_ONCE: usize = 32;
/// A store may refuse a create because another request is under way, and then have nothing there.
const CONFLICT_TRIES: u32 = 8;
const SYNCS_AT_ONCE: usize = 8;
/// So many files of this machine are read by one thread.
const READ_BY_ONE: usize = 256;

/// Where Matins writes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    location: String,
    folder: Option<Arc<Folder>>,
    /// Names of markers on their way to the disk.
    settling: Arc<Mutex<Vec<Settling>>>,
}

/// A name on its way to the disk: its path, and what came of it.
type Settling = (String, JoinHandle<std::io::Result<()>>);

/// What became of a create-only put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// These very bytes stand there, and we put them.
    Created,
    /// Something else stood there before.
    Exists,
}

impl Lake {
    /// Opens a lake at a URL or in a folder relative to `root`, which is made when it is not there.
    pub fn open(
        location: &str,
        root: &Path,
        options: &BTreeMap<String, String>,
        environment: &Environment,
    ) -> Result<Self, LakeError> {
        let RootedStore { store, url, local } = open(location, root, options, environment, Absent::Create)?;
        let folder = local.map(|root| Arc::new(Folder::new(root)));
        Ok(Self { store, location: url, folder, settling: Arc::default() })
    }

    /// A lake in any store, as a test has one in memory.
    pub fn in_store(store: Arc<dyn ObjectStore>, location: &str) -> Self {
        Self { store, location: location.to_owned(), folder: None, settling: Arc::default() }
    }

    /// Rooted at the lake: every path is relative to it.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// For people; holds no secret.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Where it is, when it is a folder of this machine.
    pub fn local(&self) -> Option<&Path> {
        self.folder.as_deref().map(Folder::root)
    }

    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, LakeError> {
        let at = self.at(path)?;
        match self.store.get(&at).await {
            Ok(found) => found.bytes().await.map(Some).map_err(|e| self.store_error("read", path, e)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.store_error("read", path, error)),
        }
    }

    /// Many objects, in the order of their paths; nothing where there is none. Of a folder of this machine one thread has read
    /// hundreds before a second has been woken.
    async fn get_many(&self, paths: Vec<String>) -> Result<Vec<Option<Bytes>>, LakeError> {
        let Some(folder) = &self.folder else {
            let read = paths.iter().map(|path| self.get(path));
            return futures::stream::iter(read.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await;
        };
        let shares = paths.chunks(READ_BY_ONE).map(|share| {
            let (folder, share) = (Arc::clone(folder), share.to_vec());
            tokio::task::spawn_blocking(move || folder.read_many(&share))
        });
        let mut all = Vec::with_capacity(paths.len());
        for share in shares.collect::<Vec<_>>() {
            let read = share.await.unwrap_or_else(|stopped| Err((String::new(), std::io::Error::other(stopped))));
            let read = read.map_err(|(path, source)| self.disk_error("read", &path, source))?;
            all.extend(read.into_iter().map(|bytes| bytes.map(Bytes::from)));
        }
        Ok(all)
    }

    pub async fn exists(&self, path: &str) -> Result<bool, LakeError> {
        match self.store.head(&self.at(path)?).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.store_error("look for", path, error)),
        }
    }

    /// Writes over what is there. Not synced on a folder: call `make_durable` before anything names it.
    pub async fn put(&self, path: &str, bytes: impl Into<PutPayload>) -> Result<(), LakeError> {
        let done = self.store.put(&self.at(path)?, bytes.into()).await;
        done.map(drop).map_err(|e| self.store_error("write", path, e))
    }

    /// Puts an object where none stands, whole and durable, or finds that one does.
    ///
    /// A store can say "exists" about our own write (its answer was lost and the request sent again), or about one that
    /// never came to be. So what is there is read back: equal bytes are ours. Where two writers may put equal bytes and
    /// only one may win, the bytes must hold a nonce.
    pub async fn create(&self, path: &str, bytes: impl Into<Bytes>) -> Result<Create, LakeError> {
        let bytes: Bytes = bytes.into();
        if let Some(folder) = &self.folder {
            // What is put here may name markers.
            self.names_are_durable(folder).await?;
            let (folder, to) = (Arc::clone(folder), path.to_owned());
            return self.blocking("write", path, move || folder.create(&to, &bytes)).await;
        }
        let at = self.at(path)?;
        let mut tries = 0;
        loop {
            let payload = PutPayload::from_bytes(bytes.clone());
            let Err(error) = self.store.put_opts(&at, payload, PutMode::Create.into()).await else {
                return Ok(Create::Created);
            };
            let error = match error {
                object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => None,
                error => Some(self.store_error("create", path, error)),
            };
            // Of a request that failed halfway nobody knows whether it was carried out, unless it can be seen.
            match (self.get(path).await, error) {
                (Ok(Some(there)), _) if there == bytes => return Ok(Create::Created),
                (Ok(Some(_)), None) => return Ok(Create::Exists),
                (Ok(None), None) if tries < CONFLICT_TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(25 << tries)).await;
                }
                (Ok(None), None) => {
                    return Err(LakeError::Missing { path: path.to_owned(), location: self.location.clone() });
                }
                (_, Some(error)) | (Err(error), None) => return Err(error),
            }
        }
    }

    /// As `create`, for a marker of files: they are brought to the disk while its bytes are, and it gets its name after all of
    /// them. That the name is on the disk is only waited for by the next `create`: a marker whose name a power cut takes away
    /// was never there, and until something durable relies on it that is all the same.
    pub(super) async fn create_marker(&self, path: &str, bytes: Bytes, files: &[String]) -> Result<Create, LakeError> {
        let Some(folder) = &self.folder else { return self.create(path, bytes).await };
        let (stage, to) = (Arc::clone(folder), path.to_owned());
        let staged = self.blocking("write", path, move || stage.stage(&to, &bytes));
        let (staged, ()) = try_join(staged, self.make_durable(files)).await?;
        let (place, to) = (Arc::clone(folder), path.to_owned());
        let created = self.blocking("write", path, move || place.place(&to, staged)).await?;
        // Also where it stood already: whoever made it may have been stopped before syncing.
        let settling = settling(Arc::clone(folder), path.to_owned());
        self.settling.lock().await.push(settling);
        Ok(created)
    }

    /// Waits until the names of all markers so far are on the disk. One that failed is tried again by the next who waits.
    async fn names_are_durable(&self, folder: &Arc<Folder>) -> Result<(), LakeError> {
        let mut all = self.settling.lock().await;
        while let Some((path, synced)) = all.pop() {
            if let Err(source) = synced.await.map_err(std::io::Error::other).and_then(|done| done) {
                all.push(settling(Arc::clone(folder), path.clone()));
                return Err(self.disk_error("sync the folder of", &path, source));
            }
        }
        Ok(())
    }

    /// Everything below a folder, in order of path.
    pub async fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, LakeError> {
        let at = self.at(folder)?;
        let listed: Result<Vec<_>, _> = self.store.list(Some(&at)).try_collect().await;
        let mut found = listed.map_err(|e| self.store_error("list", folder, e))?;
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// Everything directly in a folder that sorts after a path.
    pub(super) async fn list_after(&self, folder: &str, after: &str) -> Result<Vec<ObjectMeta>, LakeError> {
        let listed: Result<Vec<_>, _> =
            self.store.list_with_offset(Some(&self.at(folder)?), &self.at(after)?).try_collect().await;
        listed.map_err(|e| self.store_error("list", folder, e))
    }

    /// The names of the folders directly in a folder, in order.
    pub async fn list_folders(&self, folder: &str) -> Result<Vec<String>, LakeError> {
        let at = self.at(folder)?;
        let listed = match self.store.list_with_delimiter(Some(&at)).await {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(self.store_error("list", folder, error)),
        };
        let mut names: Vec<_> = listed.common_prefixes.iter().filter_map(|p| p.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Deletes objects; those that are gone already count as deleted.
    pub async fn delete(&self, paths: &[String]) -> Result<(), LakeError> {
        let all: Result<Vec<_>, _> = paths.iter().map(|p| self.at(p)).collect();
        let mut deleted = self.store.delete_stream(futures::stream::iter(all?.into_iter().map(Ok)).boxed());
        while let Some(done) = deleted.next().await {
            match done {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.store_error("delete", paths.first().map_or("", String::as_str), error)),
            }
        }
        Ok(())
    }

    pub async fn read_json<T: Stored>(&self, path: &str) -> Result<Option<T>, LakeError> {
        self.get(path).await?.map(|bytes| decode(path, &bytes)).transpose()
    }

    /// Many of a kind, in the order of their paths.
    pub(super) async fn read_many_json<T: Stored>(&self, paths: Vec<String>) -> Result<Vec<Option<T>>, LakeError> {
        let read = self.get_many(paths.clone()).await?;
        let decoded = paths.iter().zip(read).map(|(path, bytes)| bytes.map(|bytes| decode(path, &bytes)).transpose());
        decoded.collect()
    }

    pub async fn write_json<T: Stored>(&self, path: &str, value: &T) -> Result<(), LakeError> {
        self.put(path, encode(path, value)?).await
    }

    pub async fn create_json<T: Stored>(&self, path: &str, value: &T) -> Result<Create, LakeError> {
        self.create(path, encode(path, value)?).await
    }

    /// Brings written files to the disk, with the folders they lie in. Before any marker or manifest that names them.
    pub async fn make_durable(&self, files: &[String]) -> Result<(), LakeError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        // Collected first: a stream that maps references is not provably `Send`, and a run works on several threads.
        let syncs: Vec<_> = files
            .iter()
            .map(|path| {
                let (folder, file) = (Arc::clone(folder), path.clone());
                self.blocking("sync", path, move || folder.sync_file(&file))
            })
            .collect();
        let (folder, all) = (Arc::clone(folder), files.to_vec());
        let first = files.first().map_or("", String::as_str);
        let folders =
            self.blocking("sync the folder of", first, move || folder.sync_folders_of(all.iter().map(String::as_str)));
        let synced = futures::stream::iter(syncs).buffer_unordered(SYNCS_AT_ONCE).try_collect::<()>();
        try_join(synced, folders).await.map(drop)
    }

    pub(super) async fn sweep_staging(&self, older_than: std::time::SystemTime) -> Result<(), LakeError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let folder = Arc::clone(folder);
        self.blocking("sweep", super::paths::STAGING, move || folder.sweep_staging(older_than)).await
    }

    /// On a folder deleting files leaves folders; a store has none.
    pub(super) async fn remove_empty_folders(&self, of: Vec<String>) -> Result<(), LakeError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let folder = Arc::clone(folder);
        self.blocking("tidy", "", move || {
            folder.remove_empty(&of);
            Ok(())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        path: &str,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, LakeError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other).and_then(|r| r);
        done.map_err(|source| self.disk_error(operation, path, source))
    }

    fn disk_error(&self, operation: &'static str, path: &str, source: std::io::Error) -> LakeError {
        LakeError::Disk { operation, path: path.to_owned(), location: self.location.clone(), source }
    }

    fn at(&self, path: &str) -> Result<StorePath, LakeError> {
        StorePath::parse(path).map_err(|e| self.store_error("name", path, e.into()))
    }

    fn store_error(&self, operation: &'static str, path: &str, source: object_store::Error) -> LakeError {
        LakeError::Store { operation, path: path.to_owned(), location: self.location.clone(), source: Box::new(source) }
    }
}

fn settling(folder: Arc<Folder>, path: String) -> Settling {
    let name = path.clone();
    (path, tokio::task::spawn_blocking(move || folder.sync_folders_of([name.as_str()])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::testing::{Lies, Lying, both_kinds, in_memory, on_disk};

    #[tokio::test]
    async fn a_create_happens_once() {
        for (lake, _folder) in both_kinds() {
            assert_eq!(lake.create("a/b.json", "one").await.expect("put"), Create::Created);
            assert_eq!(lake.create("a/b.json", "two").await.expect("put"), Create::Exists);
            assert_eq!(lake.get("a/b.json").await.expect("read").expect("there"), "one");
            assert_eq!(lake.get("a/c.json").await.expect("read"), None);
            let listed = lake.list("a").await.expect("listed");
            assert_eq!(listed.iter().map(|m| m.location.to_string()).collect::<Vec<_>>(), ["a/b.json"]);
            lake.delete(&["a/b.json".to_owned(), "a/gone".to_owned()]).await.expect("deleted");
            assert!(!lake.exists("a/b.json").await.expect("looked"));
        }
    }

    #[tokio::test]
    async fn a_create_that_succeeded_but_reported_exists_is_ours() {
        let lake = Lying::lake(Lies::WroteSaidExists);
        assert_eq!(lake.create("x", "my nonce").await.expect("put"), Create::Created);
        assert_eq!(lake.create("x", "another nonce").await.expect("put"), Create::Exists);
    }

    #[tokio::test]
    async fn a_passing_conflict_with_nothing_there_is_tried_again() {
        let lake = Lying::lake(Lies::WroteNothingSaidExists);
        assert_eq!(lake.create("x", "my nonce").await.expect("put"), Create::Created);
        assert_eq!(lake.get("x").await.expect("read").expect("there"), "my nonce");
    }

    #[tokio::test]
    async fn an_answer_that_was_lost_is_looked_up() {
        let lake = Lying::lake(Lies::AnswerLost);
        assert_eq!(lake.create("x", "my nonce").await.expect("put"), Create::Created);
    }

    #[tokio::test]
    async fn names_of_markers_are_on_the_disk_before_the_next_create() {
        let (lake, _folder) = on_disk();
        lake.put("a/part.parquet", "rows").await.expect("put");
        let files = ["a/part.parquet".to_owned()];
        assert_eq!(lake.create_marker("a/_table.json", "one".into(), &files).await.expect("marked"), Create::Created);
        assert_eq!(lake.create_marker("a/_table.json", "two".into(), &files).await.expect("marked"), Create::Exists);
        assert_eq!(lake.get("a/_table.json").await.expect("read").expect("there"), "one");
        assert_eq!(lake.settling.lock().await.len(), 2);
        lake.create("snapshots/1.json", "manifest").await.expect("put");
        assert!(lake.settling.lock().await.is_empty());
    }

    #[tokio::test]
    async fn folders_are_listed_by_name() {
        for (lake, _folder) in both_kinds() {
            for path in ["runs/b/r1/x", "runs/a/r1/x", "runs/a/r2/x"] {
                lake.put(path, "x").await.expect("put");
            }
            assert_eq!(lake.list_folders("runs").await.expect("listed"), ["a", "b"]);
            assert!(lake.list_folders("nothing").await.expect("listed").is_empty());
            assert!(lake.list("nothing").await.expect("listed").is_empty());
        }
        assert_eq!(in_memory().location(), "memory");
    }
}
