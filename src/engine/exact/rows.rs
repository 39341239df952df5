//! Walking the rows of a batch that count: neither null nor filtered out.

use datafusion::arrow::array::{Array, ArrowPrimitiveType, BooleanArray, PrimitiveArray};

/// Calls `each` with the group and the value of every row that is not null and passes the filter.
#[inline]
pub(super) fn for_each_row<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    groups: &[usize],
    filter: Option<&BooleanArray>,
    mut each: impl FnMut(usize, T::Native),
) {
    match (values.nulls().filter(|n| n.null_count() > 0), filter) {
        (None, None) => groups.iter().zip(values.values()).for_each(|(&group, &value)| each(group, value)),
        (Some(nulls), None) => {
            for ((&group, &value), valid) in groups.iter().zip(values.values()).zip(nulls) {
                if valid {
                    each(group, value);
                }
            }
        }
        (_, Some(filter)) => {
            for ((row, &group), &value) in groups.iter().enumerate().zip(values.values()) {
                if values.is_valid(row) && filter.is_valid(row) && filter.value(row) {
                    each(group, value);
                }
            }
        }
    }
}
