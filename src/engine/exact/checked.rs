//! Sums of integers and decimals that fail instead of wrapping. The engine's own add modulo 2^64 or 2^128.
//!
//! Integers are added in 128 bits, so only a total that does not fit is an error, whatever the order of the rows. A
//! decimal(38) sum whose partial sums pass 1.7e38 fails too, though later rows might have brought it back.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array};
use datafusion::arrow::array::{Int64Array, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::rows::for_each_row;

/// What a checked sum's partial state is kept as; none where the engine's own sum is used.
pub(super) fn state_type(return_type: &DataType) -> Option<DataType> {
    match return_type {
        DataType::Int64 | DataType::UInt64 => Some(DataType::Decimal128(38, 0)),
        DataType::Decimal128(_, scale) => Some(DataType::Decimal128(38, *scale)),
        _ => None,
    }
}

/// No row yet. A sum is never this low: it would not fit 38 digits.
const EMPTY: i128 = i128::MIN;

#[derive(Debug)]
pub(super) struct CheckedGroups {
    name: String,
    return_type: DataType,
    sums: Vec<i128>,
}

impl CheckedGroups {
    pub(super) fn new(name: &str, return_type: &DataType) -> Self {
        Self { name: name.to_owned(), return_type: return_type.clone(), sums: Vec::new() }
    }

    fn add<T>(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>) -> Result<()>
    where
        T: ArrowPrimitiveType,
        i128: From<T::Native>,
    {
        let mut overflowed = false;
        for_each_row(values.as_primitive::<T>(), groups, filter, |group, value| {
            let sum = &mut self.sums[group];
            let before = if *sum == EMPTY { 0 } else { *sum };
            let (after, over) = before.overflowing_add(i128::from(value));
            *sum = after;
            overflowed |= over;
        });
        if overflowed { overflow(&self.name, &self.return_type) } else { Ok(()) }
    }

    /// `add` where all rows belong to the one group there is: the sum stays in a register.
    fn add_only<T>(&mut self, values: &ArrayRef) -> Result<()>
    where
        T: ArrowPrimitiveType,
        i128: From<T::Native>,
    {
        let values = values.as_primitive::<T>();
        if values.null_count() == values.len() {
            return Ok(());
        }
        let mut sum = if self.sums[0] == EMPTY { 0 } else { self.sums[0] };
        let mut overflowed = false;
        let mut each = |value: T::Native| {
            let (after, over) = sum.overflowing_add(i128::from(value));
            sum = after;
            overflowed |= over;
        };
        if values.null_count() == 0 {
            values.values().iter().for_each(|&value| each(value));
        } else {
            values.iter().flatten().for_each(each);
        }
        self.sums[0] = sum;
        if overflowed { overflow(&self.name, &self.return_type) } else { Ok(()) }
    }

    fn add_any(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        match values.data_type() {
            DataType::Int64 => self.add::<Int64Type>(values, groups, filter),
            DataType::UInt64 => self.add::<UInt64Type>(values, groups, filter),
            DataType::Decimal128(..) => self.add::<Decimal128Type>(values, groups, filter),
            other => internal_err!("a checked sum was given {other}"),
        }
    }

    fn sums_of(sums: Vec<i128>, state_type: DataType) -> Decimal128Array {
        let array = if sums.contains(&EMPTY) {
            sums.into_iter().map(|sum| (sum != EMPTY).then_some(sum)).collect()
        } else {
            Decimal128Array::new(sums.into(), None)
        };
        array.with_data_type(state_type)
    }

    fn state_type(&self) -> DataType {
        state_type(&self.return_type).unwrap_or(DataType::Decimal128(38, 0))
    }
}

impl GroupsAccumulator for CheckedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, EMPTY);
        self.add_any(&values[0], group_indices, opt_filter)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = Self::sums_of(emit_to.take_needed(&mut self.sums), self.state_type());
        as_returned(&sums, &self.name, &self.return_type)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Self::sums_of(emit_to.take_needed(&mut self.sums), self.state_type()))])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let mut each_row = Self::new(&self.name, &self.return_type);
        let groups: Vec<usize> = (0..rows).collect();
        each_row.update_batch(values, &groups, opt_filter, rows)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.name.capacity() + self.sums.capacity() * size_of::<i128>()
    }
}

/// Of one group or window.
#[derive(Debug)]
pub(super) struct CheckedSingle {
    groups: CheckedGroups,
    rows: usize,
}

impl CheckedSingle {
    pub(super) fn new(name: &str, return_type: &DataType) -> Self {
        let mut groups = CheckedGroups::new(name, return_type);
        groups.sums.push(EMPTY);
        Self { groups, rows: 0 }
    }
}

impl Accumulator for CheckedSingle {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows += values[0].len() - values[0].null_count();
        match values[0].data_type() {
            DataType::Int64 => self.groups.add_only::<Int64Type>(&values[0]),
            DataType::UInt64 => self.groups.add_only::<UInt64Type>(&values[0]),
            DataType::Decimal128(..) => self.groups.add_only::<Decimal128Type>(&values[0]),
            other => internal_err!("a checked sum was given {other}"),
        }
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows -= values[0].len() - values[0].null_count();
        let mut leaving = Self::new(&self.groups.name, &self.groups.return_type);
        leaving.update_batch(values)?;
        let (sum, leaving) = (self.groups.sums[0], leaving.groups.sums[0]);
        self.groups.sums[0] = match (self.rows, leaving) {
            (0, _) => EMPTY,
            (_, EMPTY) => sum,
            _ => match sum.checked_sub(leaving) {
                Some(rest) => rest,
                None => return overflow(&self.groups.name, &self.groups.return_type),
            },
        };
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sums = CheckedGroups::sums_of(self.groups.sums.clone(), self.groups.state_type());
        ScalarValue::try_from_array(&as_returned(&sums, &self.groups.name, &self.groups.return_type)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sums = CheckedGroups::sums_of(self.groups.sums.clone(), self.groups.state_type());
        Ok(vec![ScalarValue::try_from_array(&sums, 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.size()
    }
}

/// Sums that were added elsewhere, checked in the same way.
pub(in crate::engine) fn checked_sums(
    sums: impl Iterator<Item = Option<i128>>,
    name: &str,
    return_type: &DataType,
) -> Result<ArrayRef> {
    let sums: Decimal128Array = sums.collect();
    let state_type = state_type(return_type).unwrap_or(DataType::Decimal128(38, 0));
    as_returned(&sums.with_data_type(state_type), name, return_type)
}

/// The sums in the type the function returns, or the error that one does not fit it.
fn as_returned(sums: &Decimal128Array, name: &str, return_type: &DataType) -> Result<ArrayRef> {
    match return_type {
        DataType::Int64 => {
            let fits: Int64Array = sums.iter().map(|sum| sum.and_then(|sum| i64::try_from(sum).ok())).collect();
            if fits.null_count() > sums.null_count() { overflow(name, return_type) } else { Ok(Arc::new(fits)) }
        }
        DataType::UInt64 => {
            let fits: UInt64Array = sums.iter().map(|sum| sum.and_then(|sum| u64::try_from(sum).ok())).collect();
            if fits.null_count() > sums.null_count() { overflow(name, return_type) } else { Ok(Arc::new(fits)) }
        }
        DataType::Decimal128(precision, _) => {
            let bound = 10_u128.pow(u32::from(*precision));
            if sums.iter().flatten().any(|sum| sum.unsigned_abs() >= bound) {
                return overflow(name, return_type);
            }
            Ok(Arc::new(sums.clone().with_data_type(return_type.clone())))
        }
        other => internal_err!("a checked sum cannot return {other}"),
    }
}

fn overflow<T>(name: &str, return_type: &DataType) -> Result<T> {
    exec_err!("arithmetic overflow: {name} does not fit {return_type}")
}
