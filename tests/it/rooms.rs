//! The rooms keep their one-way order, and each outside crate stays in the rooms that may name it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// In reading order.
const ROOMS: &[&str] = &[
    "base",
    "system",
    "sample",
    "config",
    "sql",
    "plan",
    "lake",
    "engine",
    "source",
    "stage",
    "report",
    "deliver",
    "run",
    "schedule",
    "telemetry",
    "pages",
    "cli",
];

/// Who may name an outside crate. `sql` has datafusion's parser, and nothing else of it.
const CRATES: &[(&str, &[&str])] = &[
    ("datafusion", &["sql", "engine", "source", "stage"]),
    ("statrs", &["engine"]),
    ("argmin", &["engine"]),
    ("tera", &["report"]),
    ("lettre", &["deliver"]),
    ("mail_parser", &["deliver"]),
    ("rust_xlsxwriter", &["report"]),
    ("resvg", &["report"]),
    ("css_inline", &["report"]),
    ("clap", &["cli"]),
    ("axum", &["pages"]),
    ("prometheus_client", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("reqwest", &["deliver", "telemetry"]),
    ("indicatif", &["cli"]),
];

/// Rooms without waiting and without I/O.
const PURE: &[&str] = &["base", "sample", "config", "sql", "plan", "report"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all
}

/// Each room's files, without comments and without their tests.
fn rooms() -> BTreeMap<&'static str, Vec<(PathBuf, String)>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms: BTreeMap<&str, Vec<(PathBuf, String)>> = BTreeMap::new();
    for room in ROOMS.iter().filter(|room| src.join(room).is_dir()) {
        for file in files(&src.join(room)) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
            let code = code.join("\n");
            let name = file.strip_prefix(&src).unwrap_or(&file).to_string_lossy().into_owned();
            let of_tests = ["tests", "/testing.rs", "/samples/"].iter().any(|part| name.contains(part));
            if !of_tests {
                let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
                rooms.entry(room).or_default().push((file, code));
            }
        }
    }
    rooms
}

#[test]
fn a_room_names_only_rooms_above_it() {
    let rooms = rooms();
    assert!(rooms.len() >= 12, "the rooms were found: {:?}", rooms.keys());
    let mut wrong = Vec::new();
    for (at, room) in ROOMS.iter().enumerate() {
        for (file, code) in rooms.get(room).into_iter().flatten() {
            for below in &ROOMS[at + 1..] {
                if code.contains(&format!("crate::{below}::")) || code.contains(&format!("crate::{below};")) {
                    wrong.push(format!("{} ({room}) names {below}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outside_crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (room, files) in rooms() {
        for (file, code) in &files {
            for (name, may) in CRATES {
                let named = code.contains(&format!("{name}::"));
                if named && !may.contains(&room) {
                    wrong.push(format!("{} ({room}) names {name}", file.display()));
                }
            }
            if room == "sql" && code.matches("datafusion::").count() != code.matches("datafusion::sql::").count() {
                wrong.push(format!("{} names more of datafusion than its parser", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_wait_for_nothing_and_read_nothing() {
    let mut wrong = Vec::new();
    for (room, files) in rooms().into_iter().filter(|(room, _)| PURE.contains(room)) {
        for (file, code) in &files {
            for word in
                ["async fn", ".await", "std::fs", "TcpStream", "TcpListener", "UdpSocket", "tokio::", "std::env::"]
            {
                if code.contains(word) {
                    wrong.push(format!("{} ({room}) has `{word}`", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_prints() {
    let mut wrong = Vec::new();
    for (room, files) in rooms().into_iter().filter(|(room, _)| *room != "cli") {
        for (file, code) in &files {
            if code.contains("println!") || code.contains("print!(") {
                wrong.push(format!("{} ({room}) prints", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_owns() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let bare: Vec<_> = files(&src)
        .into_iter()
        .filter(|f| !std::fs::read_to_string(f).expect("a source file").starts_with("//!"))
        .collect();
    assert!(bare.is_empty(), "{bare:?}");
}
