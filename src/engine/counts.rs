//! `count(DISTINCT text)` with one set for all groups. The engine has one for each group, fills them group by group from copies of the
//! rows, and keeps 24 bytes beside each text where these are nine.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, GenericStringBuilder, Int64Array, ListArray, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::engine::exact::the_rest_is_the_engines;

/// `count`, to be registered over the engine's.
pub(super) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Count { engines: count_udaf() }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Count {
    /// The engine's function, which answers everything but how to count different texts.
    engines: Arc<AggregateUDF>,
}

impl Count {
    fn inner(&self) -> &Arc<dyn AggregateUDFImpl> {
        self.engines.inner()
    }
}

fn of_texts(args: &AccumulatorArgs) -> bool {
    args.is_distinct && matches!(args.expr_fields, [field] if *field.data_type() == DataType::Utf8)
}

impl AggregateUDFImpl for Count {
    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if of_texts(&args) { Ok(Box::new(Single::default())) } else { self.inner().accumulator(args) }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner().create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        of_texts(&args) || self.inner().groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if of_texts(&args) { Ok(Box::new(Groups::default())) } else { self.inner().create_groups_accumulator(args) }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner().state_fields(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner().order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.inner().reverse_expr()
    }

    fn simplify_expr_op_literal(
        &self,
        agg_function: &AggregateFunction,
        arg: &Expr,
        op: Operator,
        lit: &Expr,
        arg_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.inner().simplify_expr_op_literal(agg_function, arg, op, lit, arg_is_left)
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.inner().value_from_stats(args)
    }

    the_rest_is_the_engines!();
}

/// The different texts of groups, as they came.
#[derive(Debug, Default)]
struct Texts {
    places: HashTable<Place>,
    groups: Vec<u32>,
    /// Where each text ends in `bytes`.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u32,
    at: u32,
}

impl Place {
    /// A table looks at the highest bits and the lowest.
    fn spread(self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Texts {
    /// Whether it is the first of its kind in the group.
    fn insert(&mut self, group: u32, text: &[u8]) -> Result<bool> {
        let Self { places, groups, ends, bytes } = self;
        let at = u32::try_from(ends.len())
            .map_err(|_| exec_datafusion_err!("count(DISTINCT …) of more than 4,294,967,295 different texts"))?;
        let place = Place { hash: hash(group, text), at };
        let same = |other: &Place| {
            let at = other.at as usize;
            let from = at.checked_sub(1).map_or(0, |before| ends[before]);
            other.hash == place.hash && groups[at] == group && bytes[from..ends[at]] == *text
        };
        match places.entry(place.spread(), same, |other| other.spread()) {
            Entry::Occupied(_) => Ok(false),
            Entry::Vacant(free) => {
                free.insert(place);
                groups.push(group);
                bytes.extend_from_slice(text);
                ends.push(bytes.len());
                Ok(true)
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut from = 0;
        self.groups.iter().zip(&self.ends).map(move |(group, until)| {
            let text = &self.bytes[std::mem::replace(&mut from, *until)..*until];
            (*group as usize, text)
        })
    }

    fn size(&self) -> usize {
        self.places.capacity() * size_of::<Place>() * 8 / 7
            + self.groups.capacity() * size_of::<u32>()
            + self.ends.capacity() * size_of::<usize>()
            + self.bytes.capacity()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a good hash is one")]
fn hash(group: u32, text: &[u8]) -> u32 {
    let mut hasher = FixedState::with_seed(u64::from(group)).build_hasher();
    hasher.write(text);
    hasher.finish() as u32
}

#[derive(Debug, Default)]
struct Groups {
    texts: Texts,
    counts: Vec<i64>,
}

impl Groups {
    fn insert(&mut self, group: usize, text: &str) -> Result<()> {
        let number = u32::try_from(group)
            .map_err(|_| exec_datafusion_err!("count(DISTINCT …) in more than 4,294,967,296 groups"))?;
        self.counts[group] += i64::from(self.texts.insert(number, text.as_bytes())?);
        Ok(())
    }

    /// The counts of the groups that go, and their texts; those that stay are counted from nought.
    fn emit(&mut self, emit_to: EmitTo) -> Result<(Vec<i64>, Texts)> {
        let counts = emit_to.take_needed(&mut self.counts);
        let texts = std::mem::take(&mut self.texts);
        for (group, text) in texts.iter().filter(|(group, _)| *group >= counts.len()) {
            let number = u32::try_from(group - counts.len()).unwrap_or(u32::MAX);
            self.texts.insert(number, text)?;
        }
        Ok((counts, texts))
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        let texts = values[0].as_string::<i32>();
        let counts = counting(texts, opt_filter);
        for (row, (text, group)) in texts.iter().zip(group_indices).enumerate() {
            if let Some(text) = text.filter(|_| counts.as_ref().is_none_or(|counts| counts.is_valid(row))) {
                self.insert(*group, text)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (counts, _) = self.emit(emit_to)?;
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, texts) = self.emit(emit_to)?;
        let lengths = || counts.iter().map(|count| usize::try_from(*count).unwrap_or(0));
        // Where the next text of each group stands among those of all groups, one group after the other.
        let mut next: Vec<usize> = lengths()
            .scan(0, |from, length| {
                let at = *from;
                *from += length;
                Some(at)
            })
            .collect();
        let mut ordered = vec![[].as_slice(); lengths().sum()];
        for (group, text) in texts.iter().filter(|(group, _)| *group < counts.len()) {
            ordered[next[group]] = text;
            next[group] += 1;
        }
        let mut values = GenericStringBuilder::<i32>::with_capacity(ordered.len(), texts.bytes.len());
        for text in ordered {
            // They came out of a column of texts.
            values.append_value(std::str::from_utf8(text).map_err(|e| exec_datafusion_err!("{e}"))?);
        }
        Ok(vec![lists(OffsetBuffer::from_lengths(lengths()), values.finish())])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        for (texts, group) in values[0].as_list::<i32>().iter().zip(group_indices) {
            for text in texts.iter().flat_map(AsArray::as_string::<i32>).flatten() {
                self.insert(*group, text)?;
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let texts = values[0].as_string::<i32>();
        let counts = counting(texts, opt_filter);
        let counts = |row: usize| texts.is_valid(row) && counts.as_ref().is_none_or(|counts| counts.is_valid(row));
        let lengths = (0..texts.len()).map(|row| usize::from(counts(row)));
        let kept: StringArray =
            texts.iter().enumerate().filter(|(row, _)| counts(*row)).map(|(_, text)| text).collect();
        Ok(vec![lists(OffsetBuffer::from_lengths(lengths), kept)])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.texts.size() + self.counts.capacity() * size_of::<i64>()
    }
}

/// Which rows the filter lets pass; none where it lets pass all.
fn counting(texts: &StringArray, filter: Option<&BooleanArray>) -> Option<NullBuffer> {
    let filter = filter?;
    let passes = filter.values().clone();
    let passes = NullBuffer::new(match filter.nulls() {
        Some(known) => &passes & known.inner(),
        None => passes,
    });
    debug_assert_eq!(passes.len(), texts.len());
    Some(passes)
}

fn lists(offsets: OffsetBuffer<i32>, texts: StringArray) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    Arc::new(ListArray::new(item, offsets, Arc::new(texts), None))
}

/// Where there are no groups.
#[derive(Debug, Default)]
struct Single(Groups);

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.counts.resize(1, 0);
        values[0].as_string::<i32>().iter().flatten().try_for_each(|text| self.0.insert(0, text))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.counts.resize(1, 0);
        Ok(ScalarValue::Int64(self.0.counts.first().copied()))
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.counts.resize(1, 0);
        let lists = self.0.state(EmitTo::All)?;
        lists.iter().map(|lists| ScalarValue::try_from_array(lists, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; states[0].len()];
        self.0.merge_batch(states, &groups, 1)
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::FunctionRegistry;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    struct Row {
        group: i64,
        text: Option<String>,
        passes: Option<bool>,
    }

    fn row() -> impl Strategy<Value = Row> {
        (0_i64..4, proptest::option::of("[ab]{0,3}"), proptest::option::of(any::<bool>()))
            .prop_map(|(group, text, passes)| Row { group, text, passes })
    }

    /// The answers to statements about the rows, by the engine alone or with our `count`.
    fn answers(rows: &[Row], cores: usize, ours: bool) -> String {
        let config = SessionConfig::new().with_target_partitions(cores).with_batch_size(3);
        let context = SessionContext::new_with_config(config);
        if ours {
            context.state_ref().write().register_udaf(function()).expect("registered");
        }
        let quoted = |text: &Option<String>| text.as_ref().map_or("NULL".to_owned(), |text| format!("'{text}'"));
        let values: Vec<String> = rows
            .iter()
            .map(|row| {
                let passes = row.passes.map_or("NULL".to_owned(), |passes| passes.to_string());
                format!("({}, {}, CAST({passes} AS BOOLEAN))", row.group, quoted(&row.text))
            })
            .collect();
        let table = format!("(VALUES {}) AS t (g, x, p)", values.join(", "));
        let asked = async {
            let mut all = String::new();
            for sql in [
                format!("SELECT count(DISTINCT x), count(*), count(x) FROM {table}"),
                format!(
                    "SELECT g, count(DISTINCT x), count(DISTINCT x) FILTER (WHERE p), count(*) FROM {table} GROUP BY g ORDER BY g"
                ),
                // Groups go before all rows are there.
                format!(
                    "SELECT g, count(DISTINCT x), count(*) FROM (SELECT * FROM {table} ORDER BY g) AS s GROUP BY g ORDER BY g"
                ),
                format!("SELECT g, count(DISTINCT x) OVER (PARTITION BY g ORDER BY x) AS n FROM {table} ORDER BY g, n"),
                format!("SELECT count(DISTINCT x) FROM {table} WHERE g > 9"),
            ] {
                let found = context.sql(&sql).await.expect("planned").collect().await.expect("counted");
                all += &pretty_format_batches(&found).expect("shown").to_string();
            }
            all
        };
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime").block_on(asked)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_counts_as_the_engine_does(rows in proptest::collection::vec(row(), 1..40)) {
            for cores in [1, 3] {
                prop_assert_eq!(answers(&rows, cores, true), answers(&rows, cores, false));
            }
        }
    }

    #[test]
    fn groups_that_go_first_take_their_texts_with_them() {
        let mut groups = Groups::default();
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("b"), Some("a"), None, Some("a")]));
        groups.update_batch(&[Arc::clone(&texts)], &[0, 1, 1, 1, 0], None, 2).expect("counted");
        let first = groups.evaluate(EmitTo::First(1)).expect("counts");
        assert_eq!(first.as_primitive::<arrow::datatypes::Int64Type>().values(), &[1]);
        groups.update_batch(&[texts], &[1, 0, 0, 0, 1], None, 2).expect("counted");
        let rest = groups.evaluate(EmitTo::All).expect("counts");
        assert_eq!(rest.as_primitive::<arrow::datatypes::Int64Type>().values(), &[2, 1]);
    }
}
