//! One segment of whole records → batches of typed rows, and the rows that cannot land. Runs on any thread.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::columns::{Fields, Reader, Refused};
use super::grammar::{Grammar, Record, Span};
use super::header::Layout;
use super::key::hashes;
use super::quarantine::BadRow;
use super::splitter::{Segment, has_replacement};
use super::value::Fault;
use super::{EXPORT_COLUMN, KEY_COLUMN, schema};
use crate::config::Source;

/// What every segment of one export is read by.
pub(super) struct Reading {
    pub grammar: Grammar,
    pub layout: Layout,
    pub readers: Arc<Vec<Reader>>,
    /// Of the files that are written: a dictionary for the path, the hidden key at the end.
    pub schema: SchemaRef,
    /// Positions of the key's columns.
    key: Vec<usize>,
    /// The export's path, as the one value of a dictionary.
    path: ArrayRef,
    rows_a_batch: usize,
}

impl Reading {
    pub(super) fn new(
        source: &Source,
        grammar: Grammar,
        layout: Layout,
        readers: Arc<Vec<Reader>>,
        path: &str,
    ) -> Self {
        let rows_a_batch = (131_072 / layout.width.max(1)).clamp(256, 8192);
        let key = source.key.iter().filter_map(|k| source.columns.iter().position(|c| c.name == *k)).collect();
        let path = Arc::new(StringArray::from(vec![path]));
        Self { grammar, layout, readers, schema: file_schema(source), key, path, rows_a_batch }
    }
}

/// `schema(source)` as it is written.
pub(super) fn file_schema(source: &Source) -> SchemaRef {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut fields: Vec<Field> = schema(source)
        .fields()
        .iter()
        .map(|f| {
            if f.name() == EXPORT_COLUMN {
                Field::new(EXPORT_COLUMN, dictionary.clone(), false)
            } else {
                f.as_ref().clone()
            }
        })
        .collect();
    if !source.key.is_empty() {
        fields.push(Field::new(KEY_COLUMN, DataType::UInt64, false));
    }
    Arc::new(Schema::new(fields))
}

/// Reads one segment batch by batch.
pub(super) struct Batches {
    reading: Arc<Reading>,
    segment: Segment,
    at: usize,
    line: i64,
    spans: Vec<Span>,
    rows: Vec<Row>,
    /// Records seen so far, landed or not.
    pub read: u64,
    /// In the order of lines.
    pub bad: Vec<BadRow>,
    /// The file seems to end in the middle of a record.
    pub cut_off: bool,
}

/// Where a record of the batch stands in the segment and in the file.
struct Row {
    start: usize,
    end: usize,
    line: i64,
}

impl Batches {
    pub(super) fn new(reading: &Arc<Reading>, segment: Segment) -> Self {
        let line = segment.line;
        Self {
            reading: Arc::clone(reading),
            segment,
            at: 0,
            line,
            spans: Vec::new(),
            rows: Vec::new(),
            read: 0,
            bad: Vec::new(),
            cut_off: false,
        }
    }

    /// The next rows that land; `None` when the segment has no more records. A batch may be empty.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.at >= self.segment.bytes.len() {
            return Ok(None);
        }
        let bad_before = self.bad.len();
        self.split();
        let reading = Arc::clone(&self.reading);
        let fields = Fields {
            bytes: &self.segment.bytes,
            spans: &self.spans,
            width: reading.layout.width,
            rows: self.rows.len(),
            quote: reading.grammar.quote,
        };
        let mut refused = Refused::new();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(reading.schema.fields().len());
        for (reader, field) in reading.readers.iter().zip(&reading.layout.fields) {
            arrays.push(reader.read(&fields, *field, &mut refused)?);
        }
        arrays.push(Arc::new(DictionaryArray::<Int32Type>::try_new(
            Int32Array::from(vec![0; fields.rows]),
            Arc::clone(&reading.path),
        )?));
        arrays.push(Arc::new(Int64Array::from_iter_values(self.rows.iter().map(|row| row.line))));
        if !refused.is_empty() {
            let bad = self.refused_rows(&fields, &refused);
            self.bad.extend(bad);
            self.bad[bad_before..].sort_by_key(|row| row.line);
            let mask: BooleanArray = (0..self.rows.len()).map(|row| Some(!refused.contains_key(&row))).collect();
            let visible: Vec<Field> =
                reading.schema.fields().iter().take(arrays.len()).map(|f| f.as_ref().clone()).collect();
            arrays = filter_record_batch(&RecordBatch::try_new(Arc::new(Schema::new(visible)), arrays)?, &mask)?
                .columns()
                .to_vec();
        }
        if !reading.key.is_empty() {
            let key: Vec<&ArrayRef> = reading.key.iter().map(|i| &arrays[*i]).collect();
            let rows = key.first().map_or(0, Array::len);
            arrays.push(Arc::new(UInt64Array::from(hashes(&key, rows))));
        }
        RecordBatch::try_new(Arc::clone(&reading.schema), arrays).map(Some)
    }

    /// The segment's memory, once all is read.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.segment.bytes
    }

    /// Splits records into fields until a batch is full. Records that are wrong as a whole go no further.
    fn split(&mut self) {
        self.spans.clear();
        self.rows.clear();
        let width = self.reading.layout.width;
        let bytes = &self.segment.bytes;
        while self.at < bytes.len() && self.rows.len() < self.reading.rows_a_batch {
            let known = self.spans.len();
            let record = match self.reading.grammar.record(bytes, self.at, &mut self.spans) {
                Ok(record) => record,
                Err(next) => {
                    self.at = next;
                    self.line += 1;
                    continue;
                }
            };
            self.read += 1;
            let (start, line) = (self.at, self.line);
            let fields = self.spans.len() - known;
            if let Some(fault) = whole_record_fault(&self.segment, start, &record, fields, width) {
                let unended = record.next == bytes.len() && record.end == record.next;
                self.cut_off |= fault == Fault::Truncated || (fault == Fault::UnclosedQuote && unended);
                self.spans.truncate(known);
                self.bad.push(BadRow::new(line, None, fault, None, &bytes[start..record.end]));
            } else {
                self.rows.push(Row { start, end: record.end, line });
            }
            self.at = record.next;
            self.line += record.lines;
        }
    }

    fn refused_rows(&self, fields: &Fields<'_>, refused: &Refused) -> Vec<BadRow> {
        let mut plain = Vec::new();
        refused
            .iter()
            .map(|(at, (column, fault))| {
                let row = &self.rows[*at];
                let field = self.reading.layout.fields[*column];
                let value = field.map(|field| self.reading.readers[*column].text(fields, *at, field, &mut plain));
                BadRow::new(row.line, Some(*column), *fault, value, &fields.bytes[row.start..row.end])
            })
            .collect()
    }
}

fn whole_record_fault(segment: &Segment, start: usize, record: &Record, fields: usize, width: usize) -> Option<Fault> {
    let bytes = &segment.bytes;
    let at_end = record.next == bytes.len();
    if (segment.begins_inside && start == 0) || (segment.ends_inside && at_end) {
        return Some(Fault::Oversized);
    }
    if record.fault.is_some() {
        return record.fault;
    }
    if fields != width {
        let unended = at_end && record.end == record.next;
        return Some(match (fields < width, unended) {
            (true, true) => Fault::Truncated,
            (true, false) => Fault::Ragged,
            (false, _) => Fault::TooLong,
        });
    }
    (segment.replaced && has_replacement(&bytes[start..record.end])).then_some(Fault::Encoding)
}
