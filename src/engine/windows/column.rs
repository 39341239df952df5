//! One column of a window, for whole partitions at once.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array, UInt64Array, make_comparator};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type};
use arrow::error::ArrowError;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;

use crate::engine::exact::checked_sums;

/// What a column holds, of the rows from the start of the partition to the end of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    RowNumber,
    /// The argument so many rows further on, or back when negative; the frame does not matter.
    Shift(i64),
    First,
    CountRows,
    Count,
    Sum,
    Least,
    Greatest,
}

/// Where the frame of a row ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Row,
    /// The last row that is equal in the order.
    Peers,
    Partition,
}

/// A column to be computed.
#[derive(Debug)]
pub(super) struct Column {
    pub value: Value,
    pub end: End,
    pub argument: Option<Arc<dyn PhysicalExpr>>,
    pub field: FieldRef,
    /// For messages.
    pub name: String,
}

/// The bounds of partitions and of equal rows in a batch.
pub(super) struct Bounds {
    pub partitions: Vec<Range<usize>>,
    pub peers: Vec<Range<usize>>,
    pub rows: usize,
}

impl Column {
    /// The column's values for a batch of whole partitions.
    pub(super) fn values(&self, argument: Option<&ArrayRef>, bounds: &Bounds) -> Result<ArrayRef> {
        let last = self.last_rows(bounds);
        match (self.value, argument) {
            (Value::RowNumber, _) => {
                Ok(Arc::new(UInt64Array::from_iter_values(bounds.partitions.iter().flat_map(|p| 1..=p.len() as u64))))
            }
            (Value::CountRows, _) => {
                let starts = bounds.partitions.iter().flat_map(|p| std::iter::repeat_n(p.start, p.len()));
                let counts = starts.zip(last).map(|(start, last)| whole(last + 1 - start));
                Ok(Arc::new(Int64Array::from_iter_values(counts)))
            }
            (Value::Shift(by), Some(argument)) => taken(argument, shifted(bounds, by)),
            (Value::First, Some(argument)) => {
                let starts = bounds.partitions.iter().flat_map(|p| std::iter::repeat_n(Some(p.start), p.len()));
                taken(argument, starts)
            }
            (Value::Count, Some(argument)) => {
                let counts = running(bounds, 0_usize, |count, row| *count += usize::from(argument.is_valid(row)));
                Ok(Arc::new(Int64Array::from_iter_values(last.into_iter().map(|row| whole(counts[row])))))
            }
            (Value::Sum, Some(argument)) => self.sums(argument, bounds, &last),
            (Value::Least, Some(argument)) => extreme(argument, bounds, &last, Ordering::Less),
            (Value::Greatest, Some(argument)) => extreme(argument, bounds, &last, Ordering::Greater),
            (_, None) => internal_err!("{} has no argument", self.name),
        }
    }

    /// The last row of every row's frame.
    fn last_rows(&self, bounds: &Bounds) -> Vec<usize> {
        let of = |ranges: &[Range<usize>]| {
            ranges.iter().flat_map(|r| std::iter::repeat_n(r.end.saturating_sub(1), r.len())).collect()
        };
        match self.end {
            End::Row => (0..bounds.rows).collect(),
            End::Peers => of(&bounds.peers),
            End::Partition => of(&bounds.partitions),
        }
    }

    fn sums(&self, argument: &ArrayRef, bounds: &Bounds, last: &[usize]) -> Result<ArrayRef> {
        let value: Box<dyn Fn(usize) -> Option<i128>> = match argument.data_type() {
            DataType::Int64 => {
                let values = argument.as_primitive::<Int64Type>();
                Box::new(|row| values.is_valid(row).then(|| i128::from(values.value(row))))
            }
            DataType::Decimal128(..) => {
                let values = argument.as_primitive::<Decimal128Type>();
                Box::new(|row| values.is_valid(row).then(|| values.value(row)))
            }
            other => return internal_err!("{} adds {other}", self.name),
        };
        // Sums of 128 bits: what does not fit its own type is found when it is returned.
        let sums = running(bounds, None, |sum: &mut Option<i128>, row| {
            if let Some(value) = value(row) {
                *sum = Some(sum.unwrap_or(0).saturating_add(value));
            }
        });
        checked_sums(last.iter().map(|row| sums[*row]), &self.name, self.field.data_type())
    }
}

/// What is known after each row, beginning anew with every partition.
fn running<S: Clone>(bounds: &Bounds, start: S, mut add: impl FnMut(&mut S, usize)) -> Vec<S> {
    let mut all = Vec::with_capacity(bounds.rows);
    for partition in &bounds.partitions {
        let mut state = start.clone();
        for row in partition.clone() {
            add(&mut state, row);
            all.push(state.clone());
        }
    }
    all
}

fn extreme(argument: &ArrayRef, bounds: &Bounds, last: &[usize], wanted: Ordering) -> Result<ArrayRef> {
    let compare = make_comparator(argument, argument, SortOptions::default())?;
    let best = running(bounds, None, |best: &mut Option<usize>, row| {
        if argument.is_valid(row) && best.is_none_or(|best| compare(row, best) == wanted) {
            *best = Some(row);
        }
    });
    taken(argument, last.iter().map(|row| best[*row]))
}

fn shifted(bounds: &Bounds, by: i64) -> impl Iterator<Item = Option<usize>> + '_ {
    let by = isize::try_from(by).unwrap_or(isize::MAX);
    bounds.partitions.iter().flat_map(move |partition| {
        partition.clone().map(move |row| row.checked_add_signed(by).filter(|at| partition.contains(at)))
    })
}

fn taken(values: &ArrayRef, rows: impl Iterator<Item = Option<usize>>) -> Result<ArrayRef> {
    let row = |row: Option<usize>| {
        row.map(|row| u32::try_from(row).map_err(|e| ArrowError::ComputeError(e.to_string()))).transpose()
    };
    let rows: UInt32Array = rows.map(row).collect::<Result<_, ArrowError>>()?;
    Ok(take(values, &rows, None)?)
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
