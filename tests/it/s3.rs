//! Exports and lake in an S3 bucket: the real protocol, spoken by a server in this process that keeps objects in a folder.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::project::{HEADER, Project, Said, terminate};

const KEY: &str = "AKTESTKEY";
const SECRET: &str = "a-secret-nobody-may-see";

/// A server with the buckets `exports` and `lake`; it ends when it goes out of scope.
struct Bucket {
    folder: TempDir,
    address: SocketAddr,
    /// While it is set the server takes what is sent and answers nothing.
    frozen: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bucket {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for bucket in ["exports", "lake"] {
            std::fs::create_dir(folder.path().join(bucket)).expect("a bucket");
        }
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder to serve"));
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = std::sync::mpsc::channel();
        let frozen = Arc::new(AtomicBool::new(false));
        let is_frozen = Arc::clone(&frozen);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                bound.send(listener.local_addr().expect("an address")).expect("somebody waits for it");
                tokio::select! {
                    () = serve(listener, service) => {}
                    () = freeze(&is_frozen) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.recv().expect("the server's address");
        Self { folder, address, frozen, stop: Some(stop), thread: Some(thread) }
    }

    /// A shop whose exports are found by the options of its store and whose lake is found by `AWS_…` variables.
    fn shop(&self) -> Project {
        let endpoint = format!("http://{}", self.address);
        let stores = format!(
            "stores: {{exports: {{url: \"s3://exports/erp\", options: {{endpoint: \"{endpoint}\", allow_http: \"true\", \
             region: eu-west-1, access_key_id: {KEY}, secret_access_key: \"${{SHOP_SECRET}}\"}}}}}}"
        );
        let project = Project::shop()
            .variable("SHOP_SECRET", SECRET)
            .variable("MATINS_LAKE", "s3://lake/matins/shop")
            .variable("AWS_ENDPOINT", &endpoint)
            .variable("AWS_ALLOW_HTTP", "true")
            .variable("AWS_REGION", "eu-west-1")
            .variable("AWS_ACCESS_KEY_ID", KEY)
            .variable("AWS_SECRET_ACCESS_KEY", SECRET);
        project.edit("matins.yaml", "stores: {exports: exports}", &stores);
        project
    }

    fn put(&self, day: u32, lines: &str) {
        let folder = self.folder.path().join("exports/erp/orders");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("2024-01-{day:02}.csv")), format!("{HEADER}{lines}")).expect("an export");
    }

    fn put_days(&self, days: u32) {
        for day in 1..=days {
            self.put(day, &format!("{day}-1,2024-01-{day:02},10.00,fine\n{day}-2,2024-01-{day:02},20.00,fine\n"));
        }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.frozen.store(false, Ordering::SeqCst);
        // Either has ended already, or ends now.
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: tokio::net::TcpListener, service: S3Service) {
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            let connection = Builder::new(TokioExecutor::new());
            // A client that goes away is its own business.
            connection.serve_connection(TokioIo::new(socket), service).await.ok();
        });
    }
}

async fn freeze(frozen: &AtomicBool) {
    let brief = Duration::from_millis(5);
    loop {
        tokio::time::sleep(brief).await;
        while frozen.load(Ordering::SeqCst) {
            std::thread::sleep(brief);
        }
    }
}

fn no_secret(said: Said) -> Said {
    said.says_not(SECRET)
}

#[test]
fn a_night_on_a_bucket_is_published_and_asked_again_costs_nothing() {
    let bucket = Bucket::start();
    bucket.put_days(3);
    let project = bucket.shop();
    let said = no_secret(project.matins(&["run", "--as-of", "2024-01-04"]).ok());
    said.says("6 read = 6 landed + 0 quarantined").says("3 exports landed, 3 tables published");
    project.matins(&["run", "--as-of", "2024-01-04"]).ok().says("nothing to do");
    assert_eq!(project.value("SELECT sum(net) FROM core.orders"), "90.0000");
    assert!(project.files("lake").is_empty(), "nothing is written beside the bucket");
    assert!(has_below(&bucket.folder.path().join("lake/matins/shop/snapshots"), "0000000002.json"));

    bucket.put(4, "4-1,2024-01-04,10.00,fine\n4-2,2024-01-04,20.00,fine\n");
    let night = project.night("2024-01-05");
    assert_eq!(landed(&night), ["land orders orders/2024-01-04.csv"], "only the new export is parsed");
    assert_eq!(night["rows"]["landed"], 8);
    project.matins(&["rollback", "2"]).ok();
    assert_eq!(project.value("SELECT count(*) FROM core.orders"), "6");
}

fn landed(night: &Value) -> Vec<&str> {
    let steps = night["steps"].as_array().expect("steps");
    steps.iter().filter_map(|s| s["step"].as_str()).filter(|s| s.starts_with("land ")).collect()
}

fn has_below(folder: &Path, name: &str) -> bool {
    folder.read_dir().is_ok_and(|entries| {
        entries.flatten().any(|e| e.file_name() == name || (e.path().is_dir() && has_below(&e.path(), name)))
    })
}

#[test]
fn an_object_that_is_replaced_lands_anew() {
    let bucket = Bucket::start();
    bucket.put_days(2);
    let project = bucket.shop();
    project.night("2024-01-03");
    bucket.put(1, "1-1,2024-01-01,15.00,corrected\n");
    let night = project.night("2024-01-03");
    assert_eq!(landed(&night), ["land orders orders/2024-01-01.csv"]);
    assert_eq!(project.value("SELECT sum(net) FROM core.orders"), "45.0000");
}

#[test]
fn two_at_once_publish_once() {
    let bucket = Bucket::start();
    bucket.put_days(20);
    let (one, two) = (bucket.shop(), bucket.shop());
    let run = |project: &Project| project.matins(&["run", "--as-of", "2024-01-21"]);
    let said = std::thread::scope(|threads| {
        let other = threads.spawn(|| run(&two));
        [run(&one), other.join().expect("the other one's word")]
    });
    let published = said.iter().filter(|s| s.out.contains("published snapshot")).count();
    assert_eq!(published, 1, "{said:?}");
    for said in said {
        match said.code {
            0 => assert!(said.out.contains("published snapshot") || said.out.contains("nothing to do"), "{said:?}"),
            6 => assert!(said.err.contains("nothing was changed"), "{said:?}"),
            _ => panic!("{said:?}"),
        }
    }
    assert_eq!(one.value("SELECT count(*) FROM system.runs WHERE status = 'published'"), "1");
    assert_eq!(two.value("SELECT count(*) FROM core.orders"), "40");
    one.matins(&["run", "--as-of", "2024-01-21"]).ok().says("nothing to do");
}

#[test]
fn a_wrong_key_ends_with_4_and_says_so_without_the_secret() {
    let bucket = Bucket::start();
    bucket.put_days(1);
    let project = bucket.shop().variable("AWS_SECRET_ACCESS_KEY", "another-secret");
    no_secret(project.matins(&["run", "--as-of", "2024-01-02"]).code(4)).says_not("another-secret");
    let project = bucket.shop();
    project.edit("matins.yaml", "region: eu-west-1", "regoin: eu-west-1");
    project.matins(&["run", "--as-of", "2024-01-02"]).code(2).says("option `regoin`");
}

#[test]
fn a_bucket_that_is_gone_ends_with_4() {
    let bucket = Bucket::start();
    bucket.put_days(1);
    let project = bucket.shop();
    project.matins(&["run", "--as-of", "2024-01-02"]).ok();
    drop(bucket);
    no_secret(project.matins(&["run", "--as-of", "2024-01-02"]).code(4)).says("in s3://lake/matins/shop");
}

/// The lease is on a store that answers nothing, and all threads are busy: the first signal is for an orderly end, the second for one.
#[test]
fn told_twice_a_run_ends_at_once() {
    let bucket = Bucket::start();
    bucket.put_days(3);
    let project = bucket.shop().busy();
    let mut run = project.start(&["run", "--as-of", "2024-01-04"]);
    project.until_busy(&bucket.folder.path().join("lake/matins/shop/runs/shop"));
    bucket.frozen.store(true, Ordering::SeqCst);
    terminate(&run);
    std::thread::sleep(Duration::from_millis(1200));
    assert!(run.try_wait().expect("our own").is_none(), "it tries to give the lease back");
    let since = Instant::now();
    terminate(&run);
    let ended = run.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(143), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
