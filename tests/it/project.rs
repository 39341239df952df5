//! A small project in a folder of its own, and the program run in it: what it says, filtered so that two runs compare.
//!
//! Nothing of the tester's environment reaches the program; a call that does not end within two minutes is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// One call of the program may last so long.
const LIMIT: Duration = Duration::from_mins(2);

pub fn terminate(child: &Child) {
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

/// A project and its exports, in a temporary folder that goes with it.
pub struct Project {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// What one call of the program came to.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
    folder: String,
}

pub const SHOP: &str = "\
interval: day
sources:
  orders:
    path: exports://orders/{date}.csv
    columns:
      order_id: {type: text, required: true}
      ordered_on: {type: date, required: true}
      net: {type: \"decimal(18,4)\", required: true, min: 0}
      note: text
packs: [shop]
";

pub const ORDERS: &str = "\
/* matins
description: One row per order
key: [order_id]
*/
SELECT order_id, ordered_on AS bdate, net, note
FROM raw.orders
";

const DAYS: &str = "\
/* matins
key: [bdate]
*/
SELECT bdate, count(*) AS orders, sum(net) AS net
FROM core.orders
GROUP BY bdate
";

pub const HEADER: &str = "order_id,ordered_on,net,note\n";

/// An instant of the real clock, for a fast one that begins there.
pub fn seconds_ago(seconds: u64) -> String {
    let ago = format!("{seconds} seconds ago");
    let date = std::process::Command::new("date").args(["-u", "-d", &ago, "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(date.expect("date is there").stdout).expect("text").trim().to_owned()
}

impl Project {
    /// An empty folder.
    pub fn empty() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), variables: BTreeMap::new() }
    }

    /// A shop with one source, two stages and no exports.
    pub fn shop() -> Self {
        Self::empty()
            .with("matins.yaml", "lake: lake\ntime_zone: UTC\nmemory: 256MiB\ndefault_pipeline: shop\nstores: {exports: exports}\nmail: {from: \"Matins <matins@localhost>\", folder: mail}\n")
            .with("pipelines/shop.yaml", SHOP)
            .with("sql/shop/core/orders.sql", ORDERS)
            .with("sql/shop/mart/days.sql", DAYS)
    }

    /// The shop with `days` days of three good orders each, from 2024-01-01.
    pub fn shop_of_days(days: u32) -> Self {
        (1..=days).fold(Self::shop(), Self::with_day)
    }

    /// Three good orders of one day of January 2024, worth 60.
    pub fn with_day(self, day: u32) -> Self {
        let lines: String = (1..=3).map(|n| format!("{day}-{n},2024-01-{day:02},{n}0.00,fine\n")).collect();
        self.with(&format!("exports/orders/2024-01-{day:02}.csv"), format!("{HEADER}{lines}"))
    }

    pub fn with(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.write(path, text);
        self
    }

    /// A variable of the program's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Replaces a part of a file that is there exactly once.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in {path}");
        self.write(path, text.replace(from, to));
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).expect("a file to remove");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("a file to read")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The program, ready to be started in the project's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("matins"));
        command.current_dir(self.folder.path()).env_clear().envs(&self.variables).args(args).timeout(LIMIT);
        command
    }

    /// With stages for all threads, each one call that lasts for minutes and that nothing interrupts.
    pub fn busy(self) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let sql = "SELECT sum(levenshtein(repeat(order_id, 100000), repeat(order_id || 'x', 100000))) AS n\nFROM core.orders\n";
        (0..cores).fold(self, |project, n| project.with(&format!("sql/shop/mart/busy_{n}.sql"), sql))
    }

    /// Waits until a run of `busy` is at its long calls. `runs` is where its pipeline's runs are recorded.
    pub fn until_busy(&self, runs: &Path) {
        let since = Instant::now();
        let entries = || fs::read_dir(runs).into_iter().flatten().flatten();
        while !entries().any(|run| run.path().join("started.json").is_file()) {
            assert!(since.elapsed() < LIMIT, "it begins");
            sleep(Duration::from_millis(5));
        }
        sleep(Duration::from_secs(1));
    }

    /// Starts the program and leaves it going.
    pub fn start(&self, args: &[&str]) -> Child {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("matins"));
        command.current_dir(self.folder.path()).env_clear().envs(&self.variables).args(args);
        let quiet = std::process::Stdio::piped;
        command.stdin(std::process::Stdio::null()).stdout(quiet()).stderr(quiet());
        command.spawn().expect("the program starts")
    }

    /// What was published, by `as_of`: the name of the content. An interval that was published twice fails.
    pub fn contents(&self, pipeline: &str) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for link in self.chain(pipeline) {
            let publication = &link["publication"];
            let of = |field: &str| publication[field].as_str().expect("text").to_owned();
            if !publication.is_null() {
                assert!(all.insert(of("as_of"), of("content")).is_none(), "{} was published twice", of("as_of"));
            }
        }
        all
    }

    /// Every link of a pipeline's chain, in order.
    pub fn chain(&self, pipeline: &str) -> Vec<Value> {
        let path = |n: u32| self.path(&format!("lake/snapshots/{pipeline}/{n:010}.json"));
        let links = (1..).map_while(|n| fs::read(path(n)).ok());
        links.map(|bytes| serde_json::from_slice::<Value>(&bytes).expect("a link is whole")["data"].clone()).collect()
    }

    /// Runs the program to its end.
    pub fn matins(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().expect("the program starts and ends in time");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Said {
            // A signal has no code.
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
            folder: self.folder.path().to_string_lossy().into_owned(),
        }
    }

    /// `matins run --as-of … --json`, which must succeed.
    pub fn night(&self, as_of: &str) -> Value {
        self.matins(&["run", "--as-of", as_of, "--json"]).ok().json()
    }

    /// The rows of a query, which must succeed.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        match self.matins(&["query", "--json", sql]).ok().json() {
            Value::Array(rows) => rows,
            other => panic!("rows, not {other}"),
        }
    }

    /// The one value of a query, as text.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.query(sql);
        assert_eq!(rows.len(), 1, "one row of {sql}");
        match rows[0].as_object().and_then(|row| row.values().next()) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => panic!("{sql} has no column"),
        }
    }

    /// Every file below a folder of the project, with its bytes; empty where there is no folder.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.path(folder), &self.path(folder), &mut found);
        found
    }
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("below its root").to_string_lossy().into_owned();
            found.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

/// A folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in from.read_dir().expect("a folder to copy") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

impl Said {
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.code(0)
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.err.contains(text), "no `{text}` in\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says_not(self, text: &str) -> Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "`{text}` in\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {}", self.out))
    }

    /// Code and texts, to be compared with a snapshot.
    pub fn shown(&self) -> String {
        let text = |text: &str| text.replace(&self.folder, "[folder]");
        let mut all = format!("exit code {}\n", self.code);
        for (name, said) in [("stdout", &self.out), ("stderr", &self.err)] {
            if !said.is_empty() {
                all.push_str(&format!("---- {name}\n{}\n", text(said).trim_end()));
            }
        }
        all
    }
}

/// Compares with `tests/it/snapshots/<name>.snap`; run ids, fingerprints, times and durations do not count.
#[track_caller]
pub fn same_as_snapshot(name: &str, said: &Said) {
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![
            (r"\br[0-9a-f]{32}\b", "[run]"),
            (r"\b[0-9a-f]{32}\b", "[id]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+[^ ]*", "[time]"),
            (r"\b\d+ min \d+ s\b|\b\d+\.\d s\b|\b\d+ ms\b", "[took]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]"),
            (r"on \S+ \(process \d+\)", "on [host] (process [pid])"),
            // Columns are as wide as what stood in them.
            (r" +(\[took\]|took)", " $1"),
        ],
    }, {
        insta::assert_snapshot!(name, said.shown());
    });
}
