//! Exports as a listing shows them, and the fingerprints of what is landed from them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::base::{Fingerprint, Recipe, SourceName};
use crate::config::{ColumnKind, Source};

/// Raise it when the reader gives other rows for the same bytes and the same contract.
const READER: &str = "reader/1";

/// One raw file in a store, as its listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Path below the store's URL.
    pub path: String,
    pub size_bytes: u64,
    pub e_tag: Option<String>,
    pub modified: DateTime<Utc>,
    /// What `{date}` stood for in its name.
    pub date: Option<NaiveDate>,
}

/// The exports of one source, found in one listing: by date, then path.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    pub source: Option<SourceName>,
    /// The store's URL with no secret in it: part of every landed export's fingerprint.
    pub store_url: String,
    pub exports: Vec<Export>,
    /// Other files that the same listing showed, by path: no exports of this source, and neither hidden nor unfinished.
    pub beside: Vec<String>,
}

impl Export {
    /// The name of what is landed from it: for whom, reader, contract, where it lies, and which bytes these are. Two sources may
    /// read one export by one contract, and each lands it.
    ///
    /// A store's entity tag says which bytes they are; a folder's is made of the modified time.
    pub fn fingerprint(&self, source: &SourceName, contract: &Fingerprint, store_url: &str) -> Fingerprint {
        let version = self.e_tag.clone().unwrap_or_else(|| self.modified.to_rfc3339());
        Recipe::new("landed/2")
            .text("source", source.as_str())
            .text("reader", READER)
            .made_from("contract", contract)
            .text("store", store_url)
            .text("path", &self.path)
            .bytes("size", &self.size_bytes.to_le_bytes())
            .text("version", &version)
            .finish()
    }
}

/// Everything in a source's declaration that decides which rows land, and nothing that does not.
pub fn contract_fingerprint(source: &Source) -> Fingerprint {
    let format = &source.format;
    let mut recipe = Recipe::new("contract/1")
        .bytes("separators", &[format.delimiter, format.quote, u8::from(format.trim)])
        .text("encoding", &format.encoding)
        .text("nulls", &format.null_tokens.join("\u{1f}"))
        .text("unknown", &format!("{:?}", source.unknown_columns))
        // A keyed source keeps a hash of the key beside each row.
        .text("key", &source.key.join("\u{1f}"));
    for column in &source.columns {
        recipe = recipe
            .text("column", &column.name)
            .text("headers", &column.headers.join("\u{1f}"))
            .text("kind", &kind_text(&column.kind))
            .bytes("required", &[u8::from(column.required)])
            .text("nulls", &column.null_tokens.join("\u{1f}"))
            .text("accepted", &format!("{:?}", column.accepted))
            .text("bounds", &format!("{:?} {:?}", column.min, column.max));
    }
    recipe.finish()
}

/// The name of `raw.<source>`: the key and keep rule, and the landed exports it is made of, in order.
pub fn raw_fingerprint(source: &Source, landed: &[Fingerprint]) -> Fingerprint {
    let recipe = Recipe::new("raw/2").text("source", source.name.as_str());
    let mut recipe = recipe.text("key", &source.key.join("\u{1f}"));
    if !source.key.is_empty() {
        recipe = recipe.text("keep", &format!("{:?}", source.keep));
    }
    for one in landed {
        recipe = recipe.made_from("landed", one);
    }
    recipe.finish()
}

fn kind_text(kind: &ColumnKind) -> String {
    format!("{kind:?}")
}
