//! Things that are often together, as an aggregate: baskets and their items in, frequent pairs out, by counting and without a join.

use std::hash::BuildHasher;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StructArray, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, UInt32Type};
use datafusion::common::{Result, ScalarValue, exec_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::fit::{list, literal_number};
use super::numeric::signature;

const NAME: &str = "frequent_pairs";

/// The code of an item that is not known: its basket counts all the same.
const NOTHING: u32 = u32::MAX;

pub(super) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(FrequentPairs { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FrequentPairs {
    signature: Signature,
}

impl AggregateUDFImpl for FrequentPairs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields()), true))))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [names @ .., least] = types else { return plan_err!("{} was given no arguments", signature(NAME)) };
        if names.len() != 2 {
            return plan_err!("{} was given {} arguments", signature(NAME), types.len());
        }
        if let Some(wrong) = names.iter().find(|t| !t.is_string() && !t.is_integer() && !t.is_null()) {
            return plan_err!("{} takes texts or whole numbers, and was given {wrong}", signature(NAME));
        }
        if !least.is_numeric() {
            return plan_err!("{} takes the least number of baskets, and was given {least}", signature(NAME));
        }
        Ok(vec![DataType::Utf8, DataType::Utf8, DataType::Int64])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("{NAME} counts an item once a basket, so it has no DISTINCT");
        }
        let least = literal_number(NAME, &args.exprs[2])?;
        if !(1.0..=f64::from(u32::MAX)).contains(&least) {
            return plan_err!("{}: the least number of baskets is at least 1, not {least}", signature(NAME));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the bounds above")]
        let least = least.ceil() as u32;
        Ok(Box::new(Gathered { least, ..Gathered::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let parts = [
            ("baskets", DataType::Utf8),
            ("items", DataType::Utf8),
            ("basket", DataType::UInt32),
            ("item", DataType::UInt32),
        ];
        let fields = parts.into_iter().map(|(part, kind)| {
            let element = Field::new_list_field(kind, true);
            Arc::new(Field::new_list(format_state_name(args.name, part), element, true))
        });
        Ok(fields.collect())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn fields() -> Fields {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    vec![text("a"), text("b"), count("together"), count("baskets_a"), count("baskets_b"), count("baskets")].into()
}

/// Different texts, numbered in the order they came.
#[derive(Debug, Default)]
struct Names {
    text: String,
    ends: Vec<usize>,
    by_text: HashTable<u32>,
}

impl Names {
    fn get(&self, code: u32) -> &str {
        get(&self.text, &self.ends, code)
    }

    fn code(&mut self, name: &str) -> Result<u32> {
        let hashes = FixedState::default();
        let (text, ends) = (&self.text, &self.ends);
        let found = self.by_text.find(hashes.hash_one(name), |code| get(text, ends, *code) == name);
        if let Some(code) = found {
            return Ok(*code);
        }
        let code = match u32::try_from(self.ends.len()) {
            Ok(code) if code != NOTHING => code,
            _ => return exec_err!("{}: more than {NOTHING} different texts", signature(NAME)),
        };
        self.text.push_str(name);
        self.ends.push(self.text.len());
        let (text, ends) = (&self.text, &self.ends);
        let hash = |code: &u32| hashes.hash_one(get(text, ends, *code));
        self.by_text.insert_unique(hashes.hash_one(name), code, hash);
        Ok(code)
    }

    fn all(&self) -> StringArray {
        (0_u32..).take(self.ends.len()).map(|code| Some(self.get(code))).collect()
    }

    fn size(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<usize>() + self.by_text.allocation_size()
    }
}

fn get<'t>(text: &'t str, ends: &[usize], code: u32) -> &'t str {
    let at = code as usize;
    &text[if at == 0 { 0 } else { ends[at - 1] }..ends[at]]
}

/// The rows so far, in no order and with their repetitions.
#[derive(Debug, Default)]
struct Gathered {
    least: u32,
    baskets: Names,
    items: Names,
    /// Codes of a basket and an item of it.
    rows: Vec<(u32, u32)>,
}

impl Gathered {
    fn add(&mut self, baskets: &StringArray, items: &StringArray) -> Result<()> {
        // Rows of a basket mostly come one after another.
        let mut last: Option<(&str, u32)> = None;
        for (basket, item) in baskets.iter().zip(items) {
            let Some(basket) = basket else { continue };
            let code = match last {
                Some((name, code)) if name == basket => code,
                _ => self.baskets.code(basket)?,
            };
            last = Some((basket, code));
            let item = item.map_or(Ok(NOTHING), |item| self.items.code(item))?;
            self.rows.push((code, item));
        }
        Ok(())
    }

    /// Baskets as ascending lists of items, each once.
    fn lists(&self) -> Lists {
        let mut ends = vec![0_usize; self.baskets.ends.len() + 1];
        let known = || self.rows.iter().filter(|(_, item)| *item != NOTHING);
        for (basket, _) in known() {
            ends[*basket as usize + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut next = ends.clone();
        let mut items = vec![0; known().count()];
        for (basket, item) in known() {
            let at = &mut next[*basket as usize];
            items[*at] = *item;
            *at += 1;
        }
        let mut lists = Lists { items: Vec::with_capacity(items.len()), ends: Vec::with_capacity(ends.len()) };
        for bounds in ends.windows(2) {
            let of_one = &mut items[bounds[0]..bounds[1]];
            of_one.sort_unstable();
            lists.push(of_one.chunk_by(|a, b| a == b).map(|same| same[0]));
        }
        lists
    }
}

/// One list of numbers a basket.
#[derive(Debug, Default)]
struct Lists {
    items: Vec<u32>,
    ends: Vec<usize>,
}

impl Lists {
    fn push(&mut self, items: impl Iterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(self.items.len());
    }

    fn of(&self, at: usize) -> &[u32] {
        &self.items[if at == 0 { 0 } else { self.ends[at - 1] }..self.ends[at]]
    }

    fn counts(&self, different: usize) -> Vec<u32> {
        let mut counts = vec![0; different];
        for item in &self.items {
            counts[*item as usize] += 1;
        }
        counts
    }
}

struct Pair {
    a: u32,
    b: u32,
    together: u32,
}

/// Pairs of items that are in at least so many lists, the lower number first, in order. Each item is in as many lists as
/// `counts` says.
///
/// One item after another, what comes after it in its lists is counted: the counts of one item stay in the processor's cache,
/// whereas pairs of all items, written out and grouped, are millions of rows.
fn frequent(lists: &Lists, counts: &[u32], least: u32) -> Vec<Pair> {
    let mut starts = Vec::with_capacity(counts.len() + 1);
    starts.push(0_usize);
    for count in counts {
        starts.push(starts[starts.len() - 1] + *count as usize);
    }
    // Where each item stands, and where its list ends.
    let mut next = starts.clone();
    let mut places = vec![(0, 0); lists.items.len()];
    let mut start = 0;
    for end in &lists.ends {
        for at in start..*end {
            let place = &mut next[lists.items[at] as usize];
            places[*place] = (at + 1, *end);
            *place += 1;
        }
        start = *end;
    }
    let mut found = Vec::new();
    let mut together = vec![0_u32; counts.len()];
    for (a, bounds) in (0_u32..).zip(starts.windows(2)) {
        let after = || places[bounds[0]..bounds[1]].iter().flat_map(|(from, to)| &lists.items[*from..*to]);
        let first = found.len();
        for b in after() {
            let count = &mut together[*b as usize];
            *count += 1;
            if *count == least {
                found.push(Pair { a, b: *b, together: 0 });
            }
        }
        for pair in &mut found[first..] {
            pair.together = together[pair.b as usize];
        }
        found[first..].sort_unstable_by_key(|pair| pair.b);
        for b in after() {
            together[*b as usize] = 0;
        }
    }
    found
}

impl Accumulator for Gathered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_string(), values[1].as_string())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let lists = self.lists();
        let counts = lists.counts(self.items.ends.len());
        // A pair is in no more baskets than either of its items.
        let often = (0_u32..).zip(&counts).filter(|(_, count)| **count >= self.least);
        let mut names: Vec<u32> = often.map(|(item, _)| item).collect();
        names.sort_unstable_by_key(|item| self.items.get(*item));
        let mut numbers = vec![NOTHING; counts.len()];
        for (number, item) in (0_u32..).zip(&names) {
            numbers[*item as usize] = number;
        }
        let mut kept = Lists::default();
        let mut of_one = Vec::new();
        for basket in 0..lists.ends.len() {
            of_one.clear();
            of_one.extend(lists.of(basket).iter().map(|item| numbers[*item as usize]).filter(|n| *n != NOTHING));
            of_one.sort_unstable();
            kept.push(of_one.iter().copied());
        }
        let counts: Vec<u32> = names.iter().map(|item| counts[*item as usize]).collect();
        let pairs = frequent(&kept, &counts, self.least);
        let name = |number: u32| Some(self.items.get(names[number as usize]));
        let baskets = i64::try_from(self.baskets.ends.len()).unwrap_or(i64::MAX);
        let number = |of: &dyn Fn(&Pair) -> u32| -> ArrayRef {
            Arc::new(pairs.iter().map(|pair| Some(i64::from(of(pair)))).collect::<Int64Array>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(pairs.iter().map(|pair| name(pair.a)).collect::<StringArray>()),
            Arc::new(pairs.iter().map(|pair| name(pair.b)).collect::<StringArray>()),
            number(&|pair: &Pair| pair.together),
            number(&|pair: &Pair| counts[pair.a as usize]),
            number(&|pair: &Pair| counts[pair.b as usize]),
            Arc::new(Int64Array::from(vec![baskets; pairs.len()])),
        ];
        Ok(list(Arc::new(StructArray::try_new(fields(), columns, None)?)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.baskets.size() + self.items.size() + self.rows.capacity() * size_of::<(u32, u32)>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (baskets, items): (Vec<u32>, Vec<u32>) = self.rows.iter().copied().unzip();
        let (baskets, items): (ArrayRef, ArrayRef) =
            (Arc::new(UInt32Array::from(baskets)), Arc::new(UInt32Array::from(items)));
        Ok(vec![list(Arc::new(self.baskets.all())), list(Arc::new(self.items.all())), list(baskets), list(items)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let parts: Vec<_> = states.iter().map(AsArray::as_list::<i32>).collect();
        for row in (0..states[0].len()).filter(|row| parts[0].is_valid(*row)) {
            let names = |part: usize| parts[part].value(row);
            let (baskets, items) = (names(0), names(1));
            let baskets: Vec<u32> =
                baskets.as_string::<i32>().iter().flatten().map(|n| self.baskets.code(n)).collect::<Result<_>>()?;
            let items: Vec<u32> =
                items.as_string::<i32>().iter().flatten().map(|n| self.items.code(n)).collect::<Result<_>>()?;
            let (of_baskets, of_items) = (names(2), names(3));
            let rows = of_baskets.as_primitive::<UInt32Type>().values().iter();
            self.rows.extend(rows.zip(of_items.as_primitive::<UInt32Type>().values()).map(|(basket, item)| {
                (baskets[*basket as usize], items.get(*item as usize).copied().unwrap_or(NOTHING))
            }));
        }
        Ok(())
    }
}
