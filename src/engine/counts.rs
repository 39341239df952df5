//! `count(DISTINCT text)` with one set for all groups, of 128 bits of hash instead of texts, as `uniqExact` of `ClickHouse` has it: among a
//! billion different texts two are taken for one with a chance below 1 in 10^20. The engine has a set of texts for each group, fills them
//! group by group from copies of the rows, and hands all of the texts from one half of an aggregate to the other.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
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
        if !args.is_distinct || args.input_fields.first().is_none_or(|field| *field.data_type() != DataType::Utf8) {
            return self.inner().state_fields(args);
        }
        let item = Field::new_list_field(BITS, true);
        Ok(vec![Arc::new(Field::new_list(format_state_name(args.name, "count distinct"), item, false))])
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

/// One text in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    hash: [u32; 4],
    group: u32,
}

impl Text {
    fn new(group: u32, text: &str) -> Self {
        let hash = |seed| {
            let mut hasher = FixedState::with_seed(seed).build_hasher();
            hasher.write(text.as_bytes());
            u128::from(hasher.finish())
        };
        Self::of(hash(FIRST) | hash(SECOND) << 64, group)
    }

    fn of(bits: u128, group: u32) -> Self {
        let word = |at: u32| u32::try_from(bits >> (32 * at) & 0xFFFF_FFFF).unwrap_or(0);
        Self { hash: [word(0), word(1), word(2), word(3)], group }
    }

    fn bits(self) -> u128 {
        self.hash.iter().rev().fold(0, |bits, word| bits << 32 | u128::from(*word))
    }

    /// Where it stands in a table.
    fn place(self) -> u64 {
        let half = u64::from(self.hash[0]) | u64::from(self.hash[1]) << 32;
        half ^ u64::from(self.group).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// Any two numbers.
const FIRST: u64 = 0x243F_6A88_85A3_08D3;
const SECOND: u64 = 0x1319_8A2E_0370_7344;

#[derive(Debug, Default)]
struct Groups {
    texts: HashTable<Text>,
    counts: Vec<i64>,
}

impl Groups {
    /// Hashes of a batch are made before any is looked for, so that the memory they lead to is waited for side by side.
    fn insert(&mut self, batch: &[Text]) {
        for text in batch {
            if let Entry::Vacant(free) = self.texts.entry(text.place(), |other| other == text, |other| other.place()) {
                free.insert(*text);
                self.counts[text.group as usize] += 1;
            }
        }
    }

    /// The counts of the groups that go, and their texts.
    fn emit(&mut self, emit_to: EmitTo) -> (Vec<i64>, HashTable<Text>) {
        let counts = emit_to.take_needed(&mut self.counts);
        let texts = std::mem::take(&mut self.texts);
        let gone = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        for text in texts.iter().filter(|text| text.group >= gone) {
            let text = Text { group: text.group - gone, ..*text };
            self.texts.insert_unique(text.place(), text, |other| other.place());
        }
        (counts, texts)
    }
}

fn number(group: usize) -> Result<u32> {
    u32::try_from(group).map_err(|_| exec_datafusion_err!("count(DISTINCT …) in more than 4,294,967,296 groups"))
}

/// The texts of the rows that are there and pass the filter.
fn counting<'t>(
    texts: &'t StringArray,
    filter: Option<&'t BooleanArray>,
) -> impl Iterator<Item = (usize, Option<&'t str>)> {
    let passes = move |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
    texts.iter().enumerate().map(move |(row, text)| (row, text.filter(|_| passes(row))))
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
        let there = counting(values[0].as_string(), opt_filter);
        let there = there.filter_map(|(row, text)| Some((group_indices[row], text?)));
        let batch: Vec<Text> = there.map(|(group, text)| Ok(Text::new(number(group)?, text))).collect::<Result<_>>()?;
        self.insert(&batch);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (counts, _) = self.emit(emit_to);
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, texts) = self.emit(emit_to);
        let lengths = || counts.iter().map(|count| usize::try_from(*count).unwrap_or(0));
        // Where the next text of each group stands among those of all groups, one group after the other.
        let mut next: Vec<usize> = lengths()
            .scan(0, |from, length| {
                let at = *from;
                *from += length;
                Some(at)
            })
            .collect();
        let mut hashes = vec![0; lengths().sum()];
        for text in texts.iter().filter(|text| (text.group as usize) < counts.len()) {
            let at = &mut next[text.group as usize];
            hashes[*at] = text.bits().cast_signed();
            *at += 1;
        }
        Ok(vec![lists(OffsetBuffer::from_lengths(lengths()), hashes)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        for (hashes, group) in values[0].as_list::<i32>().iter().zip(group_indices) {
            let (Some(hashes), group) = (hashes, number(*group)?) else { continue };
            let hashes = hashes.as_primitive::<Decimal128Type>().values();
            for some in hashes.chunks(BATCH) {
                let batch: Vec<Text> = some.iter().map(|bits| Text::of(bits.cast_unsigned(), group)).collect();
                self.insert(&batch);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let texts = || counting(values[0].as_string(), opt_filter).map(|(_, text)| text);
        let lengths = texts().map(|text| usize::from(text.is_some()));
        let hashes = texts().flatten().map(|text| Text::new(0, text).bits().cast_signed());
        Ok(vec![lists(OffsetBuffer::from_lengths(lengths), hashes.collect())])
    }

    fn size(&self) -> usize {
        // A byte beside each place, and at most seven of eight places are taken.
        let texts = self.texts.capacity() * (size_of::<Text>() + 1) * 8 / 7;
        size_of::<Self>() + texts + self.counts.capacity() * size_of::<i64>()
    }
}

/// Hashes that are looked for side by side.
const BATCH: usize = 4096;

/// Hashes as what Arrow has of 128 bits.
const BITS: DataType = DataType::Decimal128(38, 0);

fn lists(offsets: OffsetBuffer<i32>, hashes: Vec<i128>) -> ArrayRef {
    let hashes = Decimal128Array::from(hashes).with_data_type(BITS);
    Arc::new(ListArray::new(Arc::new(Field::new_list_field(BITS, true)), offsets, Arc::new(hashes), None))
}

/// Where there are no groups.
#[derive(Debug, Default)]
struct Single(Groups);

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.counts.resize(1, 0);
        let batch: Vec<Text> = values[0].as_string::<i32>().iter().flatten().map(|text| Text::new(0, text)).collect();
        self.0.insert(&batch);
        Ok(())
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
        // A view of a text is left to the engine, which would be compared with itself.
        let values = format!("(VALUES {}) AS v (g, x, p)", values.join(", "));
        let table = format!("(SELECT g, arrow_cast(x, 'Utf8') AS x, p FROM {values}) AS t");
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
