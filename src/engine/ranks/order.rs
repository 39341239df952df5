//! Rows in an order: sorted once by bytes, and the place of each row among them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, UInt64Array};
use arrow::row::Rows;

/// What is said of a row's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    RowNumber,
    Rank,
    DenseRank,
    PercentRank,
    CumeDist,
    /// In which of so many groups of equal size, the first being one larger where they cannot be.
    Tile(u64),
}

/// A row's number beside the first bytes of its key in which rows differ at all.
type Entry = (u64, u32);

/// What an entry takes.
pub(super) const ENTRY: usize = size_of::<Entry>();

/// The numbers of rows, in order.
pub(super) struct Order {
    rows: Vec<u32>,
    partitions: Vec<Range<usize>>,
    /// Equal rows of a partition.
    peers: Vec<Range<usize>>,
}

impl Order {
    /// Sorts by keys; rows of one partition have equal `partition` keys, with which `keys` begin. Equal rows stay as they stood.
    pub(super) fn new(keys: &Rows, partition: Option<&Rows>) -> Self {
        let start = usual_start(keys);
        let mut entries: Vec<Entry> =
            (0_u32..).zip(keys).map(|(row, key)| (number(key.as_ref(), start), row)).collect();
        let key = |row: u32| keys.row(row as usize);
        entries
            .sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(&key(b.1))).then_with(|| a.1.cmp(&b.1)));
        let peers = ranges(&entries, |a, b| a.0 == b.0 && key(a.1) == key(b.1));
        let partitions = match partition {
            // Entries that differ in their numbers may still be of one partition.
            Some(partition) => ranges(&entries, |a, b| partition.row(a.1 as usize) == partition.row(b.1 as usize)),
            None if entries.is_empty() => vec![],
            None => std::iter::once(0..entries.len()).collect(),
        };
        Self { rows: entries.into_iter().map(|(_, row)| row).collect(), partitions, peers }
    }

    /// The place of every row, in the order in which the rows came.
    pub(super) fn places(&self, place: Place) -> ArrayRef {
        match place {
            Place::PercentRank | Place::CumeDist => {
                let mut values = vec![0.0; self.rows.len()];
                self.each_peers(|partition, _, peers| {
                    let (before, all) = (peers.start - partition.start, partition.len());
                    let value = match place {
                        Place::CumeDist => float(before + peers.len()) / float(all),
                        _ => float(before) / (float(all) - 1.0).max(1.0),
                    };
                    self.put(&mut values, peers, |_| value);
                });
                Arc::new(Float64Array::from(values))
            }
            _ => {
                let mut values = vec![0_u64; self.rows.len()];
                self.each_peers(|partition, nth, peers| {
                    let (start, all) = (partition.start, partition.len());
                    let first = (peers.start - start) as u64;
                    self.put(&mut values, peers, |at| match place {
                        Place::Rank => first + 1,
                        Place::DenseRank => nth,
                        Place::Tile(tiles) => tile((at - start) as u64, all as u64, tiles),
                        _ => (at - start) as u64 + 1,
                    });
                });
                Arc::new(UInt64Array::from(values))
            }
        }
    }

    /// Every run of equal rows, with its partition and how many runs of the partition there are up to it.
    fn each_peers(&self, mut each: impl FnMut(&Range<usize>, u64, &Range<usize>)) {
        let mut peers = self.peers.iter().peekable();
        for partition in &self.partitions {
            let mut nth = 0;
            while let Some(run) = peers.next_if(|run| run.start < partition.end) {
                nth += 1;
                each(partition, nth, run);
            }
        }
    }

    fn put<V>(&self, values: &mut [V], run: &Range<usize>, value: impl Fn(usize) -> V) {
        for at in run.clone() {
            values[self.rows[at] as usize] = value(at);
        }
    }
}

/// The first bytes that all keys share but those of the rarer kinds: a key says with its first byte whether its first value is
/// missing, and if a few such keys counted, there would be nothing that all share, and no eight bytes that tell keys apart.
fn usual_start(keys: &Rows) -> &[u8] {
    let mut kinds = [0_usize; 256];
    for key in keys {
        if let Some(kind) = key.data().first() {
            kinds[usize::from(*kind)] += 1;
        }
    }
    let usual = (0..=u8::MAX).max_by_key(|kind| kinds[usize::from(*kind)]);
    let mut alike = keys.iter().map(|key| key.data()).filter(|key| key.first().copied() == usual);
    let Some(first) = alike.next() else { return &[] };
    let common = alike.fold(first.len(), |common, key| {
        let start = &first[..common];
        if key.starts_with(start) { common } else { start.iter().zip(key).take_while(|(a, b)| a == b).count() }
    });
    &first[..common]
}

/// The eight bytes after the usual start as a number that compares like them; what is missing counts as zeros. Keys that start
/// otherwise are before or after all that do not. Keys that tie are compared whole.
fn number(key: &[u8], start: &[u8]) -> u64 {
    let Some(rest) = key.strip_prefix(start) else { return if key < start { 0 } else { u64::MAX } };
    let mut eight = [0; 8];
    let length = rest.len().min(8);
    eight[..length].copy_from_slice(&rest[..length]);
    u64::from_be_bytes(eight)
}

/// Runs of neighbours that are the same.
fn ranges(entries: &[Entry], same: impl Fn(&Entry, &Entry) -> bool) -> Vec<Range<usize>> {
    let mut start = 0;
    let runs = entries.chunk_by(same).map(|run| {
        let range = start..start + run.len();
        start = range.end;
        range
    });
    runs.collect()
}

/// Groups as equal as can be: the first ones hold a row more where the rows do not divide.
fn tile(at: u64, all: u64, tiles: u64) -> u64 {
    let (size, larger) = (all / tiles, all % tiles);
    match at.checked_sub(larger * (size + 1)) {
        None => at / (size + 1) + 1,
        Some(after) => larger + after / size.max(1) + 1,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a batch holds fewer than 2^32 rows")]
fn float(count: usize) -> f64 {
    count as f64
}
