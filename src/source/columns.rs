//! The contract's columns, ready to read: a batch of records' fields → typed arrays, and the rows that do not fit.
//!
//! Column by column, so that each type has one tight loop. A row that does not fit gets a stand-in value here and is
//! taken out of the batch afterwards; the first column of the contract to refuse it is the one that is reported.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, NullBufferBuilder, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;

use super::SourceError;
use super::data_type;
use super::grammar::{Span, undouble};
use super::moment::Moments;
use super::value::{Decimals, Fault, Words, float, integer};
use crate::config::{Column, ColumnKind, DecimalPoint, Source};

/// The records of a batch that have as many fields as the header.
pub(super) struct Fields<'a> {
    pub bytes: &'a [u8],
    /// `width` a row.
    pub spans: &'a [Span],
    pub width: usize,
    pub rows: usize,
    pub quote: u8,
}

/// The rows of a batch that cannot land: the column to blame and why.
pub(super) type Refused = BTreeMap<usize, (usize, Fault)>;

/// One column of the contract.
#[derive(Debug)]
pub(super) struct Reader {
    index: usize,
    kind: Kind,
    nulls: Vec<Vec<u8>>,
    /// What a null is where none may be.
    null_fault: Option<Fault>,
    trim: bool,
    kept: ColumnKind,
}

#[derive(Debug)]
enum Kind {
    Text(Rules<Vec<u8>>),
    Integer(Rules<i64>),
    Decimal(Decimals, Rules<i128>),
    Float(Rules<f64>),
    Boolean(Words),
    Date(Moments, Rules<i32>),
    Timestamp(Moments, Rules<i64>),
}

/// What a value must be besides well written.
#[derive(Debug)]
struct Rules<T> {
    accepted: Option<Vec<T>>,
    min: Option<T>,
    max: Option<T>,
}

impl<T: PartialOrd> Rules<T> {
    fn read(column: &Column, read: impl Fn(&str) -> Option<T>) -> Result<Self, String> {
        let one = |text: &String| {
            read(text).ok_or_else(|| format!("column `{}`: `{text}` is no value of its type", column.name))
        };
        Ok(Self {
            accepted: column.accepted.as_ref().map(|all| all.iter().map(one).collect()).transpose()?,
            min: column.min.as_ref().map(one).transpose()?,
            max: column.max.as_ref().map(one).transpose()?,
        })
    }

    #[inline]
    fn check(&self, value: &T) -> Result<(), Fault> {
        if self.accepted.as_ref().is_some_and(|all| !all.contains(value)) {
            return Err(Fault::Accepted);
        }
        if self.min.as_ref().is_some_and(|min| value < min) || self.max.as_ref().is_some_and(|max| value > max) {
            return Err(Fault::Range);
        }
        Ok(())
    }
}

const DATES: [&str; 1] = ["%Y-%m-%d"];
const TIMES: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"];

/// Every column of a contract.
pub(super) fn readers(source: &Source) -> Result<Vec<Reader>, SourceError> {
    let reader = |(index, column): (usize, &Column)| {
        Reader::new(source, index, column).map_err(|what| SourceError::Contract { of: source.name.clone(), what })
    };
    source.columns.iter().enumerate().map(reader).collect()
}

impl Reader {
    fn new(source: &Source, index: usize, column: &Column) -> Result<Self, String> {
        let bad_format = |format| format!("column `{}`: `{format}` is not a format of dates", column.name);
        let kind = match &column.kind {
            ColumnKind::Text => Kind::Text(Rules::read(column, |text| Some(text.as_bytes().to_vec()))?),
            ColumnKind::Integer => Kind::Integer(Rules::read(column, |text| integer(text.as_bytes()).ok())?),
            ColumnKind::Decimal { precision, scale, point } => {
                let of = |point| Decimals::new(*precision, *scale, point);
                let bad = || format!("column `{}`: there is no decimal({precision},{scale})", column.name);
                let (decimals, written) = (of(*point).ok_or_else(bad)?, of(DecimalPoint::Point).ok_or_else(bad)?);
                Kind::Decimal(decimals, Rules::read(column, |text| written.read(text.as_bytes()).ok())?)
            }
            ColumnKind::Float => Kind::Float(Rules::read(column, |text| float(text.as_bytes()).ok())?),
            ColumnKind::Boolean { yes, no } => Kind::Boolean(Words::new(yes, no)),
            ColumnKind::Date { formats } => {
                let moments = Moments::new(formats, &DATES, None).map_err(bad_format)?;
                let written = Moments::new(&[], &DATES, None).map_err(bad_format)?;
                let read = |text: &str| written.date(text.as_bytes()).or_else(|_| moments.date(text.as_bytes())).ok();
                let rules = Rules::read(column, read)?;
                Kind::Date(moments, rules)
            }
            ColumnKind::Timestamp { formats, zone } => {
                let moments = Moments::new(formats, &TIMES[..2], *zone).map_err(bad_format)?;
                let written = Moments::new(&[], &TIMES, *zone).map_err(bad_format)?;
                let read = |text: &str| {
                    written.timestamp(text.as_bytes()).or_else(|_| moments.timestamp(text.as_bytes())).ok()
                };
                let rules = Rules::read(column, read)?;
                Kind::Timestamp(moments, rules)
            }
        };
        let tokens = source.format.null_tokens.iter().chain(&column.null_tokens);
        let key = source.key.contains(&column.name).then_some(Fault::Key);
        Ok(Self {
            index,
            nulls: tokens.filter(|t| !t.is_empty()).map(|t| t.as_bytes().to_vec()).collect(),
            null_fault: if column.required { Some(Fault::Required) } else { key },
            // Spaces beside a number or a date mean nothing; in a text they may.
            trim: source.format.trim || column.kind != ColumnKind::Text,
            kept: column.kind.clone(),
            kind,
        })
    }

    /// The values of a column, in which field `field` of each record is; all null where the file has no such field.
    pub(super) fn read(
        &self,
        fields: &Fields<'_>,
        field: Option<usize>,
        refused: &mut Refused,
    ) -> Result<ArrayRef, ArrowError> {
        let Some(field) = field else { return Ok(new_null_array(&data_type(&self.kept), fields.rows)) };
        Ok(match &self.kind {
            Kind::Text(rules) => match self.texts(fields, field, rules, refused, false) {
                Ok(texts) => Arc::new(texts),
                // Somewhere in the batch are bytes that are no UTF-8: again, looking at every value.
                Err(_) => Arc::new(self.texts(fields, field, rules, refused, true)?),
            },
            Kind::Integer(rules) => {
                let (values, nulls) = self.values(fields, field, refused, rules, integer);
                Arc::new(Int64Array::try_new(values.into(), nulls)?)
            }
            Kind::Decimal(decimals, rules) => {
                let (values, nulls) = self.values(fields, field, refused, rules, |text| decimals.read(text));
                Arc::new(Decimal128Array::try_new(values.into(), nulls)?.with_data_type(data_type(&self.kept)))
            }
            Kind::Float(rules) => {
                let (values, nulls) = self.values(fields, field, refused, rules, float);
                Arc::new(Float64Array::try_new(values.into(), nulls)?)
            }
            Kind::Boolean(words) => {
                let rules = Rules { accepted: None, min: None, max: None };
                let (values, nulls) = self.values(fields, field, refused, &rules, |text| words.read(text));
                Arc::new(BooleanArray::new(values.into(), nulls))
            }
            Kind::Date(moments, rules) => {
                let (values, nulls) = self.values(fields, field, refused, rules, |text| moments.date(text));
                Arc::new(Date32Array::try_new(values.into(), nulls)?)
            }
            Kind::Timestamp(moments, rules) => {
                let (values, nulls) = self.values(fields, field, refused, rules, |text| moments.timestamp(text));
                Arc::new(TimestampMicrosecondArray::try_new(values.into(), nulls)?)
            }
        })
    }

    fn values<T: Copy + Default + PartialOrd>(
        &self,
        fields: &Fields<'_>,
        field: usize,
        refused: &mut Refused,
        rules: &Rules<T>,
        read: impl Fn(&[u8]) -> Result<T, Fault>,
    ) -> (Vec<T>, Option<NullBuffer>) {
        let mut values = Vec::with_capacity(fields.rows);
        let mut nulls = NullBufferBuilder::new(fields.rows);
        let mut plain = Vec::new();
        for row in 0..fields.rows {
            let text = self.text(fields, row, field, &mut plain);
            if self.is_null(text) {
                values.push(T::default());
                self.null(row, &mut nulls, refused);
                continue;
            }
            nulls.append_non_null();
            match read(text).and_then(|value| rules.check(&value).map(|()| value)) {
                Ok(value) => values.push(value),
                Err(fault) => {
                    values.push(T::default());
                    self.refuse(row, fault, refused);
                }
            }
        }
        (values, nulls.finish())
    }

    /// With `careful` each value is checked to be UTF-8; without, the array's own check of the whole must do.
    fn texts(
        &self,
        fields: &Fields<'_>,
        field: usize,
        rules: &Rules<Vec<u8>>,
        refused: &mut Refused,
        careful: bool,
    ) -> Result<StringArray, ArrowError> {
        let mut bytes: Vec<u8> = Vec::with_capacity(fields.rows * 24);
        let mut ends: Vec<i32> = Vec::with_capacity(fields.rows + 1);
        ends.push(0);
        let mut nulls = NullBufferBuilder::new(fields.rows);
        let mut plain = Vec::new();
        let ruled = rules.accepted.is_some() || rules.min.is_some() || rules.max.is_some();
        for row in 0..fields.rows {
            let text = self.text(fields, row, field, &mut plain);
            if self.is_null(text) {
                self.null(row, &mut nulls, refused);
            } else {
                nulls.append_non_null();
                let fault = if careful && std::str::from_utf8(text).is_err() {
                    Err(Fault::Encoding)
                } else if ruled {
                    check_text(rules, text)
                } else {
                    Ok(())
                };
                match fault {
                    Ok(()) => bytes.extend_from_slice(text),
                    Err(fault) => self.refuse(row, fault, refused),
                }
            }
            ends.push(i32::try_from(bytes.len()).map_err(|_| ArrowError::OffsetOverflowError(bytes.len()))?);
        }
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(ends)), Buffer::from_vec(bytes), nulls.finish())
    }

    /// The text of a field as it counts.
    #[inline]
    pub(super) fn text<'s>(&self, fields: &Fields<'s>, row: usize, field: usize, plain: &'s mut Vec<u8>) -> &'s [u8] {
        let span = fields.spans[row * fields.width + field];
        let text = span.of(fields.bytes);
        let text = if span.doubled() {
            undouble(text, fields.quote, plain);
            plain.as_slice()
        } else {
            text
        };
        if self.trim { text.trim_ascii() } else { text }
    }

    #[inline]
    fn is_null(&self, text: &[u8]) -> bool {
        text.is_empty() || self.nulls.iter().any(|token| token == text)
    }

    #[inline]
    fn null(&self, row: usize, nulls: &mut NullBufferBuilder, refused: &mut Refused) {
        match self.null_fault {
            None => nulls.append_null(),
            Some(fault) => {
                nulls.append_non_null();
                self.refuse(row, fault, refused);
            }
        }
    }

    #[cold]
    fn refuse(&self, row: usize, fault: Fault, refused: &mut Refused) {
        match refused.entry(row) {
            Entry::Vacant(free) => {
                free.insert((self.index, fault));
            }
            // The careful second reading of a batch knows better what is wrong with this column's value.
            Entry::Occupied(mut taken) if taken.get().0 == self.index => {
                taken.insert((self.index, fault));
            }
            Entry::Occupied(_) => {}
        }
    }
}

fn check_text(rules: &Rules<Vec<u8>>, text: &[u8]) -> Result<(), Fault> {
    if rules.accepted.as_ref().is_some_and(|all| !all.iter().any(|one| one == text)) {
        return Err(Fault::Accepted);
    }
    let below = rules.min.as_ref().is_some_and(|min| text < min.as_slice());
    if below || rules.max.as_ref().is_some_and(|max| text > max.as_slice()) {
        return Err(Fault::Range);
    }
    Ok(())
}
