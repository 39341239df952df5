//! A run that is real but for its store. Where a step panics, those that do not need it are done and stay done, and what was
//! begun because its rows could be read is not published. Where a run is dropped, its record has an end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};

use super::night::{Options, run_interval};
use super::open::open_beside;
use super::running::stop;
use super::session::Session;
use super::{RunError, Workshop};
use crate::base::{AsOf, Event, Observer, SourceText};
use crate::config::load;
use crate::engine::{Engine, Settings};
use crate::lake::{Lake, RunStatus};
use crate::system::{Clock, Environment, Ids, Machine, ProjectFiles, System};

/// The record that a run has ended: the first put of it never ends, where it is told to fail there.
const HANGS: &str = "finished.json";

/// Panics where the rows of the table `core.bad` are written, or where it is marked as made, as long as it is told to.
#[derive(Debug)]
struct Treacherous {
    inner: InMemory,
    /// How the name of what is put ends.
    at: &'static str,
    panics: Arc<AtomicBool>,
}

impl std::fmt::Display for Treacherous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("treacherous")
    }
}

#[async_trait]
impl ObjectStore for Treacherous {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        if self.at == HANGS && at.as_ref().ends_with(HANGS) && self.panics.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let bad = at.as_ref().starts_with("tables/core.bad/") && at.as_ref().ends_with(self.at);
        assert!(!(bad && self.panics.load(Ordering::SeqCst)), "poison");
        self.inner.put_opts(at, bytes, options).await
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

struct Silent;

impl Observer for Silent {
    fn see(&self, _: &Event) {}
}

/// A shop with one export, a stage that is bad, one that needs it, and two that do not.
fn shop(folder: &std::path::Path, panics: &Arc<AtomicBool>, at: &'static str) -> Workshop {
    let texts = [
        ("matins.yaml", "stores: {drops: drops}\n"),
        (
            "pipelines/shop.yaml",
            "sources:\n  lines:\n    path: drops://{date}.csv\n    columns: {id: text, day: date}\npacks: [p]\n",
        ),
        ("sql/p/core/bad.sql", "SELECT id FROM raw.lines"),
        ("sql/p/core/good.sql", "SELECT id FROM raw.lines"),
        ("sql/p/mart/of_bad.sql", "SELECT count(*) AS n FROM core.bad"),
        ("sql/p/mart/of_good.sql", "SELECT count(*) AS n FROM core.good"),
    ];
    let texts = texts.iter().map(|(path, text)| ((*path).to_owned(), SourceText::new(*path, *text))).collect();
    let (project, found) = load(&ProjectFiles { root: folder.to_owned(), texts }, &Environment::default());
    assert!(found.is_empty(), "{found:?}");
    let project = Arc::new(project.expect("a project"));
    std::fs::create_dir_all(folder.join("drops")).expect("a folder");
    std::fs::write(folder.join("drops/2024-01-01.csv"), "id,day\n1,2024-01-01\n2,2024-01-01\n").expect("an export");
    let system = System {
        clock: Clock::Manual(Arc::new(AtomicI64::new(1_704_200_000_000))),
        environment: Environment::default(),
        ids: Ids::Counting(Arc::new(AtomicU64::new(0))),
        machine: Machine::this(),
    };
    let store = Treacherous { inner: InMemory::new(), at, panics: Arc::clone(panics) };
    let lake = Lake::in_store(Arc::new(store), "memory:///");
    let engine = Arc::new(Engine::new(Settings { memory_bytes: 1 << 28, cores: 2 }, lake.store()).expect("an engine"));
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let pipeline = project.pipelines.values().next().expect("the pipeline");
    open_beside(&project, pipeline, &system, &observer, &lake, &engine).expect("it opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_panics_is_recorded_and_stops_only_what_needs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let panics = Arc::new(AtomicBool::new(true));
    let shop = shop(folder.path(), &panics, ".parquet");
    let end = AsOf::parse("2024-01-02", shop.pipeline.time_zone).expect("a date").0;
    let interval = shop.pipeline.interval.ending_at(end).expect("a day");
    let run = async || run_interval(&shop, interval, &mut Session::default(), &Options::default(), false).await;

    let error = run().await.expect_err("one step panicked");
    assert_eq!(error.exit_code(), 1, "{error}");
    assert!(matches!(&error, RunError::Steps { failed: 1, .. }), "{error:?}");
    let latest = shop.lake.latest(&shop.pipeline.name).await.expect("read").expect("a link");
    assert!(latest.lease.is_none() && latest.head.is_none(), "given back, and nothing published");
    let records = shop.lake.list_runs(&shop.pipeline.name, 1).await.expect("read");
    let finished = records[0].1.as_ref().expect("its end");
    assert_eq!(finished.status, RunStatus::Failed);
    let outcomes: BTreeMap<&str, &str> = finished.steps.iter().map(|s| (s.step.as_str(), s.outcome.as_str())).collect();
    for (step, outcome) in [
        ("make core.bad", "failed"),
        ("check core.bad", "skipped"),
        ("make mart.of_bad", "skipped"),
        ("make core.good", "ran"),
        ("make mart.of_good", "ran"),
        ("check mart.of_good", "ran"),
    ] {
        assert_eq!(outcomes.get(step), Some(&outcome), "{step} of {outcomes:?}");
    }
    let bad = finished.steps.iter().find(|s| s.step == "make core.bad").expect("its record");
    assert!(
        bad.message.as_deref().is_some_and(|m| m.contains("stopped unexpectedly") && m.contains("poison")),
        "{bad:?}"
    );

    // The next run makes what is missing and nothing else.
    panics.store(false, Ordering::SeqCst);
    let night = run().await.expect("it is mended");
    let mut ran: Vec<&str> = night.steps.iter().map(|s| s.step.as_str()).collect();
    ran.sort_unstable();
    assert_eq!(ran, ["check core.bad", "check mart.of_bad", "make core.bad", "make mart.of_bad"]);
    assert!(night.published);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_could_be_read_and_was_never_marked_is_made_again_and_nothing_of_it_published() {
    let folder = tempfile::tempdir().expect("a folder");
    let panics = Arc::new(AtomicBool::new(true));
    let shop = shop(folder.path(), &panics, "_table.json");
    let end = AsOf::parse("2024-01-02", shop.pipeline.time_zone).expect("a date").0;
    let interval = shop.pipeline.interval.ending_at(end).expect("a day");
    // What is known outlives the failure, as between the intervals of a backfill.
    let mut session = Session::default();

    let error =
        run_interval(&shop, interval, &mut session, &Options::default(), false).await.expect_err("one step panicked");
    assert!(matches!(&error, RunError::Steps { failed: 1, .. }), "{error:?}");
    assert!(shop.lake.latest(&shop.pipeline.name).await.expect("read").expect("a link").head.is_none());

    panics.store(false, Ordering::SeqCst);
    let night = run_interval(&shop, interval, &mut session, &Options::default(), false).await.expect("it is mended");
    let ran: Vec<&str> = night.steps.iter().map(|s| s.step.as_str()).collect();
    assert!(ran.contains(&"make core.bad") && ran.contains(&"check core.bad"), "{ran:?}");
    assert!(!ran.contains(&"make core.good"), "{ran:?}");
    assert!(night.published);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_dropped_while_its_end_is_recorded_has_the_end_it_came_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let hangs = Arc::new(AtomicBool::new(true));
    let shop = shop(folder.path(), &hangs, HANGS);
    let end = AsOf::parse("2024-01-02", shop.pipeline.time_zone).expect("a date").0;
    let interval = shop.pipeline.interval.ending_at(end).expect("a day");
    let (mut session, options) = (Session::default(), Options::default());
    {
        let mut run = std::pin::pin!(run_interval(&shop, interval, &mut session, &options, false));
        while hangs.load(Ordering::SeqCst) {
            let brief = std::time::Duration::from_millis(1);
            tokio::time::timeout(brief, run.as_mut()).await.expect_err("its end cannot be recorded");
        }
    }
    assert_eq!(stop(&shop, 143).await.exit_code(), 143);
    let records = shop.lake.list_runs(&shop.pipeline.name, 9).await.expect("read");
    let [(_, Some(finished))] = records.as_slice() else { panic!("one run, with its end: {records:?}") };
    assert_eq!((finished.status, finished.code, finished.snapshot), (RunStatus::Published, Some(0), Some(2)));
    assert!(finished.steps.iter().any(|s| s.step == "check mart.of_good"), "{finished:?}");
}
