//! One export → its rows in the lake. Reading, typing and writing run side by side, and the rows keep the file's order.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use encoding_rs::Encoding;
use object_store::path::Path;
use object_store::{GetOptions, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::errors::ParquetError;
use tokio::task::{JoinHandle, spawn_blocking};

use super::SourceError;
use super::columns::readers;
use super::feed::{self, Feed};
use super::header::layout;
use super::output::Output;
use super::quarantine::BadRow;
use super::segment::{Batches, Reading};
use super::splitter::{LIMITS, Limits, Segment, Splitter};
use super::writer::{Group, Shape};
use crate::base::Fingerprint;
use crate::config::Source;
use crate::lake::Landed;
use crate::plan::Export;

/// Where exports come from and where their rows go.
#[derive(Debug, Clone, Copy)]
pub struct Landing<'a> {
    pub lake: &'a Arc<dyn ObjectStore>,
    pub exports: &'a Arc<dyn ObjectStore>,
    pub source: &'a Source,
    /// Names this try, so that two at once never write the same file.
    pub attempt: &'a str,
    /// How many segments are typed and encoded at once; at most two more are waiting.
    pub cores: usize,
}

/// Row groups end with a segment, or after so many rows.
const GROUP_ROWS: u64 = 256 * 1024;

/// Lands an export. What is written is complete and named by nobody; an export without rows has a file without rows.
pub async fn land(landing: &Landing<'_>, export: &Export, fingerprint: Fingerprint) -> Result<Landed, SourceError> {
    land_with(landing, export, fingerprint, LIMITS).await
}

pub(super) async fn land_with(
    landing: &Landing<'_>,
    export: &Export,
    fingerprint: Fingerprint,
    limits: Limits,
) -> Result<Landed, SourceError> {
    let source = landing.source;
    let encoding = Encoding::for_label(source.format.encoding.as_bytes()).ok_or_else(|| SourceError::Contract {
        of: source.name.clone(),
        what: format!("`{}` is not an encoding", source.format.encoding),
    })?;
    let readers = Arc::new(readers(source)?);

    let path = Path::parse(&export.path).map_err(|e| SourceError::of_export(&source.name, &export.path, e.into()))?;
    let options = GetOptions { if_match: export.e_tag.clone(), ..GetOptions::default() };
    let of_export = |cause| SourceError::of_export(&source.name, &export.path, cause);
    let object = landing.exports.get_opts(&path, options).await.map_err(of_export)?;
    as_listed(source, export, &object.meta)?;
    let local = matches!(object.payload, GetResultPayload::File(..));
    let splitter = Splitter::new(Feed::new(feed::blocking(object), encoding), &source.format, limits);

    let mut output = Output::new(landing, export, fingerprint);
    let outcome = async {
        let read_bytes = pass(landing, export, readers, splitter, &mut output).await?;
        if read_bytes != export.size_bytes {
            return Err(changed(source, export));
        }
        if local {
            // A file can be overwritten while it is open; an object cannot.
            as_listed(source, export, &landing.exports.head(&path).await.map_err(of_export)?)?;
        }
        output.finish().await
    }
    .await;
    match outcome {
        Ok(landed) => Ok(landed),
        Err(error) => {
            output.abort().await;
            Err(error)
        }
    }
}

fn as_listed(source: &Source, export: &Export, meta: &ObjectMeta) -> Result<(), SourceError> {
    let same_version = match (&export.e_tag, &meta.e_tag) {
        (Some(listed), Some(read)) => listed == read,
        // A listing has parts of a second, the header of an answer has none.
        _ => export.modified.timestamp() == meta.last_modified.timestamp(),
    };
    if meta.size == export.size_bytes && same_version { Ok(()) } else { Err(changed(source, export)) }
}

fn changed(source: &Source, export: &Export) -> SourceError {
    SourceError::ChangedWhileRead { of: source.name.clone(), path: export.path.clone() }
}

/// A segment's rows, ready to be appended.
pub(super) struct Encoded {
    pub groups: Vec<Group>,
    pub bad: Vec<BadRow>,
    pub read: u64,
    pub cut_off: bool,
    /// Memory to read the next segment into.
    pub buffer: Vec<u8>,
}

type Cutting = JoinHandle<(Splitter, io::Result<Option<Segment>>)>;

fn cut(mut splitter: Splitter, spare: Option<Vec<u8>>) -> Cutting {
    spawn_blocking(move || {
        let segment = splitter.segment(spare);
        (splitter, segment)
    })
}

/// Reads the whole export into `output`; returns how many bytes that were.
async fn pass(
    landing: &Landing<'_>,
    export: &Export,
    readers: Arc<Vec<super::columns::Reader>>,
    mut splitter: Splitter,
    output: &mut Output<'_>,
) -> Result<u64, SourceError> {
    let source = landing.source;
    let stopped = |cause| SourceError::Task { of: source.name.clone(), path: export.path.clone(), cause };
    let unreadable = |cause| SourceError::Read { of: source.name.clone(), path: export.path.clone(), cause };

    let (header, returned) = spawn_blocking(move || (splitter.header(), splitter)).await.map_err(stopped)?;
    splitter = returned;
    let header = match header.map_err(unreadable)? {
        Some(Ok(header)) => header,
        Some(Err(fault)) => {
            let what = format!("its header cannot be read: {}", fault.reason(None));
            return Err(SourceError::Header { of: source.name.clone(), path: export.path.clone(), what, help: None });
        }
        None => {
            output.warnings.push("it has no header: nothing is in it".to_owned());
            return Ok(splitter.feed.read_bytes);
        }
    };
    let mut layout = layout(source, &export.path, &header)?;
    output.warnings.append(&mut layout.warnings);
    let reading = Arc::new(Reading::new(source, splitter.grammar, layout, readers, &export.path));

    let mut shape: Option<Arc<Shape>> = None;
    let mut encoding: VecDeque<JoinHandle<Result<Encoded, ParquetError>>> = VecDeque::new();
    let mut cutting = cut(splitter, None);
    let mut spare: Vec<Vec<u8>> = Vec::new();
    let read_bytes = loop {
        let (splitter, segment) = cutting.await.map_err(stopped)?;
        let Some(segment) = segment.map_err(unreadable)? else { break splitter.feed.read_bytes };
        cutting = cut(splitter, spare.pop());
        // One more than there are cores, so that none waits while the oldest is appended.
        if encoding.len() > landing.cores.max(1)
            && let Some(oldest) = encoding.pop_front()
        {
            spare.push(output.append(oldest.await.map_err(stopped)?).await?);
        }
        let mut batches = Batches::new(&reading, segment);
        let job = if let Some(shape) = &shape {
            let shape = Arc::clone(shape);
            spawn_blocking(move || encode(batches, None, &shape))
        } else {
            // The first rows decide how every row group is encoded, so nothing else begins before they are read.
            let reading = Arc::clone(&reading);
            let (batches, first, decided) = spawn_blocking(move || {
                let first = batches.next()?;
                let decided = Shape::new(&reading.schema, first.as_ref())?;
                Ok::<_, ParquetError>((batches, first, Arc::new(decided)))
            })
            .await
            .map_err(stopped)?
            .map_err(|cause| output.unwritable(cause))?;
            shape = Some(Arc::clone(&decided));
            output.shape = Some(Arc::clone(&decided));
            spawn_blocking(move || encode(batches, first, &decided))
        };
        encoding.push_back(job);
    };
    for job in encoding {
        output.append(job.await.map_err(stopped)?).await?;
    }
    Ok(read_bytes)
}

fn encode(
    mut batches: Batches,
    mut first: Option<arrow::array::RecordBatch>,
    shape: &Shape,
) -> Result<Encoded, ParquetError> {
    let mut groups = Vec::new();
    let mut group = shape.group()?;
    while let Some(batch) = first.take().map_or_else(|| batches.next(), |batch| Ok(Some(batch)))? {
        group.write(&batch)?;
        if group.rows >= GROUP_ROWS {
            groups.push(std::mem::replace(&mut group, shape.group()?).close()?);
        }
    }
    if group.rows > 0 {
        groups.push(group.close()?);
    }
    let (bad, read, cut_off) = (std::mem::take(&mut batches.bad), batches.read, batches.cut_off);
    Ok(Encoded { groups, bad, read, cut_off, buffer: batches.into_buffer() })
}
