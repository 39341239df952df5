//! Cuts an export's bytes at record ends: header first, then segments of whole records with their line numbers.
//!
//! Where a segment ends depends on the bytes alone. Everything is found by searching for quotes and line ends, so text
//! without quotes passes at the speed of memory.

use std::io;

use memchr::{memchr, memmem};

use super::feed::Feed;
use super::grammar::{Grammar, Quoted};
use super::value::Fault;
use crate::config::CsvFormat;

/// Sizes in bytes; tests make them small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A segment ends with the first record that ends at or after this.
    pub segment: usize,
    pub longest_quoted: usize,
    /// A record that goes on longer is cut, and its pieces are quarantined.
    pub longest_record: usize,
    /// How far ahead of a segment's end is read, and how much is looked at to tell what ends a line.
    pub ahead: usize,
}

pub(super) const LIMITS: Limits =
    Limits { segment: 4 << 20, longest_quoted: 1 << 20, longest_record: 16 << 20, ahead: 64 << 10 };

/// How files begin that people put beside their CSV: gzip, zip (and with it workbooks), zstd, Parquet.
const NO_TEXT: [&[u8]; 4] = [b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"PAR1"];

/// Whole records, to be read on any thread.
#[derive(Debug)]
pub(super) struct Segment {
    pub bytes: Vec<u8>,
    /// The physical line of its first byte.
    pub line: i64,
    /// Some undecodable bytes of the file have become U+FFFD, perhaps here.
    pub replaced: bool,
    /// Its first record is the rest of one that was too long.
    pub begins_inside: bool,
    /// Its last record is the beginning of one that is too long.
    pub ends_inside: bool,
}

pub(super) struct Splitter {
    pub feed: Feed,
    pub grammar: Grammar,
    limits: Limits,
    buffer: Vec<u8>,
    /// Up to here the buffer has been searched; never inside a quoted field.
    searched: usize,
    line: i64,
    inside: bool,
    /// The buffer of a segment that is done: memory that is used again need not be cleared by the system.
    spare: Option<Vec<u8>>,
}

enum Cut {
    At(usize),
    /// More bytes are needed.
    Beyond,
}

impl Splitter {
    pub(super) fn new(feed: Feed, format: &CsvFormat, limits: Limits) -> Self {
        let grammar = Grammar {
            delimiter: format.delimiter,
            quote: format.quote,
            end: b'\n',
            trim: format.trim,
            longest_quoted: limits.longest_quoted,
        };
        Self { feed, grammar, limits, buffer: Vec::new(), searched: 0, line: 1, inside: false, spare: None }
    }

    /// The texts of the first record; `None` when the file has none.
    pub(super) fn header(&mut self) -> io::Result<Option<Result<Vec<String>, Fault>>> {
        self.feed.fill(&mut self.buffer, self.limits.ahead)?;
        if NO_TEXT.iter().any(|magic| self.buffer.starts_with(magic)) {
            return Ok(Some(Err(Fault::NoText)));
        }
        if memchr(b'\n', &self.buffer).is_none() && memchr(b'\r', &self.buffer).is_some() {
            self.grammar.end = b'\r';
        }
        loop {
            let Some(segment) = self.cut(1)? else { return Ok(None) };
            let mut spans = Vec::new();
            let Ok(record) = self.grammar.record(&segment.bytes, 0, &mut spans) else { continue };
            // No text has it, in whatever encoding: the bytes are decoded by now.
            if memchr(0, &segment.bytes).is_some() {
                return Ok(Some(Err(Fault::NoText)));
            }
            if segment.ends_inside {
                return Ok(Some(Err(Fault::Oversized)));
            }
            if let Some(fault) = record.fault {
                return Ok(Some(Err(fault)));
            }
            let mut plain = Vec::new();
            let texts = spans.iter().map(|span| {
                super::grammar::undouble(span.of(&segment.bytes), self.grammar.quote, &mut plain);
                let text = if span.doubled() { plain.as_slice() } else { span.of(&segment.bytes) };
                String::from_utf8_lossy(text).trim().to_owned()
            });
            return Ok(Some(Ok(texts.collect())));
        }
    }

    /// The next segment; `None` after the last. `spare` is memory to use.
    pub(super) fn segment(&mut self, spare: Option<Vec<u8>>) -> io::Result<Option<Segment>> {
        self.spare = spare;
        self.cut(self.limits.segment)
    }

    fn cut(&mut self, target: usize) -> io::Result<Option<Segment>> {
        let mut wanted = target + self.limits.ahead;
        loop {
            self.feed.fill(&mut self.buffer, wanted)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let longest = target + self.limits.longest_record;
            match self.find(target) {
                Cut::At(at) if at <= longest => return Ok(Some(self.take(at, false))),
                // Without quotes the end may already be in sight beyond the limit; the cut must not depend on that.
                _ if self.buffer.len() > longest => return Ok(Some(self.take(longest, true))),
                Cut::At(at) => return Ok(Some(self.take(at, false))),
                Cut::Beyond => {
                    wanted = (self.buffer.len() + self.limits.ahead.max(self.buffer.len() / 8)).min(longest + 1);
                }
            }
        }
    }

    fn take(&mut self, at: usize, ends_inside: bool) -> Segment {
        let mut rest = self.spare.take().unwrap_or_default();
        rest.clear();
        rest.reserve(self.limits.segment + 2 * self.limits.ahead);
        rest.extend_from_slice(&self.buffer[at..]);
        self.buffer.truncate(at);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let line = self.line;
        self.line += self.grammar.lines(&bytes);
        self.searched = 0;
        let begins_inside = std::mem::replace(&mut self.inside, ends_inside);
        Segment { bytes, line, replaced: self.feed.replaced, begins_inside, ends_inside }
    }

    /// The first record end at or after `target`.
    fn find(&mut self, target: usize) -> Cut {
        let bytes = self.buffer.as_slice();
        let complete = self.feed.ended;
        loop {
            let quote = memchr(self.grammar.quote, &bytes[self.searched..]).map_or(bytes.len(), |n| self.searched + n);
            let from = self.searched.max(target.saturating_sub(1)).min(quote);
            if let Some(end) = memchr(self.grammar.end, &bytes[from..quote]) {
                return Cut::At(from + end + 1);
            }
            self.searched = quote;
            if quote == bytes.len() {
                return if complete { Cut::At(bytes.len()) } else { Cut::Beyond };
            }
            if !self.grammar.opens(bytes, quote) {
                self.searched = quote + 1;
                continue;
            }
            match self.grammar.quoted(bytes, quote, complete) {
                Quoted::Closed { quote, .. } => self.searched = quote + 1,
                Quoted::Unknown => return Cut::Beyond,
                Quoted::Unclosed => match memchr(self.grammar.end, &bytes[quote..]) {
                    Some(end) if quote + end + 1 >= target => return Cut::At(quote + end + 1),
                    Some(end) => self.searched = quote + end + 1,
                    None => return if complete { Cut::At(bytes.len()) } else { Cut::Beyond },
                },
            }
        }
    }
}

/// Whether a record holds a replacement character: what was there could not be decoded.
pub(super) fn has_replacement(record: &[u8]) -> bool {
    memmem::find(record, "\u{FFFD}".as_bytes()).is_some()
}
