//! A folder of this machine as a store. A small part of a file is read where it is asked for: to wake a thread for it, and to be woken by
//! that, takes longer than to read it, and a night asks for a thousand.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, once};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What is read at once; more is worth a thread that may wait for the disk.
const SMALL_BYTES: u64 = 256 << 10;

#[derive(Debug)]
pub(super) struct Near(LocalFileSystem);

impl Near {
    pub(super) fn new(folder: LocalFileSystem) -> Self {
        Self(folder)
    }

    /// None where it is not small or cannot be read: the folder itself says then what is wrong.
    fn small(&self, at: &Path, ranges: &[Range<u64>]) -> Option<(File, Vec<Bytes>)> {
        let bytes: u64 = ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum();
        if bytes > SMALL_BYTES {
            return None;
        }
        let mut file = File::open(self.0.path_to_filesystem(at).ok()?).ok()?;
        let read = ranges.iter().map(|range| {
            let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
            let mut bytes = vec![0; length];
            file.seek(SeekFrom::Start(range.start)).ok()?;
            file.read_exact(&mut bytes).ok()?;
            Some(Bytes::from(bytes))
        });
        let read = read.collect::<Option<Vec<_>>>()?;
        Some((file, read))
    }

    /// Of a request for one part of a file without conditions.
    fn small_part(&self, at: &Path, options: &GetOptions) -> Option<GetResult> {
        let Some(GetRange::Bounded(range)) = &options.range else { return None };
        let conditions = options.if_match.is_some()
            || options.if_none_match.is_some()
            || options.if_modified_since.is_some()
            || options.if_unmodified_since.is_some()
            || options.version.is_some()
            || options.head;
        if conditions {
            return None;
        }
        let (file, read) = self.small(at, std::slice::from_ref(range))?;
        let metadata = file.metadata().ok()?;
        let meta = ObjectMeta {
            location: at.clone(),
            last_modified: metadata.modified().ok()?.into(),
            size: metadata.len(),
            e_tag: None,
            version: None,
        };
        let bytes = read.into_iter().next()?;
        let payload = GetResultPayload::Stream(once(async { Ok(bytes) }).boxed());
        Some(GetResult { payload, meta, range: range.clone(), attributes: Attributes::default() })
    }
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for Near {
    async fn put_opts(&self, at: &Path, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.0.put_opts(at, bytes, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        match self.small_part(at, &options) {
            Some(found) => Ok(found),
            None => self.0.get_opts(at, options).await,
        }
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match self.small(at, ranges) {
            Some((_, read)) => Ok(read),
            None => self.0.get_ranges(at, ranges).await,
        }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(paths)
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(folder)
    }

    fn list_with_offset(&self, folder: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(folder, offset)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn parts_are_read_alike_whether_small_or_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let plain = LocalFileSystem::new_with_prefix(folder.path()).expect("a store");
        let near = Near::new(LocalFileSystem::new_with_prefix(folder.path()).expect("a store"));
        let at = Path::from("a/rows");
        let bytes: Vec<u8> = (0..600_000_u32).map(|n| u8::try_from(n % 251).expect("small")).collect();
        near.put(&at, bytes.clone().into()).await.expect("put");
        for range in [0..0, 0..10, 599_990..600_000, 100..300_000, 0..600_000] {
            let there = plain.get_ranges(&at, std::slice::from_ref(&range)).await.expect("read");
            assert_eq!(near.get_ranges(&at, std::slice::from_ref(&range)).await.expect("read"), there);
            if range.is_empty() {
                continue;
            }
            assert_eq!(near.get_range(&at, range.clone()).await.expect("read"), there[0]);
            let options = GetOptions::default().with_range(Some(range.clone()));
            let (one, other) =
                (near.get_opts(&at, options.clone()).await.expect("read"), plain.get_opts(&at, options).await);
            let other = other.expect("read");
            assert_eq!((one.meta.size, one.range), (other.meta.size, other.range));
        }
        assert_eq!(near.get(&at).await.expect("read").bytes().await.expect("read"), bytes);
        // Refused with the folder's own words.
        for (path, range) in [("a/none", 0..10), ("a/rows", 600_000..600_010)] {
            let refused = near
                .get_ranges(&Path::from(path), std::slice::from_ref(&range))
                .await
                .expect_err("refused")
                .to_string();
            let plain = plain.get_ranges(&Path::from(path), &[range]).await.expect_err("refused").to_string();
            assert_eq!(refused, plain);
        }
    }
}
