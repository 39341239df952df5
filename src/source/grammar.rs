//! What a record and a field are, in bytes. The splitter and the reader of segments share it, so they cannot disagree.

use memchr::{memchr, memchr_iter, memchr2};

use super::value::Fault;

/// The signs of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grammar {
    pub delimiter: u8,
    pub quote: u8,
    /// LF (a CR before it belongs to it), or CR in files that know no LF.
    pub end: u8,
    /// Whether spaces around a field are not part of it.
    pub trim: bool,
    /// The longest a quoted field may be; a quote that is open longer is a stray one.
    pub longest_quoted: usize,
}

/// The content of one field: a range of bytes, and whether it holds doubled quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub start: u32,
    end: u32,
}

const DOUBLED: u32 = 1 << 31;

impl Span {
    /// A segment is far smaller than 2 GiB, so positions fit.
    #[expect(clippy::cast_possible_truncation, reason = "segments are at most some tens of MiB")]
    fn new(start: usize, end: usize, doubled: bool) -> Self {
        Self { start: start as u32, end: end as u32 | if doubled { DOUBLED } else { 0 } }
    }

    pub(super) fn doubled(self) -> bool {
        self.end & DOUBLED != 0
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..(self.end & !DOUBLED) as usize]
    }
}

/// Where a quoted field ends.
pub(super) enum Quoted {
    Closed {
        /// Of the closing quote.
        quote: usize,
        /// What follows it, spaces skipped where they do not count.
        after: usize,
        doubled: bool,
        /// Something other than a delimiter or a line end follows, on the same line.
        stray: bool,
    },
    Unclosed,
    /// The answer depends on bytes not read yet.
    Unknown,
}

/// Where a record ended.
pub(super) struct Record {
    /// The end of its text, without the line ending.
    pub end: usize,
    /// The start of the next.
    pub next: usize,
    /// Line ends inside it and after it.
    pub lines: i64,
    pub fault: Option<Fault>,
}

impl Grammar {
    /// Whether a quote at `at` opens a field, given that `at` is not inside one.
    pub(super) fn opens(&self, bytes: &[u8], at: usize) -> bool {
        let mut before = &bytes[..at];
        while self.trim && before.last() == Some(&b' ') {
            before = &before[..before.len() - 1];
        }
        before.last().is_none_or(|b| *b == self.delimiter || *b == self.end)
    }

    /// Follows the quoted field that opens at `open`. `complete` says that no bytes follow those given.
    pub(super) fn quoted(&self, bytes: &[u8], open: usize, complete: bool) -> Quoted {
        let limit = open + 1 + self.longest_quoted;
        let mut doubled = false;
        let mut at = open + 1;
        loop {
            let window = bytes.get(at..limit.min(bytes.len())).unwrap_or_default();
            let Some(found) = memchr(self.quote, window) else {
                return if complete || bytes.len() >= limit { Quoted::Unclosed } else { Quoted::Unknown };
            };
            let quote = at + found;
            let mut after = quote + 1;
            if bytes.get(after) == Some(&self.quote) {
                doubled = true;
                at = quote + 2;
                continue;
            }
            while self.trim && bytes.get(after) == Some(&b' ') {
                after += 1;
            }
            let clean = match bytes.get(after) {
                None if complete => true,
                None => return Quoted::Unknown,
                Some(b) if *b == self.delimiter || *b == self.end => true,
                Some(b'\r') => match bytes.get(after + 1) {
                    Some(b) => *b == self.end,
                    None if complete => true,
                    None => return Quoted::Unknown,
                },
                Some(_) => false,
            };
            // A "closing" quote in the middle of a field on a later line opens that line's own field: it was the first
            // quote that had no partner.
            if !clean && memchr(self.end, &bytes[open..quote]).is_some() {
                return Quoted::Unclosed;
            }
            return Quoted::Closed { quote, after, doubled, stray: !clean };
        }
    }

    /// The number of line ends.
    pub(super) fn lines(&self, bytes: &[u8]) -> i64 {
        i64::try_from(memchr_iter(self.end, bytes).count()).unwrap_or(i64::MAX)
    }

    /// Reads the record that starts at `start` and appends its fields. `None` when an empty line stands there; `next` is
    /// then one line on. The bytes must hold whole records.
    pub(super) fn record(&self, bytes: &[u8], start: usize, spans: &mut Vec<Span>) -> Result<Record, usize> {
        if let Some(next) = self.empty_line(bytes, start) {
            return Err(next);
        }
        let mut at = start;
        let mut lines = 0;
        let mut fault = None;
        loop {
            let mut open = at;
            while self.trim && bytes.get(open) == Some(&b' ') {
                open += 1;
            }
            let stop = if bytes.get(open) == Some(&self.quote) {
                match self.quoted(bytes, open, true) {
                    Quoted::Closed { quote, after, doubled, stray } => {
                        let inside = &bytes[open + 1..quote];
                        if memchr(self.end, inside).is_some() {
                            lines += self.lines(inside);
                        }
                        let (first, last) = self.trimmed(bytes, open + 1, quote);
                        spans.push(Span::new(first, last, doubled));
                        if stray {
                            fault = fault.or(Some(Fault::StrayQuote));
                            self.stop(bytes, after)
                        } else if bytes.get(after) == Some(&b'\r') && self.delimiter != b'\r' && self.end != b'\r' {
                            after + 1
                        } else {
                            after
                        }
                    }
                    Quoted::Unclosed | Quoted::Unknown => {
                        let end = memchr(self.end, &bytes[open..]).map_or(bytes.len(), |n| open + n);
                        let next = (end + 1).min(bytes.len());
                        let lines = lines + i64::from(end < bytes.len());
                        let end = self.without_cr(bytes, start, end);
                        return Ok(Record { end, next, lines, fault: Some(Fault::UnclosedQuote) });
                    }
                }
            } else {
                let stop = self.stop(bytes, at);
                let ends = bytes.get(stop) != Some(&self.delimiter);
                let end = if ends { self.without_cr(bytes, at, stop) } else { stop };
                let (first, last) = self.trimmed(bytes, at, end);
                spans.push(Span::new(first, last, false));
                stop
            };
            match bytes.get(stop) {
                Some(b) if *b == self.delimiter => at = stop + 1,
                Some(_) => {
                    let end = self.without_cr(bytes, start, stop);
                    return Ok(Record { end, next: stop + 1, lines: lines + 1, fault });
                }
                None => {
                    let end = self.without_cr(bytes, start, bytes.len());
                    return Ok(Record { end, next: bytes.len(), lines, fault });
                }
            }
        }
    }

    fn stop(&self, bytes: &[u8], at: usize) -> usize {
        memchr2(self.delimiter, self.end, &bytes[at..]).map_or(bytes.len(), |n| at + n)
    }

    fn without_cr(&self, bytes: &[u8], start: usize, end: usize) -> usize {
        if self.end == b'\n' && end > start && bytes[end - 1] == b'\r' { end - 1 } else { end }
    }

    fn trimmed(&self, bytes: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
        if self.trim {
            while start < end && bytes[start] == b' ' {
                start += 1;
            }
            while end > start && bytes[end - 1] == b' ' {
                end -= 1;
            }
        }
        (start, end)
    }

    fn empty_line(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match bytes.get(at) {
            Some(b) if *b == self.end => Some(at + 1),
            Some(b'\r') if bytes.get(at + 1) == Some(&self.end) => Some(at + 2),
            _ => None,
        }
    }
}

/// A quoted field's text with its doubled quotes made single.
pub(super) fn undouble(text: &[u8], quote: u8, into: &mut Vec<u8>) {
    into.clear();
    let mut rest = text;
    while let Some(at) = memchr(quote, rest) {
        into.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    into.extend_from_slice(rest);
}
