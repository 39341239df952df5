//! The 64-bit hash of a row's key, kept beside the row. It is on disk, so it must never change: see `key-hash/1` below.
//!
//! key-hash/1: a state of 64 bits goes through `fold` once for each eight bytes of each value (the last ones padded
//! with zeros) and once for the value's length in bytes; values are the text's UTF-8, or the number's little-endian
//! bytes. `fold(a, b)` is the two halves of the 128-bit product of (a ^ K1) and (b ^ K2), combined by exclusive or (as
//! in wyhash). Two keys with one hash are told apart later by their values.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xa076_1d64_78bd_642f;
const K2: u64 = 0xe703_7ed1_a0b4_28db;

/// One hash a row over the columns of the key, none of which holds a null that counts.
pub(super) fn hashes(columns: &[&ArrayRef], rows: usize) -> Vec<u64> {
    let mut states = vec![SEED; rows];
    for column in columns {
        add(column, &mut states);
    }
    states
}

fn add(column: &ArrayRef, states: &mut [u64]) {
    match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            let (bytes, offsets) = (texts.value_data(), texts.value_offsets());
            for (state, ends) in states.iter_mut().zip(offsets.windows(2)) {
                // Offsets are never negative.
                let [start, end] = [ends[0], ends[1]].map(|at| usize::try_from(at).unwrap_or(0));
                *state = value(*state, &bytes[start..end]);
            }
        }
        DataType::Int64 => numbers(states, column.as_primitive::<Int64Type>().values(), i64::to_le_bytes),
        DataType::Decimal128(..) => {
            numbers(states, column.as_primitive::<Decimal128Type>().values(), i128::to_le_bytes);
        }
        DataType::Float64 => {
            // The two zeros are one number.
            numbers(states, column.as_primitive::<Float64Type>().values(), |v| (v + 0.0).to_le_bytes());
        }
        DataType::Date32 => numbers(states, column.as_primitive::<Date32Type>().values(), i32::to_le_bytes),
        DataType::Timestamp(..) => {
            numbers(states, column.as_primitive::<TimestampMicrosecondType>().values(), i64::to_le_bytes);
        }
        _ => {
            let booleans = column.as_boolean();
            for (row, state) in states.iter_mut().enumerate() {
                *state = value(*state, &[u8::from(booleans.value(row))]);
            }
        }
    }
}

fn numbers<T: Copy, const N: usize>(states: &mut [u64], values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    for (state, number) in states.iter_mut().zip(values) {
        *state = value(*state, &bytes(*number));
    }
}

fn value(mut state: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        state = fold(state, u64::from_le_bytes(last));
    }
    fold(state, bytes.len() as u64)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ K1) * u128::from(b ^ K2);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn the_hash_is_the_same_for_ever() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["", "a", "order-1", "a longer text than a word"]));
        let number: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, -1, 1 << 40]));
        let known = [0xe35f_9a8e_3a79_5f1c, 0xf832_4cab_63ac_cf87, 0xbe03_13cf_993e_5c7b, 0xae1f_7ba5_b374_5801];
        assert_eq!(hashes(&[&text, &number], 4), known);
    }

    #[test]
    fn values_never_run_together() {
        let column = |a: &str, b: &str| -> [ArrayRef; 2] {
            [Arc::new(StringArray::from(vec![a])), Arc::new(StringArray::from(vec![b]))]
        };
        let [a, b] = column("ab", "c");
        let [c, d] = column("a", "bc");
        assert_ne!(hashes(&[&a, &b], 1), hashes(&[&c, &d], 1));
    }
}
