//! From a store's files to typed rows in the lake: find, decode and land exports; contract, quarantine, balance.
//!
//! One pass over the bytes: `feed` reads and decodes, `splitter` cuts at record ends, `segment` types whole-record
//! segments on several cores, `writer` puts their row groups into Parquet in the order of the file. What lands depends
//! on the bytes and the contract only, never on timing, block sizes or the number of cores.
//! Markers are written by whoever asked; nothing here makes anything visible, and nothing here runs stages.
//!
//! How a file is read, where companies differ:
//! - An entirely empty line is not a record and is counted nowhere.
//! - Records end in LF or CRLF; in CR when the first 64 KiB hold no LF at all.
//! - A quote opens only at the start of a field. One that does not close within 1 MiB, or closes after a line break in
//!   the middle of a field, is a stray quote: the record ends with that physical line (`unclosed_quote`).
//! - The byte order mark of UTF-8 or UTF-16 wins over the contract's encoding.

mod assemble;
mod columns;
mod error;
mod feed;
mod find;
mod grammar;
mod header;
mod key;
mod land;
mod moment;
mod output;
mod quarantine;
mod reader;
mod segment;
mod splitter;
#[cfg(test)]
mod tests;
mod value;
mod writer;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::config::{ColumnKind, Source};

pub use assemble::{assemble, dropped_rows};
pub use error::SourceError;
pub use find::{arrival_of, find, of_none};
pub use land::{Landing, land};

/// The hidden column of a keyed source's landed files: a hash of the key, for finding repeated keys.
pub const KEY_COLUMN: &str = "_key";
pub const EXPORT_COLUMN: &str = "_export";
pub const LINE_COLUMN: &str = "_line";

/// The columns of `raw.<source>`: the contract's, then `_export` (the path) and `_line` (one-based, physical).
///
/// A required column and a part of the key never hold a null: such rows are in quarantine.
pub fn schema(source: &Source) -> SchemaRef {
    let mut fields: Vec<Field> = source
        .columns
        .iter()
        .map(|c| Field::new(&c.name, data_type(&c.kind), !(c.required || source.key.contains(&c.name))))
        .collect();
    fields.push(Field::new(EXPORT_COLUMN, DataType::Utf8, false));
    fields.push(Field::new(LINE_COLUMN, DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

fn data_type(kind: &ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Decimal { precision, scale, .. } => DataType::Decimal128(*precision, *scale),
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Boolean { .. } => DataType::Boolean,
        ColumnKind::Date { .. } => DataType::Date32,
        ColumnKind::Timestamp { .. } => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}
