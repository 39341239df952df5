//! A copy of the shipped project to run in, its lakes and exports, and processes of the binary that end within a limit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub const RETAIL: &str = "online-retail";
pub const COMPANY: &str = "customer-health";

/// No command of a test takes so long; a whole year of nights takes some minutes.
const LIMIT: Duration = Duration::from_mins(30);
const LOOK: Duration = Duration::from_millis(2);

/// The folder of the real daily drops, or a note that a test is skipped.
pub fn drops(test: &str) -> Option<PathBuf> {
    let given = std::env::var_os("ONLINE_RETAIL_EXPORTS").map(PathBuf::from);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/online_retail_by_day/raw/by-day");
    let found = given.unwrap_or(shared);
    if found.join("2010-12-01.csv").is_file() {
        return Some(found);
    }
    println!("{test}: skipped, the drops of online-retail are not in {}", found.display());
    None
}

/// A number from the environment, to make a test longer than it is by itself.
pub fn asked(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var_os(variable).and_then(|v| v.into_string().ok());
    given.and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// Numbers that are the same for the same seed (splitmix64).
pub struct Random(u64);

impl Random {
    /// Says its seed, so that a failure can be had again.
    pub fn new(test: &str) -> Self {
        let seed = asked("MATINS_TEST_SEED", 1);
        println!("{test}: MATINS_TEST_SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        let micros = u64::try_from(limit.as_micros()).expect("a short time").max(1);
        Duration::from_micros(x % micros)
    }
}

/// Where a test works. Gone with it.
pub struct Ground {
    folder: TempDir,
    drops: PathBuf,
    variables: Vec<(&'static str, String)>,
    commands: AtomicU32,
}

/// A command that ended.
pub struct Ended {
    pub words: String,
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

/// A command that runs. Killed if the test leaves it behind.
pub struct Going {
    words: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
    since: Instant,
}

impl Ground {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("matins-nights-").expect("a temporary folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["matins.yaml", "pipelines", "sql", "report-templates"] {
            copy(&root.join(part), &folder.path().join("project").join(part));
        }
        let drops = folder.path().join("drops");
        fs::create_dir(&drops).expect("a folder for drops");
        Self { folder, drops, variables: vec![], commands: AtomicU32::new(0) }
    }

    /// With the fictional company's exports.
    pub fn of_the_company(customers: u32) -> Self {
        let ground = Self::new();
        let exports = ground.folder.path().join("exports");
        let (exports, customers) = (exports.to_string_lossy().into_owned(), customers.to_string());
        ground.run("none", &["sample", &exports, "--customers", &customers]).done();
        ground
    }

    /// Reads the drops where they are.
    pub fn of_drops(folder: &Path) -> Self {
        Self { drops: folder.to_owned(), ..Self::new() }
    }

    /// With copies of the drops dated up to a day, that day included.
    pub fn of_drops_until(folder: &Path, day: &str) -> Self {
        let ground = Self::new();
        for name in drop_names(folder).iter().filter(|name| name.as_str() <= day || name.starts_with(day)) {
            fs::copy(folder.join(name), ground.drops.join(name)).expect("a drop is copied");
        }
        ground
    }

    /// Replaces a part of a file of the project that is there exactly once.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.folder.path().join("project").join(path);
        let text = fs::read_to_string(&path).expect("a file of the project");
        assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in {}", path.display());
        fs::write(path, text.replace(from, to)).expect("a file");
    }

    pub fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    pub fn drops(&self) -> &Path {
        &self.drops
    }

    pub fn lake(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where this project's mail lies.
    pub fn mail(&self) -> PathBuf {
        self.folder.path().join("project/mail")
    }

    /// Starts the binary on a lake.
    pub fn start(&self, lake: &str, words: &[&str]) -> Going {
        let number = self.commands.fetch_add(1, Ordering::SeqCst);
        let path = |kind: &str| self.folder.path().join(format!("{number}.{kind}"));
        let (out, err) = (path("out"), path("err"));
        // Another build can be put to the same tests.
        let binary = std::env::var_os("MATINS_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_matins").into());
        let mut command = Command::new(binary);
        command.arg("-C").arg(self.folder.path().join("project")).args(words);
        command
            .env_remove("MATINS_LEASE_TIMEOUT")
            .env_remove("MATINS_LOG")
            .env_remove("MATINS_CLOCK")
            .env("NO_COLOR", "1");
        command.env("MATINS_LAKE", self.lake(lake)).env("MATINS_EXPORTS", self.folder.path().join("exports"));
        command.env("ONLINE_RETAIL_EXPORTS", &self.drops);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command.stdout(File::create(&out).expect("a file for results"));
        command.stderr(File::create(&err).expect("a file for messages"));
        let child = command.spawn().expect("the binary starts");
        Going { words: words.join(" "), child, out, err, since: Instant::now() }
    }

    pub fn run(&self, lake: &str, words: &[&str]) -> Ended {
        self.start(lake, words).wait()
    }

    /// The rows of a query, as readers get them.
    pub fn ask(&self, lake: &str, pipeline: &str, sql: &str) -> Vec<Value> {
        let found = self.run(lake, &["query", "--json", "--pipeline", pipeline, sql]).done().json();
        found.as_array().expect("a list of rows").clone()
    }

    /// The one row of a query.
    pub fn one(&self, lake: &str, pipeline: &str, sql: &str) -> Value {
        let rows = self.ask(lake, pipeline, sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].clone()
    }

    /// Every link of a pipeline's chain as it lies in the lake, in order; a link is whole or absent.
    pub fn chain(&self, lake: &str, pipeline: &str) -> Vec<Value> {
        let links: Vec<Value> = (1..).map_while(|number| self.link(lake, pipeline, number)).collect();
        let epochs: Vec<u64> = links.iter().map(|link| link["epoch"].as_u64().expect("an epoch")).collect();
        assert!(epochs.is_sorted(), "epochs never go down: {epochs:?}");
        let takings = links.iter().enumerate().filter(|(at, link)| {
            let before = at.checked_sub(1).map(|before| &links[before]);
            !link["lease"].is_null() && before.is_none_or(|b| b["lease"] != link["lease"])
        });
        let taken: Vec<u64> = takings.map(|(_, link)| link["epoch"].as_u64().expect("an epoch")).collect();
        assert!(taken.is_sorted_by(|one, next| one < next), "every taking raises the epoch: {taken:?}");
        links
    }

    pub fn link(&self, lake: &str, pipeline: &str, number: u64) -> Option<Value> {
        let path = self.lake(lake).join(format!("snapshots/{pipeline}/{number:010}.json"));
        let bytes = fs::read(path).ok()?;
        let link: Value = serde_json::from_slice(&bytes).expect("a link is whole or absent");
        Some(link["data"].clone())
    }

    /// The links that publish something.
    pub fn publications(&self, lake: &str, pipeline: &str) -> Vec<Value> {
        self.chain(lake, pipeline).into_iter().filter(|link| !link["publication"].is_null()).collect()
    }

    /// What was published, by `as_of`: the snapshot's number and the content's name. An interval published twice fails.
    pub fn contents(&self, lake: &str, pipeline: &str) -> BTreeMap<String, (u64, String)> {
        let mut all = BTreeMap::new();
        for link in self.publications(lake, pipeline) {
            let of = |field: &str| link["publication"][field].as_str().expect("text").to_owned();
            let number = link["number"].as_u64().expect("a number");
            let before = all.insert(of("as_of"), (number, of("content")));
            assert!(before.is_none(), "{} was published twice", of("as_of"));
        }
        all
    }

    /// Waits until a run has taken the lease with this epoch.
    pub fn until_held(&self, lake: &str, pipeline: &str, epoch: u64, run: &mut Going) {
        let what = format!("epoch {epoch} of {pipeline}");
        run.until(&what, || {
            let links = (1..).map_while(|number| self.link(lake, pipeline, number));
            links.filter(|link| link["lease"]["epoch"] == epoch).count() > 0
        });
    }

    /// Every row of every table of two snapshots is the same. Row order is free; every digit counts.
    pub fn same_rows(&self, pipeline: &str, one: (&str, u64), other: (&str, u64)) -> usize {
        let tables = |(lake, number): (&str, u64)| {
            let link = self.link(lake, pipeline, number).expect("the snapshot");
            let tables = link["publication"]["tables"].as_object().expect("tables").clone();
            tables.into_iter().map(|(name, table)| (name, table["rows"].as_u64().expect("rows"))).collect::<Vec<_>>()
        };
        let (mine, others) = (tables(one), tables(other));
        assert_eq!(mine, others, "tables and their rows");
        for (table, rows) in &mine {
            // A large table is compared slice by slice, so that one answer stays small.
            let slices = rows / 50_000 + 1;
            let key = if table.starts_with("raw.") { "_line" } else { "line_id" };
            for slice in 0..slices {
                let only = if slices > 1 { format!(" WHERE {key} % {slices} = {slice}") } else { String::new() };
                let sql = format!("SELECT * FROM {table}{only}");
                let sorted = |(lake, number): (&str, u64)| {
                    let number = number.to_string();
                    let words = ["query", "--json", "--pipeline", pipeline, "--snapshot", &number, &sql];
                    let rows = self.run(lake, &words).done().json();
                    let mut rows: Vec<String> =
                        rows.as_array().expect("rows").iter().map(ToString::to_string).collect();
                    rows.sort_unstable();
                    rows
                };
                assert!(sorted(one) == sorted(other), "{table} differs between {one:?} and {other:?}");
            }
        }
        mine.len()
    }
}

impl Going {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own process").is_none()
    }

    /// Sends a signal: `STOP`, `CONT`, `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is there").success(), "{name} to `{}`", self.words);
    }

    /// Looks until something is so, while the process runs.
    pub fn until(&mut self, what: &str, mut so: impl FnMut() -> bool) {
        let since = Instant::now();
        while !so() {
            if !self.is_running() {
                let err = fs::read_to_string(&self.err).unwrap_or_default();
                panic!("`{}` ended before {what}: {err}", self.words);
            }
            assert!(since.elapsed() < LIMIT, "`{}`: no {what}", self.words);
            sleep(LOOK);
        }
    }

    /// `kill -9` after a time, or as soon as something is so; `false` when the process had ended by itself before.
    pub fn kill_when(mut self, mut now: impl FnMut(Duration) -> bool) -> (bool, Ended) {
        while self.is_running() {
            if now(self.since.elapsed()) {
                self.child.kill().expect("our own process");
                let ended = self.wait();
                return (ended.status.signal() == Some(9), ended);
            }
            assert!(self.since.elapsed() < LIMIT, "`{}` does not end", self.words);
            sleep(Duration::from_micros(200));
        }
        (false, self.wait())
    }

    pub fn wait(mut self) -> Ended {
        self.end()
    }

    pub fn end(&mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own process") {
                break status;
            }
            assert!(self.since.elapsed() < LIMIT, "`{}` does not end", self.words);
            sleep(LOOK);
        };
        let read = |path: &Path| fs::read_to_string(path).expect("what it printed");
        let (out, err) = (read(&self.out), read(&self.err));
        Ended { words: self.words.clone(), status, out, err, took: self.since.elapsed() }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // A stopped process is ended by this too.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

impl Ended {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("`{}` was ended by {}: {}", self.words, self.status, self.err))
    }

    /// It did what it should.
    pub fn done(self) -> Self {
        assert_eq!(self.code(), 0, "`{}`\n{}\n{}", self.words, self.out, self.err);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("`{}`: {e}\n{}\n{}", self.words, self.out, self.err))
    }
}

/// The names of the drops, in order of date.
pub fn drop_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the drops");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|e| e == "csv"));
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from, to).expect("a copy");
    }
}
