//! What the room's tests share: lakes, names, values, and a store that lies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};

use crate::base::{Fingerprint, PipelineName, RunId, SourceName};
use crate::lake::{DataFile, Lake, Landed, RunFinished, RunStarted, RunStatus, paths};
use crate::plan::Export;
use crate::system::{Environment, Machine, Process};

pub(super) fn in_memory() -> Lake {
    Lake::in_store(Arc::new(InMemory::new()), "memory")
}

pub(super) fn on_disk() -> (Lake, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let none = std::collections::BTreeMap::new();
    let lake = Lake::open(".", folder.path(), &none, &Environment::default()).expect("opened");
    (lake, folder)
}

/// A lake in memory and one in a folder, which keep every promise in different ways.
pub(super) fn both_kinds() -> [(Lake, Option<tempfile::TempDir>); 2] {
    let (lake, folder) = on_disk();
    [(in_memory(), None), (lake, Some(folder))]
}

pub(super) fn pipeline() -> PipelineName {
    "p".parse().expect("a name")
}

pub(super) fn source() -> SourceName {
    "orders".parse().expect("a name")
}

pub(super) fn run(id: &str) -> RunId {
    format!("r-{id}").parse().expect("an id")
}

pub(super) fn fingerprint(of: &str) -> Fingerprint {
    Fingerprint::of_bytes(of.as_bytes())
}

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, 3, 1, 2, 30, 0).single().expect("an instant")
}

pub(super) fn this_machine() -> Machine {
    Machine { cores: 2, memory_bytes: 1 << 30, boot: "here/1".into(), host: "here".into() }
}

/// A process of another machine: from here nobody can tell that it is gone.
pub(super) fn holder() -> Process {
    Process { host: "there".into(), boot: "there/1".into(), pid: 1, started_s: 1 }
}

/// A process of this machine before it was started again.
pub(super) fn dead_process() -> Process {
    Process { host: "here".into(), boot: "here/0".into(), pid: 1, started_s: 1 }
}

pub(super) fn started(run: RunId) -> RunStarted {
    RunStarted {
        run,
        pipeline: pipeline(),
        as_of: "2024-03-01".into(),
        started_at: now(),
        process: holder(),
        version: "0.1.0".into(),
        cause: None,
        due_at: None,
    }
}

pub(super) fn finished(run: RunId, status: RunStatus) -> RunFinished {
    RunFinished::new(run, now(), status, 0)
}

/// Writes a file as landing does, and gives the marker for it, not yet put.
pub(super) async fn landed(lake: &Lake, of: &str, attempt: &str) -> Landed {
    let path = format!("{}/part-0.parquet", paths::landed_attempt(&source(), &fingerprint(of), attempt));
    lake.put(&path, "rows").await.expect("written");
    Landed {
        fingerprint: fingerprint(of),
        source: source(),
        export: Export {
            path: format!("erp/orders/{of}.csv"),
            size_bytes: 10,
            e_tag: Some("e".into()),
            modified: now(),
            date: Some(now().date_naive()),
        },
        files: vec![DataFile { path, rows: 1, size_bytes: 4 }],
        rows_read: 1,
        rows_landed: 1,
        rows_quarantined: 0,
        quarantine: None,
        warnings: Vec::new(),
    }
}

/// How the first create is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    WroteSaidExists,
    WroteNothingSaidExists,
    AnswerLost,
}

/// A store that lies about the first create-only put.
#[derive(Debug)]
pub(super) struct Lying {
    inner: InMemory,
    lies: Lies,
    told: AtomicBool,
}

impl Lying {
    pub(super) fn lake(lies: Lies) -> Lake {
        Lake::in_store(Arc::new(Self { inner: InMemory::new(), lies, told: AtomicBool::new(false) }), "lies")
    }
}

impl std::fmt::Display for Lying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("lying")
    }
}

#[async_trait]
impl ObjectStore for Lying {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        if options.mode != PutMode::Create || self.told.swap(true, Ordering::SeqCst) {
            return self.inner.put_opts(at, bytes, options).await;
        }
        if self.lies != Lies::WroteNothingSaidExists {
            self.inner.put_opts(at, bytes, options).await?;
        }
        let source = std::io::Error::from(std::io::ErrorKind::TimedOut).into();
        Err(match self.lies {
            Lies::AnswerLost => object_store::Error::Generic { store: "lying", source },
            _ => object_store::Error::AlreadyExists { path: at.to_string(), source },
        })
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(folder)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
