//! Count, exact sum and exact sum of squares of many groups of doubles, and what they measure. Knows no SQL.
//!
//! A sum is a fixed-point i128 in steps of 2^-64 while its values allow (every double between 2^-12 and 2^60, and every
//! short one below), and a `Wide` from the first value that does not. Both are integers, so the order of additions, and
//! of merges of partial sums, cannot show in the result.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Decimal128Array, Float64Array, UInt64Array,
    new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, UInt64Type};
use datafusion::common::{Result, internal_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::EmitTo;
use std::sync::Arc;

use super::rows::for_each_row;
use super::wide::{Wide, parts, scale};

/// What is made of the moments in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Measure {
    Sum,
    Mean,
    Variance { sample: bool },
    Deviation { sample: bool },
}

impl Measure {
    pub(super) fn needs_squares(self) -> bool {
        matches!(self, Self::Variance { .. } | Self::Deviation { .. })
    }

    /// Names and types of what one partial aggregation hands to the next.
    pub(super) fn state_fields(self) -> Vec<(&'static str, DataType)> {
        let mut fields = vec![("count", DataType::UInt64), ("fixed", FIXED_TYPE), ("wide", DataType::Binary)];
        if self.needs_squares() {
            fields.push(("squares", DataType::Binary));
        }
        fields
    }
}

/// An i128 as arrow knows it. Sums stay below 2^125, which has 38 digits.
const FIXED_TYPE: DataType = DataType::Decimal128(38, 0);
const FIXED_BITS: i32 = 64;
/// A sum at or beyond this moves to a `Wide`; two below it can always be added.
const FIXED_LIMIT: u128 = 1 << 125;
/// A slot below this is not a sum but names a `Wide`: `i128::MIN + its index`.
const HANDLES: i128 = i128::MIN + (1 << 64);

#[derive(Debug)]
pub(super) struct Moments {
    measure: Measure,
    counts: Vec<u64>,
    slots: Vec<i128>,
    wides: Vec<Wide>,
    free: Vec<usize>,
    /// Empty unless the measure needs them.
    squares: Vec<Wide>,
    /// Of limbs, kept up to date because summing them over all groups would cost more than the additions.
    heap_bytes: usize,
}

/// The double in steps of 2^-64, if it is one and below 2^60.
#[inline]
fn fixed(x: f64) -> Option<i128> {
    let bits = x.to_bits();
    let biased = (bits >> 52) & 0x7ff;
    let fraction = bits & ((1 << 52) - 1);
    // The hidden bit stands for 2^(biased - 1023), the lowest one for 52 less.
    let magnitude = if (1011..1083).contains(&biased) {
        i128::from(fraction | 1 << 52) << (biased - 1011)
    } else if (959..1011).contains(&biased) {
        let (mantissa, drop) = (fraction | 1 << 52, 1011 - biased);
        if u64::from(mantissa.trailing_zeros()) < drop {
            return None;
        }
        i128::from(mantissa >> drop)
    } else if bits << 1 == 0 {
        0
    } else {
        return None;
    };
    Some(if bits >> 63 == 1 { -magnitude } else { magnitude })
}

impl Moments {
    pub(super) fn new(measure: Measure) -> Self {
        Self {
            measure,
            counts: Vec::new(),
            slots: Vec::new(),
            wides: Vec::new(),
            free: Vec::new(),
            squares: Vec::new(),
            heap_bytes: 0,
        }
    }

    pub(super) fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
        self.slots.resize(groups, 0);
        if self.measure.needs_squares() {
            self.squares.resize(groups, Wide::default());
        }
    }

    pub(super) fn update(&mut self, values: &Float64Array, groups: &[usize], filter: Option<&BooleanArray>) {
        if self.measure.needs_squares() {
            for_each_row(values, groups, filter, |group, x| {
                self.add(group, x);
                self.add_square(group, x, false);
            });
        } else {
            for_each_row(values, groups, filter, |group, x| self.add(group, x));
        }
    }

    /// `update` where all rows belong to the one group there is: the sum stays in a register.
    pub(super) fn update_only(&mut self, values: &Float64Array) {
        self.counts[0] += (values.len() - values.null_count()) as u64;
        let mut sum = 0_i128;
        let mut each = |x: f64| match fixed(x) {
            Some(value) => {
                sum += value;
                if sum.unsigned_abs() >= FIXED_LIMIT {
                    self.add_fixed(0, std::mem::take(&mut sum));
                }
            }
            None => self.with_wide(0, |wide| wide.add_double(x)),
        };
        if values.null_count() == 0 {
            values.values().iter().for_each(|&x| each(x));
        } else {
            values.iter().flatten().for_each(each);
        }
        self.add_fixed(0, sum);
        if self.measure.needs_squares() {
            values.iter().flatten().for_each(|x| self.add_square(0, x, false));
        }
    }

    /// The opposite of `update_only`, for a sliding window.
    pub(super) fn retract(&mut self, values: &Float64Array) {
        for x in values.iter().flatten() {
            self.counts[0] -= 1;
            match fixed(x) {
                Some(value) => self.add_fixed(0, -value),
                None => self.with_wide(0, |wide| wide.subtract_double(x)),
            }
            if self.measure.needs_squares() {
                self.add_square(0, x, true);
            }
        }
    }

    /// Takes in what `state` of another one gave.
    pub(super) fn merge(&mut self, states: &[ArrayRef], groups: &[usize]) -> Result<()> {
        if states.len() != self.measure.state_fields().len() {
            return internal_err!("an exact aggregate's state has {} columns", states.len());
        }
        for_each_row(states[0].as_primitive::<UInt64Type>(), groups, None, |group, n| self.counts[group] += n);
        for_each_row(states[1].as_primitive::<Decimal128Type>(), groups, None, |group, v| self.add_fixed(group, v));
        let wides = states[2].as_binary::<i32>();
        if wides.null_count() < wides.len() {
            for (&group, bytes) in groups.iter().zip(wides) {
                if let Some(bytes) = bytes {
                    let other = read_wide(bytes)?;
                    self.with_wide(group, |wide| wide.add(&other));
                }
            }
        }
        if let Some(squares) = states.get(3) {
            for (&group, bytes) in groups.iter().zip(squares.as_binary::<i32>()) {
                if let Some(bytes) = bytes {
                    let other = read_wide(bytes)?;
                    let square = &mut self.squares[group];
                    let before = square.heap_bytes();
                    square.add(&other);
                    self.heap_bytes += square.heap_bytes() - before;
                }
            }
        }
        Ok(())
    }

    /// The measure of each emitted group; null for a group without values.
    pub(super) fn evaluate(&mut self, emit: EmitTo) -> Float64Array {
        let taken = self.take(emit);
        (0..taken.counts.len()).map(|group| taken.measure(self.measure, group)).collect()
    }

    /// The measure of one group, which stays.
    pub(super) fn peek(&self, group: usize) -> Option<f64> {
        let slot = self.slots[group];
        let squares = self.squares.get(group);
        finish(self.measure, self.counts[group], slot, (slot < HANDLES).then(|| &self.wides[index_of(slot)]), squares)
    }

    pub(super) fn state(&mut self, emit: EmitTo) -> Vec<ArrayRef> {
        let taken = self.take(emit);
        let (fixed, wides): (Decimal128Array, ArrayRef) = if taken.wides.is_empty() {
            let rows = taken.slots.len();
            (Decimal128Array::new(taken.slots.into(), None), new_null_array(&DataType::Binary, rows))
        } else {
            let fixed = taken.slots.iter().map(|&slot| (slot >= HANDLES).then_some(slot)).collect();
            let wides = taken.slots.iter().map(|&slot| (slot < HANDLES).then(|| &taken.wides[index_of(slot)]));
            (fixed, Arc::new(write_wides(wides)))
        };
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(UInt64Array::from(taken.counts)), Arc::new(fixed.with_data_type(FIXED_TYPE)), wides];
        if self.measure.needs_squares() {
            columns.push(Arc::new(write_wides(taken.squares.iter().map(Some))));
        }
        columns
    }

    pub(super) fn size(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
            + self.slots.capacity() * size_of::<i128>()
            + (self.wides.capacity() + self.squares.capacity()) * size_of::<Wide>()
            + self.free.capacity() * size_of::<usize>()
            + self.heap_bytes
    }

    #[inline]
    fn add(&mut self, group: usize, x: f64) {
        self.counts[group] += 1;
        match fixed(x) {
            Some(value) => self.add_fixed(group, value),
            None => self.with_wide(group, |wide| wide.add_double(x)),
        }
    }

    #[inline]
    fn add_fixed(&mut self, group: usize, value: i128) {
        let slot = &mut self.slots[group];
        if *slot >= HANDLES {
            *slot += value;
            if slot.unsigned_abs() < FIXED_LIMIT {
                return;
            }
            *slot -= value;
        }
        self.with_wide(group, |wide| wide.add_scaled(value < 0, value.unsigned_abs(), -FIXED_BITS));
    }

    #[inline]
    fn add_square(&mut self, group: usize, x: f64, negative: bool) {
        // What is not finite is counted in the sum, and decides there.
        if let Some(p) = parts(x) {
            let square = &mut self.squares[group];
            let before = square.heap_bytes();
            square.add_scaled(negative, u128::from(p.mantissa) * u128::from(p.mantissa), 2 * p.exponent);
            self.heap_bytes += square.heap_bytes() - before;
        }
    }

    /// The slow path: moves the group's sum to a `Wide` if it is not one yet.
    #[cold]
    fn with_wide(&mut self, group: usize, change: impl FnOnce(&mut Wide)) {
        let slot = self.slots[group];
        let index = if slot < HANDLES {
            index_of(slot)
        } else {
            let mut wide = Wide::default();
            wide.add_scaled(slot < 0, slot.unsigned_abs(), -FIXED_BITS);
            self.heap_bytes += wide.heap_bytes();
            let index = self.free.pop().unwrap_or(self.wides.len());
            match self.wides.get_mut(index) {
                Some(place) => *place = wide,
                None => self.wides.push(wide),
            }
            self.slots[group] = i128::MIN + index as i128;
            index
        };
        let wide = &mut self.wides[index];
        let before = wide.heap_bytes();
        change(wide);
        self.heap_bytes += wide.heap_bytes() - before;
    }

    fn take(&mut self, emit: EmitTo) -> Taken {
        let counts = emit.take_needed(&mut self.counts);
        let mut slots = emit.take_needed(&mut self.slots);
        let squares = if self.measure.needs_squares() { emit.take_needed(&mut self.squares) } else { Vec::new() };
        let wides = if let EmitTo::All = emit {
            self.free.clear();
            self.heap_bytes = 0;
            std::mem::take(&mut self.wides)
        } else {
            let mut wides = Vec::new();
            for slot in slots.iter_mut().filter(|slot| **slot < HANDLES) {
                let index = index_of(*slot);
                self.free.push(index);
                *slot = i128::MIN + wides.len() as i128;
                wides.push(std::mem::take(&mut self.wides[index]));
            }
            self.heap_bytes -= wides.iter().chain(&squares).map(Wide::heap_bytes).sum::<usize>();
            wides
        };
        Taken { counts, slots, wides, squares }
    }
}

/// The groups that leave.
struct Taken {
    counts: Vec<u64>,
    slots: Vec<i128>,
    wides: Vec<Wide>,
    squares: Vec<Wide>,
}

impl Taken {
    fn measure(&self, measure: Measure, group: usize) -> Option<f64> {
        let slot = self.slots[group];
        let wide = (slot < HANDLES).then(|| &self.wides[index_of(slot)]);
        finish(measure, self.counts[group], slot, wide, self.squares.get(group))
    }
}

/// A mean is the sum rounded once, then divided; a variance is `(n Σx² - (Σx)²)` rounded once, then divided by `n²` or
/// `n (n - 1)`. Division rounds the same way everywhere, so the digits depend on the values alone.
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 rows do not occur")]
fn finish(measure: Measure, count: u64, slot: i128, wide: Option<&Wide>, squares: Option<&Wide>) -> Option<f64> {
    if count == 0 {
        return None;
    }
    let sample = match measure {
        Measure::Sum | Measure::Mean => {
            let (mantissa, exponent) = wide.map_or((slot as f64, -FIXED_BITS), Wide::to_scaled);
            let divisor = if measure == Measure::Mean { count as f64 } else { 1.0 };
            return Some(scale(mantissa / divisor, exponent));
        }
        Measure::Variance { sample } | Measure::Deviation { sample } => sample,
    };
    if sample && count == 1 {
        return None;
    }
    if wide.is_some_and(Wide::is_special) {
        return Some(f64::NAN);
    }
    let sum = wide.cloned().unwrap_or_else(|| {
        let mut sum = Wide::default();
        sum.add_scaled(slot < 0, slot.unsigned_abs(), -FIXED_BITS);
        sum
    });
    let (spread, exponent) = squares?.spread(count, &sum).to_scaled();
    let divisor = count as f64 * if sample { count - 1 } else { count } as f64;
    let variance = scale(spread / divisor, exponent);
    Some(if matches!(measure, Measure::Deviation { .. }) { variance.sqrt() } else { variance })
}

fn index_of(slot: i128) -> usize {
    usize::try_from(slot - i128::MIN).unwrap_or(usize::MAX)
}

fn read_wide(bytes: &[u8]) -> Result<Wide> {
    Wide::read(bytes).ok_or_else(|| DataFusionError::Internal("an exact aggregate's state is damaged".to_owned()))
}

fn write_wides<'a>(wides: impl Iterator<Item = Option<&'a Wide>>) -> BinaryArray {
    let mut builder = BinaryBuilder::new();
    let mut bytes = Vec::new();
    for wide in wides {
        bytes.clear();
        builder.append_option(wide.map(|wide| {
            wide.write(&mut bytes);
            &bytes
        }));
    }
    builder.finish()
}
