//! What is noticed of a table's rows while they pass by, so that a check need not read them again. Judges nothing.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::Result;

/// What to notice.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Columns whose missing values are counted.
    pub columns: Vec<String>,
    /// Columns that no two rows may share the values of.
    pub keys: Vec<Vec<String>>,
}

/// What was noticed.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub rows: u64,
    missing: BTreeMap<String, u64>,
    /// One hash a row that has a value in every column of the key.
    hashes: BTreeMap<Vec<String>, Vec<u64>>,
}

impl Watch {
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() && self.keys.is_empty()
    }

    /// Every column that is looked at, once.
    pub fn all_columns(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.columns.iter().chain(self.keys.iter().flatten()).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Before the first row.
    pub fn begin(&self) -> Seen {
        Seen {
            rows: 0,
            missing: self.columns.iter().map(|column| (column.clone(), 0)).collect(),
            hashes: self.keys.iter().map(|key| (key.clone(), Vec::new())).collect(),
        }
    }
}

impl Seen {
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        for (name, missing) in &mut self.missing {
            *missing += column(batch, name)?.logical_null_count() as u64;
        }
        for (key, all) in &mut self.hashes {
            let columns: Vec<ArrayRef> = key.iter().map(|name| column(batch, name).cloned()).collect::<Result<_>>()?;
            let from = all.len();
            all.resize(from + batch.num_rows(), 0);
            create_hashes(&columns, &RandomState::with_seed(0), &mut all[from..])?;
            if columns.iter().any(|c| c.logical_null_count() > 0) {
                let missing: Vec<_> = columns.iter().filter_map(Array::logical_nulls).collect();
                let mut row = 0;
                let present = all.split_off(from).into_iter().filter(|_| {
                    row += 1;
                    missing.iter().all(|nulls| nulls.is_valid(row - 1))
                });
                all.extend(present);
            }
        }
        Ok(())
    }

    /// Other rows of the same table.
    pub fn join(&mut self, other: Self) {
        self.rows += other.rows;
        for (name, missing) in other.missing {
            *self.missing.entry(name).or_default() += missing;
        }
        for (key, mut hashes) in other.hashes {
            self.hashes.entry(key).or_default().append(&mut hashes);
        }
    }

    /// Whether everything was noticed that is asked for now.
    pub fn covers(&self, watch: &Watch) -> bool {
        watch.columns.iter().all(|column| self.missing.contains_key(column))
            && watch.keys.iter().all(|key| self.hashes.contains_key(key))
    }

    /// How many rows have no value in a column; none where it was not watched.
    pub fn missing(&self, column: &str) -> Option<u64> {
        self.missing.get(column).copied()
    }

    /// Whether these columns are a key for certain. A row with a missing value is equal to no other. Forgets the key's hashes.
    pub fn proves_key(&mut self, columns: &[String]) -> bool {
        let Some(mut hashes) = self.hashes.remove(columns) else { return false };
        hashes.sort_unstable();
        hashes.windows(2).all(|pair| pair[0] != pair[1])
    }
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    Ok(batch.column(batch.schema_ref().index_of(name)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn rows(order: &[Option<&str>], line: &[Option<i64>]) -> RecordBatch {
        let order: ArrayRef = Arc::new(StringArray::from(order.to_vec()));
        let line: ArrayRef = Arc::new(Int64Array::from(line.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("order", order, true), ("line", line, true)]).expect("a batch")
    }

    fn watch() -> Watch {
        let (order, line) = ("order".to_owned(), "line".to_owned());
        Watch { columns: vec![line.clone()], keys: vec![vec![order.clone(), line], vec![order]] }
    }

    #[test]
    fn missing_values_are_counted_and_equal_to_none() {
        let key = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let mut seen = watch().begin();
        seen.add(&rows(&[Some("a"), Some("a"), None], &[Some(1), None, None])).expect("added");
        let mut rest = watch().begin();
        rest.add(&rows(&[Some("a"), None], &[None, Some(7)])).expect("added");
        seen.join(rest);
        assert_eq!((seen.rows, seen.missing("line"), seen.missing("order")), (5, Some(3), None));
        assert!(seen.proves_key(&key(&["order", "line"])));
        assert!(!seen.proves_key(&key(&["order"])));
        assert!(!seen.proves_key(&key(&["line"])), "was not watched");
    }

    #[test]
    fn a_repetition_in_another_part_is_one() {
        let mut seen = watch().begin();
        seen.add(&rows(&[Some("a"), Some("b")], &[Some(1), Some(1)])).expect("added");
        let mut rest = watch().begin();
        rest.add(&rows(&[Some("b")], &[Some(1)])).expect("added");
        seen.join(rest);
        assert!(!seen.proves_key(&["order".to_owned(), "line".to_owned()]));
    }
}
