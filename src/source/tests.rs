//! Whole exports through the room: what lands, what is set aside, and that nothing else decides it.

use std::fmt::Write as _;
use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use encoding_rs::UTF_8;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::feed::Feed;
use super::land::land_with;
use super::splitter::{LIMITS, Limits, Splitter};
use super::*;
use crate::base::{Fingerprint, Place, SourceText};
use crate::config::{Column, CsvFormat, DecimalPoint, ExportPattern, Keep, Mode, OnVanish, UnknownColumns};
use crate::lake::{DataFile, Landed, RawExport};
use crate::plan::Export;

pub(super) fn column(name: &str, kind: ColumnKind) -> Column {
    Column {
        name: name.to_owned(),
        headers: vec![name.to_owned()],
        kind,
        required: false,
        null_tokens: Vec::new(),
        accepted: None,
        min: None,
        max: None,
        pii: None,
        description: None,
        place: Place::file(&SourceText::new("p.yaml", "")),
    }
}

pub(super) fn source(name: &str, columns: Vec<Column>) -> Source {
    Source {
        name: name.parse().expect("a name"),
        place: Place::file(&SourceText::new("p.yaml", "")),
        store: "exports".parse().expect("a name"),
        pattern: ExportPattern { text: "**".to_owned(), date_format: None },
        mode: Mode::Append,
        format: CsvFormat {
            delimiter: b',',
            quote: b'"',
            encoding: "utf-8".to_owned(),
            null_tokens: Vec::new(),
            trim: false,
        },
        columns,
        key: Vec::new(),
        keep: Keep::Last,
        unknown_columns: UnknownColumns::Warn,
        on_vanish: OnVanish::Keep,
        quarantine_limit: 0.01,
        checks: Vec::new(),
    }
}

fn texts(names: &[&str]) -> Source {
    source("s", names.iter().map(|n| column(n, ColumnKind::Text)).collect())
}

fn money() -> ColumnKind {
    ColumnKind::Decimal { precision: 10, scale: 2, point: DecimalPoint::Point }
}

fn moment(format: &str) -> ColumnKind {
    ColumnKind::Timestamp { formats: vec![format.to_owned()], zone: None }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn raw(landed: &[Landed]) -> Vec<RawExport> {
    let one = |l: &Landed| RawExport {
        fingerprint: l.fingerprint,
        path: l.export.path.clone(),
        date: l.export.date,
        files: l.files.clone(),
        rows_read: l.rows_read,
        rows_quarantined: l.rows_quarantined,
        quarantine: l.quarantine.clone(),
    };
    landed.iter().map(one).collect()
}

/// A run works on several threads, so what it waits for must be able to move between them.
#[expect(dead_code, reason = "compiling it is the test")]
fn everything_can_move_between_threads(world: &World, source: &Source, export: &Export, raw: &[RawExport]) {
    fn movable(_: impl Send) {}
    let landing = Landing { lake: &world.lake, exports: &world.exports, source, attempt: "a", cores: 1 };
    movable(find(&world.exports, "x", source));
    movable(
        async move { land(&landing, export, export.fingerprint(&source.name, &Fingerprint::of_bytes(b""), "x")).await },
    );
    movable(assemble(&world.lake, source, Fingerprint::of_bytes(b""), "a", raw));
}

/// A lake and a store of exports, in memory.
struct World {
    lake: Arc<dyn ObjectStore>,
    exports: Arc<dyn ObjectStore>,
}

impl World {
    fn new() -> Self {
        Self { lake: Arc::new(InMemory::new()), exports: Arc::new(InMemory::new()) }
    }

    async fn land(
        &self,
        source: &Source,
        export: &Export,
        cores: usize,
        limits: Limits,
    ) -> Result<Landed, SourceError> {
        let landing = Landing { lake: &self.lake, exports: &self.exports, source, attempt: "a1", cores };
        land_with(&landing, export, Fingerprint::of_bytes(export.path.as_bytes()), limits).await
    }

    async fn put(&self, path: &str, bytes: &[u8]) {
        self.exports.put(&Path::from(path), bytes.to_vec().into()).await.expect("put");
    }

    async fn all(&self, source: &Source) -> Vec<Landed> {
        let mut landed = Vec::new();
        for export in find(&self.exports, "memory://", source).await.expect("found").exports {
            landed.push(self.land(source, &export, 2, LIMITS).await.expect("landed"));
        }
        landed
    }

    async fn rows(&self, file: &DataFile) -> RecordBatch {
        let bytes = self.lake.get(&Path::from(file.path.as_str())).await.expect("a file").bytes().await.expect("bytes");
        assert_eq!(bytes.len() as u64, file.size_bytes);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
        let schema = Arc::clone(reader.schema());
        let batches: Vec<RecordBatch> = reader.build().expect("a reader").map(|b| b.expect("a batch")).collect();
        let rows = concat_batches(&schema, &batches).expect("one schema");
        assert_eq!(rows.num_rows() as u64, file.rows);
        rows
    }

    /// Every landed row and every bad one as text, without the hidden columns.
    async fn shown(&self, landed: &Landed) -> String {
        let mut out = String::new();
        for file in &landed.files {
            show(&self.rows(file).await, &["_export", "_key"], &mut out);
        }
        if let Some(file) = &landed.quarantine {
            out.push_str("--\n");
            show(&self.rows(file).await, &["export", "reason"], &mut out);
        }
        out
    }
}

fn show(rows: &RecordBatch, hidden: &[&str], out: &mut String) {
    for row in 0..rows.num_rows() {
        let values = rows
            .schema()
            .fields()
            .iter()
            .zip(rows.columns())
            .filter(|(f, _)| !hidden.contains(&f.name().as_str()))
            .map(|(_, c)| {
                if c.is_null(row) {
                    "∅".to_owned()
                } else {
                    array_value_to_string(c, row).expect("a value").escape_debug().to_string()
                }
            })
            .collect::<Vec<_>>();
        writeln!(out, "{}", values.join(" | ")).expect("a string");
    }
}

/// Lands one export and shows it.
fn land_text(source: &Source, bytes: &[u8]) -> String {
    run(async {
        let world = World::new();
        world.put("e.csv", bytes).await;
        let landed = world.all(source).await;
        world.shown(&landed[0]).await
    })
}

fn refused(source: &Source, bytes: &[u8]) -> String {
    run(async {
        let world = World::new();
        world.put("e.csv", bytes).await;
        let inventory = find(&world.exports, "memory://", source).await.expect("found");
        world.land(source, &inventory.exports[0], 2, LIMITS).await.expect_err("refused").to_string()
    })
}

#[test]
fn header_order_line_ends_and_marks_do_not_matter() {
    let shop = texts(&["a", "b"]);
    let wanted = "1 | x | 2\n2 | y | 3\n";
    for text in [
        "a,b\n1,x\n2,y\n",
        "b,a\r\nx,1\r\ny,2\r\n",
        "\u{feff}a,b\n1,x\n2,y",
        "a,b\r1,x\r2,y\r",
        "c,B , A\n,x,1\n,y,2\n",
    ] {
        assert_eq!(land_text(&shop, text.as_bytes()), wanted, "{text:?}");
    }
    let utf16: Vec<u8> = "\u{feff}a,b\n1,x\n2,y\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(land_text(&shop, &utf16), wanted);
}

#[test]
fn quotes_hold_delimiters_line_breaks_and_quotes() {
    let text = "a,b\n\"x, y\",\"l1\nl2\r\nl3\"\n\n\"\",\"say \"\"hi\"\"\"\n7\" pipe,z\n";
    assert_eq!(
        land_text(&texts(&["a", "b"]), text.as_bytes()),
        "x, y | l1\\nl2\\r\\nl3 | 2\n∅ | say \\\"hi\\\" | 6\n7\\\" pipe | z | 7\n"
    );
}

#[test]
fn bad_rows_are_set_aside_once_with_their_first_bad_column() {
    let mut amount = column("amount", money());
    amount.min = Some("0".to_owned());
    let mut status = column("status", ColumnKind::Text);
    status.accepted = Some(vec!["paid".to_owned(), "sent".to_owned()]);
    let mut id = column("id", ColumnKind::Integer);
    id.required = true;
    let shop = source("s", vec![id, amount, status]);
    let text = "id,amount,status\n1,1.50,paid\n17850.0,x,y\n,1,paid\n2,1.005,paid\n3,-1,paid\n4,1,lost\n5,1\n6,1,paid,more\n7,123456789,paid\n8,,\n9,1,p\u{0}\n\"a\"b,1,paid\n";
    let wanted = "1 | 1.50 | paid | 2\n8 | ∅ | ∅ | 11\n--\n\
        3 | id | type | 17850.0 | 17850.0,x,y\n\
        4 | id | required |  | ,1,paid\n\
        5 | amount | scale | 1.005 | 2,1.005,paid\n\
        6 | amount | range | -1 | 3,-1,paid\n\
        7 | status | accepted | lost | 4,1,lost\n\
        8 | ∅ | ragged | ∅ | 5,1\n\
        9 | ∅ | too_long | ∅ | 6,1,paid,more\n\
        10 | amount | precision | 123456789 | 7,123456789,paid\n\
        12 | status | accepted | p\\0 | 9,1,p\\0\n\
        13 | ∅ | stray_quote | ∅ | \\\"a\\\"b,1,paid\n";
    assert_eq!(land_text(&shop, text.as_bytes()), wanted);
}

#[test]
fn a_stray_quote_costs_one_line() {
    let shop = texts(&["a", "b"]);
    let wanted = "1 | x | 2\n3 | z | 4\n4 | w | 5\n--\n3 | ∅ | unclosed_quote | ∅ | 2,\\\"y\n";
    assert_eq!(land_text(&shop, b"a,b\n1,x\n2,\"y\n3,z\n4,w\n"), wanted);
    // The next quoted field would seem to close it.
    assert_eq!(land_text(&shop, b"a,b\n1,x\n2,\"y\n3,\"z\"\n4,w\n"), wanted);
    // Far away, but before the end of the file.
    let mut long = b"a,b\n1,x\n2,\"y\n3,z\n4,w\n".to_vec();
    long.extend(b"5,v\n".repeat(400_000));
    long.extend(b"6,\"\n");
    assert!(land_text(&shop, &long).starts_with("1 | x | 2\n3 | z | 4\n4 | w | 5\n5 | v | 6\n"));
}

#[test]
fn a_file_cut_off_says_so_and_an_empty_one_lands_as_nothing() {
    run(async {
        let world = World::new();
        let shop = texts(&["a", "b"]);
        world.put("1.csv", b"a,b\n1,x\n2").await;
        world.put("2.csv", b"").await;
        world.put("3.csv", b"a,b\n").await;
        world.put("4.csv", b"\n\r\n").await;
        let landed = world.all(&shop).await;
        assert_eq!(world.shown(&landed[0]).await, "1 | x | 2\n--\n3 | ∅ | truncated | ∅ | 2\n");
        assert!(landed[0].warnings[0].contains("cut off"));
        for (at, warned) in [(1, true), (2, false), (3, true)] {
            assert_eq!((landed[at].rows_read, landed[at].files.len(), landed[at].files[0].rows), (0, 1, 0));
            assert_eq!(landed[at].warnings.iter().any(|w| w.contains("no header")), warned);
            assert_eq!(world.rows(&landed[at].files[0]).await.schema().field(0).name(), "a");
        }
    });
}

#[test]
fn encodings_are_decoded_and_what_is_no_text_is_set_aside() {
    let shop = texts(&["a", "b"]);
    assert_eq!(
        land_text(&shop, b"a,b\n1,x\n2,\xff\n3,\xc3\xa9\n"),
        "1 | x | 2\n3 | é | 4\n--\n3 | b | encoding | � | 2,�\n"
    );
    let mut gbk = shop.clone();
    gbk.format.encoding = "gbk".to_owned();
    let (text, _, _) = encoding_rs::GBK.encode("a,b\n1,苗宇怡\n");
    let mut bytes = text.into_owned();
    bytes.extend(b"2,\xff\xff\n");
    assert_eq!(land_text(&gbk, &bytes), "1 | 苗宇怡 | 2\n--\n3 | ∅ | encoding | ∅ | 2,��\n");
    // A byte order mark knows better than the contract.
    assert_eq!(land_text(&gbk, "\u{feff}a,b\n1,苗\n".as_bytes()), "1 | 苗 | 2\n");
    assert!(refused(&shop, b"\x1f\x8b\x08\0\0").contains("compressed or binary file"));
    gbk.format.encoding = "klingon".to_owned();
    assert!(refused(&gbk, b"a,b\n").contains("`klingon` is not an encoding"));
}

#[test]
fn formats_of_companies() {
    let mut comma = source(
        "s",
        vec![
            column("n", ColumnKind::Decimal { precision: 10, scale: 2, point: DecimalPoint::Comma }),
            column("t", moment("%d.%m.%Y %H:%M")),
            column("ok", ColumnKind::Boolean { yes: vec!["J".to_owned()], no: vec!["N".to_owned()] }),
            column("d", ColumnKind::Date { formats: vec!["%Y%m%d".to_owned(), "%d.%m.%Y".to_owned()] }),
            column("f", ColumnKind::Float),
        ],
    );
    comma.format.delimiter = b';';
    comma.format.trim = true;
    comma.format.null_tokens = vec!["k.A.".to_owned()];
    comma.columns[4].null_tokens = vec!["-".to_owned()];
    let text =
        "n;t;ok;d;f\n1.234,50; 1.2.2024 9:05 ;J;20240131;-\n \"-0,5\" ;k.A.; n;31.01.2024;2.5\n;31.02.2024 00:00;;;\n";
    assert_eq!(
        land_text(&comma, text.as_bytes()),
        "1234.50 | 2024-02-01T09:05:00 | true | 2024-01-31 | ∅ | 2\n-0.50 | ∅ | false | 2024-01-31 | 2.5 | 3\n--\n\
         4 | t | type | 31.02.2024 00:00 | ;31.02.2024 00:00;;;\n"
    );
    comma.columns[0].min = Some("many".to_owned());
    assert!(refused(&comma, b"n\n").contains("`many` is no value of its type"));
}

fn keyed(keep: Keep) -> Source {
    let mut shop = source(
        "s",
        vec![column("id", ColumnKind::Integer), column("at", ColumnKind::Integer), column("v", ColumnKind::Text)],
    );
    shop.key = vec!["id".to_owned()];
    shop.keep = keep;
    shop
}

#[test]
fn one_row_of_a_key_stays_over_all_exports() {
    let at = |name: &str| name.to_owned();
    for (keep, wanted) in [
        (Keep::First, "a2 b2 c1"),
        (Keep::Last, "a3 b4 c1"),
        (Keep::Latest(at("at")), "a2 b4 c1"),
        (Keep::Earliest(at("at")), "a1' b2 c1"),
    ] {
        let shop = keyed(keep);
        run(async {
            let world = World::new();
            world.put("1.csv", b"id,at,v\n1,50,a2\n1,,a1\n1,10,a1'\n2,7,b2\n").await;
            world.put("2.csv", b"id,at,v\n,1,none\n1,40,a3\n2,7,b4\n3,,c1\n").await;
            let landed = world.all(&shop).await;
            let table = assemble(&world.lake, &shop, Fingerprint::of_bytes(b"t"), "a1", &raw(&landed))
                .await
                .expect("assembled");
            assert_eq!((table.balance.read, table.balance.landed), (8, 3));
            assert_eq!((table.balance.quarantined, table.balance.deduplicated), (1, 4));
            let skipped =
                dropped_rows(&world.lake, table.dropped.as_ref().expect("rows are dropped")).await.expect("read");
            let mut left = Vec::new();
            for file in landed.iter().flat_map(|l| &l.files) {
                let rows = world.rows(file).await;
                let skipped = skipped.get(&file.path).cloned().unwrap_or_default();
                for row in (0..rows.num_rows()).filter(|r| !skipped.contains(&(*r as u64))) {
                    left.push(array_value_to_string(rows.column(2), row).expect("a value"));
                }
            }
            left.sort();
            assert_eq!(left.join(" "), wanted, "{:?}", shop.keep);
        });
    }
}

#[test]
fn a_source_without_repeats_has_nothing_to_drop() {
    run(async {
        let world = World::new();
        let shop = keyed(Keep::Last);
        world.put("1.csv", b"id,at,v\n1,1,x\n2,1,y\n").await;
        let landed = world.all(&shop).await;
        let table =
            assemble(&world.lake, &shop, Fingerprint::of_bytes(b"t"), "a1", &raw(&landed)).await.expect("assembled");
        assert!(table.dropped.is_none() && table.balance.landed == 2);
    });
}

#[test]
fn an_export_that_is_not_the_listed_one_is_not_landed() {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = texts(&["a"]);
    run(async {
        let exports: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).expect("a store"));
        for world in [World { exports, ..World::new() }, World::new()] {
            world.put("e.csv", b"a\n1\n").await;
            let mut export = find(&world.exports, "x://", &shop).await.expect("found").exports.remove(0);
            assert_eq!(world.land(&shop, &export, 1, LIMITS).await.expect("landed").rows_landed, 1);
            world.put("e.csv", b"a\n1\n2\n").await;
            let changed = world.land(&shop, &export, 1, LIMITS).await.expect_err("changed");
            assert!(matches!(changed, SourceError::ChangedWhileRead { .. }) && changed.is_transient(), "{changed}");
            // A store without versions: the time and the size must do.
            export.e_tag = None;
            let changed = world.land(&shop, &export, 1, LIMITS).await.expect_err("changed");
            assert!(matches!(changed, SourceError::ChangedWhileRead { .. }), "{changed}");
            world.exports.delete(&Path::from("e.csv")).await.expect("deleted");
            let gone = world.land(&shop, &export, 1, LIMITS).await.expect_err("gone");
            assert!(matches!(gone, SourceError::Vanished { .. }) && !gone.is_transient(), "{gone}");
            assert!(find(&world.exports, "x://", &shop).await.expect("found").exports.is_empty());
        }
    });
}

const TINY: Limits = Limits { segment: 7, longest_quoted: 12, longest_record: 40, ahead: 3 };

/// A reader that gives at most `most` bytes at a time.
struct Drops {
    bytes: Cursor<Vec<u8>>,
    most: usize,
}

impl std::io::Read for Drops {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = self.most.min(into.len());
        self.bytes.read(&mut into[..most])
    }
}

/// A record: its line, its text, its fields, and whether it is a bad one.
type Found = (i64, Vec<u8>, Vec<Vec<u8>>, bool);

/// Every record of a file, read segment by segment.
fn records(bytes: &[u8], most: usize, limits: Limits) -> Vec<Found> {
    let format = texts(&[]).format;
    let feed = Feed::new(Box::new(Drops { bytes: Cursor::new(bytes.to_vec()), most }), UTF_8);
    let mut splitter = Splitter::new(feed, &format, limits);
    let mut all = Vec::new();
    while let Some(segment) = splitter.segment(None).expect("memory") {
        let (mut at, mut line, mut spans) = (0, segment.line, Vec::new());
        while at < segment.bytes.len() {
            spans.clear();
            match splitter.grammar.record(&segment.bytes, at, &mut spans) {
                Ok(record) => {
                    let fields = spans.iter().map(|s| {
                        let mut plain = Vec::new();
                        super::grammar::undouble(s.of(&segment.bytes), b'"', &mut plain);
                        if s.doubled() { plain } else { s.of(&segment.bytes).to_vec() }
                    });
                    let fields = if record.fault.is_some() { Vec::new() } else { fields.collect() };
                    all.push((line, segment.bytes[at..record.end].to_vec(), fields, record.fault.is_some()));
                    line += record.lines;
                    at = record.next;
                }
                Err(next) => {
                    line += 1;
                    at = next;
                }
            }
        }
    }
    all
}

/// The same, one byte after the other, as a person would read it.
fn naive(bytes: &[u8], longest_quoted: usize) -> Vec<Found> {
    let mut all = Vec::new();
    let (mut at, mut line) = (0, 1);
    let cr = |end: usize, start: usize| if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
    while at < bytes.len() {
        if bytes[at] == b'\n' || bytes[at..].starts_with(b"\r\n") {
            at += if bytes[at] == b'\n' { 1 } else { 2 };
            line += 1;
            continue;
        }
        let (start, first_line) = (at, line);
        let mut fields = Vec::new();
        let mut bad = false;
        let mut field = Vec::new();
        let mut field_start = at;
        'record: loop {
            if at == field_start && bytes.get(at) == Some(&b'"') {
                let mut close = at + 1;
                let mut value = Vec::new();
                let closed = loop {
                    match bytes.get(close) {
                        _ if close > at + longest_quoted => break false,
                        None => break false,
                        Some(b'"') if bytes.get(close + 1) == Some(&b'"') => {
                            value.push(b'"');
                            close += 2;
                        }
                        Some(b'"') => break true,
                        Some(b) => {
                            value.push(*b);
                            close += 1;
                        }
                    }
                };
                let rest = bytes.get(close + 1..).unwrap_or_default();
                let clean = rest.is_empty()
                    || rest[0] == b','
                    || rest[0] == b'\n'
                    || rest.starts_with(b"\r\n")
                    || rest == b"\r";
                if !closed || (!clean && value.contains(&b'\n')) {
                    while at < bytes.len() && bytes[at] != b'\n' {
                        at += 1;
                    }
                    all.push((first_line, bytes[start..cr(at, start)].to_vec(), Vec::new(), true));
                    line += 1;
                    at += 1;
                    break 'record;
                }
                line += i64::try_from(memchr::memchr_iter(b'\n', &value).count()).expect("few");
                bad |= !clean;
                field = value;
                at = close + 1;
                if rest.starts_with(b"\r\n") || rest == b"\r" {
                    at += 1;
                }
                while !clean && at < bytes.len() && bytes[at] != b',' && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            match bytes.get(at) {
                Some(b',') => {
                    fields.push(std::mem::take(&mut field));
                    at += 1;
                    field_start = at;
                }
                Some(b'\n') | None => {
                    let unquoted = bytes.get(field_start) != Some(&b'"');
                    if unquoted && field.last() == Some(&b'\r') {
                        field.pop();
                    }
                    fields.push(std::mem::take(&mut field));
                    let fields = if bad { Vec::new() } else { std::mem::take(&mut fields) };
                    all.push((first_line, bytes[start..cr(at, start)].to_vec(), fields, bad));
                    line += 1;
                    at += 1;
                    break 'record;
                }
                Some(b) => {
                    field.push(*b);
                    at += 1;
                }
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Wherever the blocks end, the splitter finds the records a reader of single bytes finds.
    #[test]
    fn records_are_found_as_by_reading_single_bytes(text in "([a\",\n]|\"\"|\",|\r\n|\n\"|bcd){0,40}", most in 1usize..9, segment in 1usize..30) {
        // A lone CR ends lines only in files without LF; that is another reader.
        let text = format!("\n{text}");
        let limits = Limits { segment, longest_record: 10_000, ahead: 3, longest_quoted: 12 };
        prop_assert_eq!(records(text.as_bytes(), most, limits), naive(text.as_bytes(), 12));
    }
}

fn anything() -> Source {
    let mut all = source(
        "s",
        vec![
            column("a", ColumnKind::Text),
            column("b", ColumnKind::Integer),
            column("c", money()),
            column("d", moment("%Y-%m-%d %H:%M:%S")),
        ],
    );
    all.key = vec!["a".to_owned()];
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Random bytes after a header: nothing panics, every record is landed or set aside, and neither the number of cores
    /// nor the size of segments and blocks changes a row.
    #[test]
    fn the_balance_holds_and_only_the_bytes_decide(
        rows in prop::collection::vec(prop_oneof![
            "[a-z]{1,3},-?[0-9]{1,3},[0-9]{1,2}\\.[0-9]{1,3},2024-0[1-9]-[0-3][0-9] 10:00:00\r?\n".prop_map(String::into_bytes),
            "\"[a\n,]{0,4}\",1,2,\n".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..30),
        ], 0..40),
        gbk in any::<bool>(),
    ) {
        let mut all = anything();
        if gbk {
            all.format.encoding = "gbk".to_owned();
        }
        let mut bytes = b"a,b,c,d\n".to_vec();
        bytes.extend(rows.concat());
        let (one, landed) = run(async {
            let world = World::new();
            world.put("e.csv", &bytes).await;
            let landed = world.all(&all).await;
            let table = assemble(&world.lake, &all, Fingerprint::of_bytes(b"t"), "a", &raw(&landed)).await.expect("assembled");
            assert!(table.balance.holds());
            (world.shown(&landed[0]).await, landed[0].clone())
        });
        let lengths = [(1, 64), (3, 200)];
        for (cores, segment) in lengths {
            let other = run(async {
                let world = World::new();
                world.put("e.csv", &bytes).await;
                let limits = Limits { segment, ahead: 16, ..LIMITS };
                let landed = world.land(&all, &landed.export, cores, limits).await;
                match landed {
                    Ok(landed) => world.shown(&landed).await,
                    Err(SourceError::ChangedWhileRead { .. }) => {
                        let export = find(&world.exports, "x", &all).await.expect("found").exports.remove(0);
                        let landed = world.land(&all, &export, cores, limits).await.expect("landed");
                        world.shown(&landed).await
                    }
                    Err(other) => panic!("{other}"),
                }
            });
            prop_assert_eq!(&other, &one);
        }
    }

    #[test]
    fn tiny_limits_lose_nothing(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'x')], 0..300)) {
        let mut all = b"a,b\n".to_vec();
        all.extend(bytes);
        run(async {
            let world = World::new();
            world.put("e.csv", &all).await;
            let shop = texts(&["a", "b"]);
            let export = find(&world.exports, "x", &shop).await.expect("found").exports.remove(0);
            // `land` itself compares rows read with rows landed and set aside.
            world.land(&shop, &export, 2, TINY).await.expect("landed");
        });
    }
}

#[test]
fn a_record_without_end_is_cut_and_set_aside() {
    run(async {
        let world = World::new();
        let shop = texts(&["a"]);
        world.put("e.csv", format!("a\nb\n{}\nc\n", "x".repeat(100)).as_bytes()).await;
        let export = find(&world.exports, "x", &shop).await.expect("found").exports.remove(0);
        let landed = world.land(&shop, &export, 2, TINY).await.expect("landed");
        let shown = world.shown(&landed).await;
        assert!(shown.starts_with("b | 2\nc | 4\n--\n3 | ∅ | oversized"), "{shown}");
    });
}

mod real {
    //! Exports of real companies, where the machine has them.
    use super::*;

    fn folder(below: &str) -> Option<std::path::PathBuf> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(below);
        if !folder.is_dir() {
            println!("skipped: {} is not there", folder.display());
            return None;
        }
        Some(folder)
    }

    fn world(below: &str) -> Option<World> {
        let exports = Arc::new(LocalFileSystem::new_with_prefix(folder(below)?).expect("a store"));
        Some(World { exports, ..World::new() })
    }

    #[test]
    fn a_year_of_online_retail() {
        let Some(world) = world("online_retail_by_day/raw/by-day") else { return };
        let mut retail = source(
            "retail",
            vec![
                column("InvoiceNo", ColumnKind::Text),
                column("StockCode", ColumnKind::Text),
                column("Description", ColumnKind::Text),
                column("Quantity", ColumnKind::Integer),
                column("InvoiceDate", moment("%Y-%m-%d %H:%M:%S")),
                column("UnitPrice", ColumnKind::Decimal { precision: 18, scale: 4, point: DecimalPoint::Point }),
                column("CustomerID", ColumnKind::Text),
                column("Country", ColumnKind::Text),
            ],
        );
        retail.pattern.text = "{date}.csv".to_owned();
        run(async {
            let landed = world.all(&retail).await;
            let table = assemble(&world.lake, &retail, Fingerprint::of_bytes(b"t"), "a", &raw(&landed))
                .await
                .expect("assembled");
            assert_eq!((landed.len(), table.balance.read, table.balance.landed), (305, 541_909, 541_909));
            assert_eq!(landed[0].export.date.map(|d| d.to_string()).as_deref(), Some("2010-12-01"));
        });
    }

    #[test]
    fn reviews_with_line_breaks() {
        let Some(world) = world("olist_sample8k/raw") else { return };
        let mut reviews = source(
            "reviews",
            vec![
                column("review_id", ColumnKind::Text),
                column("review_score", ColumnKind::Integer),
                column("review_comment_message", ColumnKind::Text),
                column("review_creation_date", moment("%Y-%m-%d %H:%M:%S")),
            ],
        );
        reviews.pattern.text = "olist_order_reviews_dataset.csv".to_owned();
        reviews.unknown_columns = UnknownColumns::Ignore;
        run(async {
            let landed = world.all(&reviews).await;
            assert_eq!((landed[0].rows_read, landed[0].rows_landed), (8225, 8225));
        });
    }

    #[test]
    fn two_encodings_of_one_restaurant() {
        let Some(world) = world("cn_restaurant/raw") else { return };
        let mut info = source(
            "info",
            vec![
                column("order_id", ColumnKind::Text),
                column("use_start_time", moment("%Y/%m/%d %H:%M")),
                column("name", ColumnKind::Text),
            ],
        );
        info.pattern.text = "meal_order_info.csv".to_owned();
        info.format.encoding = "gbk".to_owned();
        let mut detail = source(
            "detail",
            vec![
                column("detail_id", ColumnKind::Text),
                column("dishes_name", ColumnKind::Text),
                column("amounts", money()),
            ],
        );
        detail.pattern.text = "meal_order_detail.csv".to_owned();
        detail.format.null_tokens = vec!["NA".to_owned()];
        run(async {
            let (info, detail) = (world.all(&info).await, world.all(&detail).await);
            assert_eq!((info[0].rows_read, info[0].rows_landed), (945, 945));
            assert_eq!((detail[0].rows_read, detail[0].rows_landed), (10_037, 10_037));
        });
    }
}
