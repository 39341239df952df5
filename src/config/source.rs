//! One entry of `sources:` → where its exports are, how they are written, and which of their rows count.

use std::ops::Range;

use crate::base::{Place, SourceName};

use super::keys::{FORMAT, KEEP, SOURCE};
use super::model::{Column, CsvFormat, ExportPattern, Keep, Mode, OnVanish, Severity, Source, UnknownColumns};
use super::project::Surroundings;
use super::shape::{Fields, Reading};
use super::tree::{Entry, Node};
use super::words::{byte, is_date_format};
use super::{check, column, pipeline};

/// What the rows of every source have besides its columns.
pub(super) const LANDED: [&str; 2] = ["_export", "_line"];

pub(super) fn read(
    reading: &mut Reading<'_>,
    name: SourceName,
    entry: &Entry,
    around: &Surroundings<'_>,
) -> Option<Source> {
    let fields = Fields::new(&entry.node, &SOURCE);
    if entry.node.entries().is_empty() {
        return None;
    }
    let path = fields.get("path").and_then(|n| path(reading, n, around));
    let format = format(reading, fields);
    let columns = column::read(reading, fields, &format);
    let known: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let mut key = Vec::new();
    for node in fields.get("key").map(Node::items).unwrap_or_default() {
        if let Some(column) = declared(reading, node, &known, &[]) {
            if key.contains(&column) {
                reading.error(
                    "duplicate-name",
                    &node.span,
                    format!("the key names `{column}` twice"),
                    "remove one of them",
                );
            } else {
                key.push(column);
            }
        }
    }
    let keep = keep(reading, fields, &known);
    let limit = fields.share("quarantine_limit");
    if let Some(node) = fields.get("quarantine_limit").filter(|_| limit.is_some_and(|l| l > 1.0)) {
        let message = format!("`{}` is more than all rows", reading.shown(node));
        reading.error("bad-share", &node.span, message, "write a share like `5%` or `0.05`");
    }
    let mut checks = Vec::new();
    for node in fields.get("checks").map(Node::items).unwrap_or_default() {
        for (column, span) in check::columns(node) {
            if !known.contains(&column) && !LANDED.contains(&column) {
                undeclared(reading, column, &span, &known);
            }
        }
        let read = check::read(reading, node);
        if let Some(moving) = read.iter().find(|c| c.severity == Severity::Quarantine) {
            let help = "the contract sets rows aside: `required`, `accepted`, `min` and `max` of a column";
            let span = moving.place.span.clone();
            reading.error("bad-severity", &span, "a check of a source cannot take rows out", help);
        }
        checks.extend(read);
    }
    check::unique_names(reading, &checks);
    let (store, pattern) = path.unzip();
    Some(Source {
        name,
        place: reading.place(&entry.key_span),
        // A path that is wrong has been reported: nobody will look there.
        store: store.flatten().or_else(|| "unknown".parse().ok())?,
        pattern: pattern.unwrap_or(ExportPattern { text: String::new(), date_format: None }),
        mode: if fields.text("mode") == Some("full") { Mode::Full } else { Mode::Append },
        format,
        columns,
        key,
        keep,
        unknown_columns: match fields.text("unknown_columns") {
            Some("ignore") => UnknownColumns::Ignore,
            Some("refuse") => UnknownColumns::Refuse,
            _ => UnknownColumns::Warn,
        },
        on_vanish: if fields.text("on_vanish") == Some("refuse") { OnVanish::Refuse } else { OnVanish::Keep },
        quarantine_limit: limit.unwrap_or(0.01),
        checks,
    })
}

/// `store://folder/{date:%Y%m%d}.csv`. The pattern keeps `{date}` alone; its format stands beside it.
fn path(
    reading: &mut Reading<'_>,
    node: &Node,
    around: &Surroundings<'_>,
) -> Option<(Option<crate::base::StoreName>, ExportPattern)> {
    let text = node.text()?;
    let Some((store, below)) = text.split_once("://") else {
        let help = match around.stores.and_then(|s| s.keys().next()) {
            Some(store) => format!("write it like `{store}://folder/{{date}}.csv`"),
            None => "write it like `exports://folder/{date}.csv`, and declare the store `exports` in `matins.yaml`"
                .to_owned(),
        };
        let message = format!("`{}` does not name a store", reading.shown(node));
        reading.error("bad-path", &node.span, message, help);
        return None;
    };
    let store = pipeline::store(reading, store, &node.span, around);
    let mut bad = |message: &str, help: &str| reading.error("bad-path", &node.span, message, help);
    if below.trim().is_empty() {
        bad("the path below the store is empty", "say which files: `orders/*.csv`");
    }
    if below.starts_with('/') || below.split('/').any(|part| matches!(part, ".." | ".")) {
        bad("a path begins below its store and stays there", "remove the leading `/` and any `..`");
    }
    if below.contains(['[', ']', '\\']) {
        bad("only `*`, `?` and `**` are globs here", "name the files apart, or use `*`");
    }
    if below.split('/').any(|part| part.contains("**") && part != "**") {
        bad("`**` stands for whole folders", "write it between slashes: `a/**/b.csv`");
    }
    let (mut plain, mut date_format, mut dates) = (String::new(), None, 0);
    let mut rest = below;
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            bad("a `{` is never closed", "write `{date}`");
            break;
        };
        match inside.split_once(':').map_or((inside, None), |(word, format)| (word, Some(format))) {
            ("date", format) => {
                dates += 1;
                let format = format.unwrap_or("%Y-%m-%d");
                if !is_date_format(format) {
                    bad(
                        &format!("`{format}` does not say which date a file is of"),
                        "it must give year, month and day: `{date:%Y%m%d}`",
                    );
                }
                if format.contains('/') {
                    bad("a `{date}` stands within one name", "name the folders with `*`: `*/*/{date:%Y%m%d}.csv`");
                }
                date_format = Some(format.to_owned());
            }
            (word, _) => bad(&format!("`{{{word}}}` means nothing in a path"), "only `{date}` and `{date:%Y%m%d}` do"),
        }
        plain.push_str("{date}");
        rest = after;
    }
    if dates > 1 {
        bad("a path has at most one `{date}`", "use `*` for the other");
    }
    plain.push_str(rest);
    Some((store, ExportPattern { text: plain, date_format }))
}

fn format(reading: &mut Reading<'_>, fields: Fields<'_>) -> CsvFormat {
    let mut format =
        CsvFormat { delimiter: b',', quote: b'"', encoding: "utf-8".to_owned(), null_tokens: Vec::new(), trim: false };
    let Some(node) = fields.get("format") else { return format };
    let fields = Fields::new(node, &FORMAT);
    if let Some(delimiter) = fields.get("delimiter").and_then(|n| byte(reading, n, "delimiter")) {
        format.delimiter = delimiter;
    }
    if let Some(quote) = fields.get("quote").and_then(|n| byte(reading, n, "quote")) {
        format.quote = quote;
    }
    if format.delimiter == format.quote {
        reading.error("bad-byte", &node.span, "`delimiter` and `quote` are the same byte", "give one of them another");
    }
    if let Some(node) = fields.get("encoding")
        && let Some(label) = node.text()
    {
        match encoding_rs::Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding != encoding_rs::REPLACEMENT => label.clone_into(&mut format.encoding),
            _ => {
                let message = format!("`{}` is not an encoding", reading.shown(node));
                let common = [
                    "utf-8",
                    "utf-16le",
                    "utf-16be",
                    "windows-1252",
                    "iso-8859-1",
                    "iso-8859-15",
                    "gbk",
                    "gb18030",
                    "big5",
                    "shift_jis",
                    "euc-jp",
                    "euc-kr",
                    "windows-1251",
                    "windows-1250",
                    "koi8-r",
                    "macintosh",
                ];
                reading.unknown("unknown-encoding", &node.span, message, label, "common ones", common);
            }
        }
    }
    format.null_tokens = fields.texts("null_tokens");
    format.trim = fields.boolean("trim").unwrap_or(false);
    format
}

fn keep(reading: &mut Reading<'_>, fields: Fields<'_>, known: &[&str]) -> Keep {
    let Some(node) = fields.get("keep") else { return Keep::Last };
    if fields.get("key").is_none() && !node.is_broken() {
        let span = fields.key_span("keep").unwrap_or(&node.span);
        reading.error(
            "unused-key",
            span,
            "`keep` means nothing without `key`",
            "say which columns tell rows apart: `key: order_id`",
        );
    }
    if node.text().is_some() {
        return if node.text() == Some("first") { Keep::First } else { Keep::Last };
    }
    let fields = Fields::new(node, &KEEP);
    // Both are looked up, so that a mistake in either is found.
    let latest = fields.get("latest").and_then(|n| declared(reading, n, known, &LANDED));
    let earliest = fields.get("earliest").and_then(|n| declared(reading, n, known, &LANDED));
    latest.map(Keep::Latest).or(earliest.map(Keep::Earliest)).unwrap_or(Keep::Last)
}

/// A column that the contract has.
fn declared(reading: &mut Reading<'_>, node: &Node, known: &[&str], also: &[&str]) -> Option<String> {
    let text = node.text()?;
    if known.contains(&text) || also.contains(&text) {
        return Some(text.to_owned());
    }
    undeclared(reading, text, &node.span, known);
    None
}

fn undeclared(reading: &mut Reading<'_>, column: &str, span: &Range<usize>, known: &[&str]) {
    // Without any column that could be read, the list itself is what is wrong.
    if !known.is_empty() {
        let message = format!("the contract has no column `{column}`");
        reading.unknown("unknown-column", span, message, column, "columns", known.iter().copied());
    }
}

/// Two columns of one contract cannot be read from the same header.
pub(super) fn shared_headers(reading: &mut Reading<'_>, columns: &[Column], trim: bool) {
    let form = |h: &str| if trim { h.trim().to_owned() } else { h.to_owned() };
    let mut seen: Vec<(String, &str, &Place)> = Vec::new();
    for column in columns {
        for header in &column.headers {
            match seen.iter().find(|(h, ..)| *h == form(header)) {
                Some((_, other, _)) if *other != column.name => {
                    let message =
                        format!("the columns `{other}` and `{}` are both read from the header `{header}`", column.name);
                    reading.error("duplicate-header", &column.place.span, message, "give one of them its own `header`");
                }
                _ => seen.push((form(header), &column.name, &column.place)),
            }
        }
    }
}
