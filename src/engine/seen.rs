//! What is noticed of a table's rows while they pass by, so that a check need not read them again. Judges nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::prelude::SessionContext;

use crate::base::TableName;
use crate::engine::output::nullable;

/// What to notice.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Columns whose missing values are counted.
    pub columns: Vec<String>,
    /// Columns that no two rows may share the values of.
    pub keys: Vec<Vec<String>>,
    /// What every row should be.
    pub conditions: Vec<Condition>,
}

/// A condition on the rows of a table, as the engine evaluates it.
#[derive(Debug, Clone)]
pub struct Condition {
    text: String,
    expression: Arc<dyn PhysicalExpr>,
}

impl Condition {
    /// None where a row alone does not answer it, as with a subquery, or where it is wrong: asking the table tells then.
    pub fn new(session: &SessionContext, table: &TableName, schema: &Schema, text: &str) -> Option<Self> {
        let name = TableReference::partial(table.schema(), table.table());
        // What a plan says is never missing is what the checks are there to see.
        let schema = DFSchema::try_from_qualified_schema(name, &nullable(schema)).ok()?;
        let options = Arc::clone(session.state_ref().read().config_options());
        let context = SimplifyContext::builder().with_schema(Arc::new(schema.clone())).with_config_options(options);
        let simplifier = ExprSimplifier::new(context.build());
        let parsed = session.parse_sql_expr(text, &schema).ok()?;
        let simple = simplifier.simplify(simplifier.coerce(parsed, &schema).ok()?).ok()?;
        let expression = session.create_physical_expr(simple, &schema).ok()?;
        let is_condition = expression.data_type(schema.as_arrow()).ok()? == DataType::Boolean;
        is_condition.then(|| Self { text: text.to_owned(), expression })
    }

    /// The columns it looks at.
    pub fn columns(&self) -> impl Iterator<Item = String> {
        collect_columns(&self.expression).into_iter().map(|column| column.name().to_owned())
    }

    /// Rows it is false for; none of those where it is not known.
    fn false_in(&self, batch: &RecordBatch) -> Result<u64> {
        let answers = self.expression.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(answers.as_boolean().false_count() as u64)
    }
}

/// What was noticed.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub rows: u64,
    missing: BTreeMap<String, u64>,
    /// One hash a row that has a value in every column of the key.
    hashes: BTreeMap<Vec<String>, Vec<u64>>,
    broken: Vec<Broken>,
}

/// How many rows break a condition; nothing is known once it could not be evaluated.
#[derive(Debug, Clone)]
struct Broken {
    condition: Condition,
    rows: Option<u64>,
}

impl Watch {
    /// The columns whose values are looked at themselves, not by a condition.
    pub fn columns(&self) -> impl Iterator<Item = String> {
        self.columns.iter().chain(self.keys.iter().flatten()).cloned()
    }

    /// Before the first row.
    pub fn begin(&self) -> Seen {
        Seen {
            rows: 0,
            missing: self.columns.iter().map(|column| (column.clone(), 0)).collect(),
            hashes: self.keys.iter().map(|key| (key.clone(), Vec::new())).collect(),
            broken: self.conditions.iter().map(|c| Broken { condition: c.clone(), rows: Some(0) }).collect(),
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
        for broken in &mut self.broken {
            // Who asks the table for it is told what is wrong.
            broken.rows = broken.rows.and_then(|rows| Some(rows + broken.condition.false_in(batch).ok()?));
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
        for (broken, other) in self.broken.iter_mut().zip(other.broken) {
            broken.rows = broken.rows.zip(other.rows).map(|(one, other)| one + other);
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

    /// How many rows break a condition; none where that is not known.
    pub fn breaking(&self, text: &str) -> Option<u64> {
        self.broken.iter().find(|broken| broken.condition.text == text)?.rows
    }

    /// Whether these columns are a key for certain. A row with a missing value is equal to no other. Forgets the key's hashes.
    pub fn proves_key(&mut self, columns: &[String]) -> bool {
        let Some(mut hashes) = self.hashes.remove(columns) else { return false };
        keep_suspects(&mut hashes);
        hashes.sort_unstable();
        hashes.windows(2).all(|pair| pair[0] != pair[1])
    }
}

/// Leaves out what is equal to no other for certain, which is nearly all: sorting what is left takes no time. A hash has a place
/// among at least sixteen times as many, and those that are alone at theirs are out.
fn keep_suspects(hashes: &mut Vec<u64>) {
    let places = (hashes.len() * 16).next_power_of_two().max(64);
    let bit = |hash: u64| {
        #[expect(clippy::cast_possible_truncation, reason = "any of its bits will do")]
        let place = (hash ^ (hash >> 32)) as usize & (places - 1);
        (place / 64, 1_u64 << (place % 64))
    };
    let (mut taken, mut shared) = (vec![0_u64; places / 64], vec![0_u64; places / 64]);
    for hash in hashes.iter() {
        let (word, bit) = bit(*hash);
        shared[word] |= taken[word] & bit;
        taken[word] |= bit;
    }
    hashes.retain(|hash| {
        let (word, bit) = bit(*hash);
        shared[word] & bit != 0
    });
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
        Watch { columns: vec![line.clone()], keys: vec![vec![order.clone(), line], vec![order]], conditions: vec![] }
    }

    fn condition(text: &str) -> Option<Condition> {
        let columns = rows(&[Some("a")], &[Some(1)]);
        let table = "core.lines".parse().expect("a name");
        Condition::new(&SessionContext::new(), &table, columns.schema_ref(), text)
    }

    #[test]
    fn rows_that_break_a_condition_are_counted_and_unknown_is_not_broken() {
        let texts =
            ["line > 1", "lines.line BETWEEN 0 AND 1 OR \"order\" = 'b'", "coalesce(line, 0) = 7", "1 / line > 0"];
        let conditions = texts.iter().map(|text| condition(text).expect(text)).collect();
        let watch = Watch { conditions, ..Watch::default() };
        let mut seen = watch.begin();
        seen.add(&rows(&[Some("a"), Some("b"), None], &[Some(1), Some(3), None])).expect("added");
        let mut rest = watch.begin();
        rest.add(&rows(&[Some("a"), Some("c")], &[Some(7), Some(0)])).expect("added");
        seen.join(rest);
        let broken: Vec<_> = texts.iter().map(|text| seen.breaking(text)).collect();
        // Division by zero: nothing is known of it, and whoever asks the table is told.
        assert_eq!(broken, [Some(2), Some(1), Some(4), None]);
        assert_eq!(seen.breaking("line > 2"), None, "was not watched");
    }

    #[test]
    fn what_a_row_alone_does_not_answer_is_no_condition() {
        for text in
            ["line IN (SELECT 1)", "count(line) > 1", "row_number() OVER () > 1", "line", "nothing > 1", "line >"]
        {
            assert!(condition(text).is_none(), "{text}");
        }
        let columns: Vec<String> = condition("line > 1 AND line < 7").expect("a condition").columns().collect();
        assert_eq!(columns, ["line"]);
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
    fn equal_hashes_are_found_among_many() {
        let of_number = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for count in [0, 1, 2, 63, 5_000] {
            let mut alone: Vec<u64> = (0..count).map(of_number).collect();
            keep_suspects(&mut alone);
            assert!(alone.len() <= usize::try_from(count / 8).expect("few"), "{count}: {}", alone.len());
            let mut twice: Vec<u64> = (0..count).chain(0..count.min(3)).map(of_number).collect();
            keep_suspects(&mut twice);
            for n in 0..count.min(3) {
                assert_eq!(twice.iter().filter(|h| **h == of_number(n)).count(), 2, "{n} of {count}");
            }
        }
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
