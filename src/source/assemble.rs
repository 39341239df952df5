//! A source's landed exports → `raw.<source>`: which rows count when a key comes back. Writes only the list of the others.
//!
//! Repeated keys are few, so nothing is sorted but they: the hashes beside the rows say which rows may share a key, and
//! only those rows' keys are read and compared. Memory is about 12 bytes a row.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, new_empty_array,
};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, UInt64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::errors::ParquetError;

use super::reader::read;
use super::writer::write_small;
use super::{KEY_COLUMN, LINE_COLUMN, SourceError, schema};
use crate::base::Fingerprint;
use crate::config::{Keep, Source};
use crate::lake::{Balance, DataFile, RawExport, RawTable};

/// Files read at once.
const FILES: usize = 8;
/// Rows whose keys are held in memory at once.
const COMPARED: usize = 1 << 20;

/// The rows of `raw.<source>`, made of these exports: all visible ones of an appending source, the one that counts of a
/// full one.
pub async fn assemble(
    lake: &Arc<dyn ObjectStore>,
    source: &Source,
    fingerprint: Fingerprint,
    attempt: &str,
    landed: &[RawExport],
) -> Result<RawTable, SourceError> {
    let mut landed: Vec<&RawExport> = landed.iter().collect();
    landed.sort_by(|a, b| (a.date, &a.path).cmp(&(b.date, &b.path)));

    let dropped = if source.key.is_empty() { Vec::new() } else { repeats(lake, source, &landed).await? };
    let deduplicated = dropped.len() as u64;
    let file = if dropped.is_empty() {
        None
    } else {
        let path = format!("tables/raw.{}/{fingerprint}/{attempt}/dropped.parquet", source.name);
        let batch = dropped_batch(&files_of(&landed), &dropped).map_err(|e| unwritable(&path, e.into()))?;
        Some(write_small(lake, path.clone(), &batch).await.map_err(|cause| unwritable(&path, cause))?)
    };
    let balance = Balance {
        read: landed.iter().map(|l| l.rows_read).sum(),
        landed: landed.iter().map(|l| rows_landed(l)).sum::<u64>() - deduplicated,
        quarantined: landed.iter().map(|l| l.rows_quarantined).sum(),
        deduplicated,
    };
    if !balance.holds() {
        return Err(SourceError::Balance { of: source.name.clone(), path: format!("raw.{}", source.name), balance });
    }
    Ok(RawTable {
        fingerprint,
        source: source.name.clone(),
        exports: landed.into_iter().cloned().collect(),
        balance,
        dropped: file,
    })
}

fn rows_landed(export: &RawExport) -> u64 {
    export.files.iter().map(|f| f.rows).sum()
}

/// The rows to skip: for each file its row numbers, counted from zero, ascending.
pub async fn dropped_rows(
    lake: &Arc<dyn ObjectStore>,
    file: &DataFile,
) -> Result<BTreeMap<String, Vec<u64>>, SourceError> {
    let batches = read(lake, file, &["file", "row"], None).await?;
    let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for batch in batches {
        let paths = cast(batch.column(0), &DataType::Utf8).map_err(|e| unreadable(&file.path, e.into()))?;
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        for (path, row) in paths.as_string::<i32>().iter().zip(numbers.values()) {
            let row = u64::try_from(*row).unwrap_or(0);
            match path.and_then(|path| rows.get_mut(path)) {
                Some(of_file) => of_file.push(row),
                None => {
                    rows.insert(path.unwrap_or_default().to_owned(), vec![row]);
                }
            }
        }
    }
    for of_file in rows.values_mut() {
        of_file.sort_unstable();
    }
    Ok(rows)
}

/// A landed file and the export it belongs to.
#[derive(Clone, Copy)]
struct File<'a> {
    export: &'a str,
    data: &'a DataFile,
    /// The number of its first row among all rows in order of export, then line.
    first: u64,
}

fn files_of<'a>(landed: &[&'a RawExport]) -> Vec<File<'a>> {
    let mut first = 0;
    let mut files = Vec::new();
    for one in landed {
        for file in &one.files {
            files.push(File { export: &one.path, data: file, first });
            first += file.rows;
        }
    }
    files
}

/// A row that another with the same key replaces; rows are numbered over all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Dropped {
    row: u64,
    line: i64,
    winner: u64,
    winner_line: i64,
}

async fn repeats(
    lake: &Arc<dyn ObjectStore>,
    source: &Source,
    landed: &[&RawExport],
) -> Result<Vec<Dropped>, SourceError> {
    let files = files_of(landed);
    let mut hashes: Vec<u64> =
        Vec::with_capacity(landed.iter().map(|l| usize::try_from(rows_landed(l)).unwrap_or(0)).sum());
    // Collected first: a stream that maps references is not provably `Send`, and a run works on several threads.
    let reads: Vec<_> = files.iter().map(|file| read(lake, file.data, &[KEY_COLUMN], None)).collect();
    let mut columns = stream::iter(reads).buffered(FILES);
    while let Some(batches) = columns.try_next().await? {
        for batch in batches {
            hashes.extend_from_slice(batch.column(0).as_primitive::<UInt64Type>().values());
        }
    }
    let candidates = same_hash(&hashes);
    drop(hashes);

    let mut dropped = Vec::new();
    // Rows of one hash stay together, so each share can be decided by itself.
    let mut rest = candidates.as_slice();
    while !rest.is_empty() {
        let mut end = rest.len().min(COMPARED);
        while end < rest.len() && rest[end].0 == rest[end - 1].0 {
            end += 1;
        }
        let (share, later) = rest.split_at(end);
        dropped.extend(decide(lake, source, &files, share).await?);
        rest = later;
    }
    dropped.sort_unstable();
    Ok(dropped)
}

/// Hash and number of every row whose hash another row has too, by hash, then number.
fn same_hash(hashes: &[u64]) -> Vec<(u64, u64)> {
    // One bit for each sixteenth of a row: nearly all rows are alone with their bit and are done after one look.
    let bits = (hashes.len().max(64) * 16).next_power_of_two();
    let shift = 64 - bits.trailing_zeros();
    let mut seen = vec![0u64; bits / 64];
    let mut again = vec![0u64; bits / 64];
    let place = |hash: u64| {
        // The shift leaves fewer bits than the bitmaps have.
        let bit = usize::try_from(hash >> shift).unwrap_or(0);
        (bit / 64, 1u64 << (bit % 64))
    };
    for hash in hashes {
        let (word, bit) = place(*hash);
        again[word] |= seen[word] & bit;
        seen[word] |= bit;
    }
    drop(seen);
    let mut rows: Vec<(u64, u64)> = hashes
        .iter()
        .zip(0u64..)
        .filter(|(hash, _)| {
            let (word, bit) = place(**hash);
            again[word] & bit != 0
        })
        .map(|(hash, row)| (*hash, row))
        .collect();
    rows.sort_unstable();
    rows.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1).flatten().copied().collect()
}

/// A row that may share its key with another.
struct Candidate {
    key: OwnedRow,
    /// The column that decides, where one does.
    rank: Option<OwnedRow>,
    row: u64,
    line: i64,
}

/// Compares real keys and says which rows lose.
async fn decide(
    lake: &Arc<dyn ObjectStore>,
    source: &Source,
    files: &[File<'_>],
    share: &[(u64, u64)],
) -> Result<Vec<Dropped>, SourceError> {
    let mut numbers: Vec<u64> = share.iter().map(|(_, row)| *row).collect();
    numbers.sort_unstable();
    let mut candidates = fetch(lake, source, files, &numbers).await?;
    candidates.sort_unstable_by(|a, b| a.key.cmp(&b.key).then(a.row.cmp(&b.row)));
    let mut dropped = Vec::new();
    for group in candidates.chunk_by(|a, b| a.key == b.key) {
        let winner = match &source.keep {
            Keep::First => group.first(),
            Keep::Last => group.last(),
            // Of equal ones `max_by` gives the last and `min_by` the first, as promised.
            Keep::Latest(_) => group.iter().max_by(|a, b| a.rank.cmp(&b.rank)),
            Keep::Earliest(_) => group.iter().min_by(|a, b| a.rank.cmp(&b.rank)),
        };
        let Some(winner) = winner else { continue };
        let losers = group.iter().filter(|one| one.row.cmp(&winner.row) != Ordering::Equal);
        dropped.extend(losers.map(|one| Dropped {
            row: one.row,
            line: one.line,
            winner: winner.row,
            winner_line: winner.line,
        }));
    }
    Ok(dropped)
}

async fn fetch(
    lake: &Arc<dyn ObjectStore>,
    source: &Source,
    files: &[File<'_>],
    numbers: &[u64],
) -> Result<Vec<Candidate>, SourceError> {
    let broken = |e: arrow::error::ArrowError| unreadable(&format!("landed/{}", source.name), e.into());
    let table = schema(source);
    let sort_field = |name: &str, options| {
        let found = table.field_with_name(name).map(|f| SortField::new_with_options(f.data_type().clone(), options));
        found.map_err(broken)
    };
    let rank = match &source.keep {
        // A row without the deciding value loses to any that has one.
        Keep::Latest(column) => Some((column, SortOptions { descending: false, nulls_first: true })),
        Keep::Earliest(column) => Some((column, SortOptions { descending: false, nulls_first: false })),
        Keep::First | Keep::Last => None,
    };
    let key_fields = source.key.iter().map(|k| sort_field(k, SortOptions::default())).collect::<Result<Vec<_>, _>>()?;
    let keys = RowConverter::new(key_fields).map_err(broken)?;
    let rank_field = rank.map(|(column, options)| sort_field(column, options)).transpose()?;
    let constant = || SortField::new(DataType::Boolean);
    let ranks = RowConverter::new(vec![rank_field.unwrap_or_else(constant)]).map_err(broken)?;

    let mut names: Vec<&str> = source.key.iter().map(String::as_str).collect();
    names.push(LINE_COLUMN);
    names.extend(rank.map(|(column, _)| column.as_str()));

    let wanted = files.iter().filter_map(|file| {
        let from = numbers.partition_point(|n| *n < file.first);
        let to = numbers.partition_point(|n| *n < file.first + file.data.rows);
        (from < to).then(|| (*file, &numbers[from..to]))
    });
    let names = names.as_slice();
    let reads: Vec<_> = wanted
        .map(|(file, numbers)| async move {
            let batches = read(lake, file.data, names, Some(selection(numbers, file.first, file.data.rows))).await?;
            Ok::<_, SourceError>((numbers, batches))
        })
        .collect();
    let mut reads = stream::iter(reads).buffered(FILES);
    let mut candidates = Vec::with_capacity(numbers.len());
    while let Some((numbers, batches)) = reads.try_next().await? {
        let mut numbers = numbers.iter();
        for batch in batches {
            let column =
                |name: &str| batch.column_by_name(name).cloned().unwrap_or_else(|| new_empty_array(&DataType::Null));
            let key: Vec<ArrayRef> = source.key.iter().map(|k| column(k)).collect();
            let key = keys.convert_columns(&key).map_err(broken)?;
            let rank = rank.map(|(name, _)| ranks.convert_columns(&[column(name)])).transpose().map_err(broken)?;
            let lines = column(LINE_COLUMN);
            let lines = lines.as_primitive::<Int64Type>();
            for (at, row) in (0..batch.num_rows()).zip(numbers.by_ref()) {
                let rank = rank.as_ref().map(|rank| rank.row(at).owned());
                candidates.push(Candidate { key: key.row(at).owned(), rank, row: *row, line: lines.value(at) });
            }
        }
    }
    Ok(candidates)
}

/// Picks single rows of a file.
fn selection(numbers: &[u64], first: u64, rows: u64) -> RowSelection {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut selectors = Vec::new();
    let mut at = 0;
    for number in numbers {
        let row = number - first;
        if row > at {
            selectors.push(RowSelector::skip(count(row - at)));
        }
        selectors.push(RowSelector::select(1));
        at = row + 1;
    }
    if at < rows {
        selectors.push(RowSelector::skip(count(rows - at)));
    }
    RowSelection::from(selectors)
}

fn dropped_batch(files: &[File<'_>], dropped: &[Dropped]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let file_of = |row: u64| files.partition_point(|file| file.first <= row).saturating_sub(1);
    let paths: ArrayRef = Arc::new(StringArray::from_iter_values(files.iter().map(|f| f.data.path.as_str())));
    let exports: ArrayRef = Arc::new(StringArray::from_iter_values(files.iter().map(|f| f.export)));
    let words = |row: fn(&Dropped) -> u64, values: &ArrayRef| -> Result<ArrayRef, arrow::error::ArrowError> {
        let indices = dropped.iter().map(|d| i32::try_from(file_of(row(d))).unwrap_or(i32::MAX));
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from_iter_values(indices), Arc::clone(values))?))
    };
    let number = |value: &dyn Fn(&Dropped) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(dropped.iter().map(value)))
    };
    let in_file = |d: &Dropped| i64::try_from(d.row - files[file_of(d.row)].first).unwrap_or(i64::MAX);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("file", words(|d| d.row, &paths)?),
        ("row", number(&in_file)),
        ("_export", words(|d| d.row, &exports)?),
        ("_line", number(&|d| d.line)),
        ("winner_export", words(|d| d.winner, &exports)?),
        ("winner_line", number(&|d| d.winner_line)),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), false)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, c)| c).collect())
}

fn unreadable(path: &str, cause: ParquetError) -> SourceError {
    SourceError::Parquet { doing: "read", path: path.to_owned(), cause }
}

fn unwritable(path: &str, cause: ParquetError) -> SourceError {
    SourceError::Parquet { doing: "write", path: path.to_owned(), cause }
}
