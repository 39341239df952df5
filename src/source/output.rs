//! The files of one landing: parts of its rows and what was set aside, and the sum that must come out even.

use std::sync::Arc;

use parquet::errors::ParquetError;

use super::SourceError;
use super::land::{Encoded, Landing};
use super::quarantine::{BadRow, quarantine_batch, quarantine_schema};
use super::segment::file_schema;
use super::writer::{Group, ParquetFile, Shape};
use crate::base::Fingerprint;
use crate::lake::{Balance, DataFile, Landed, paths};
use crate::plan::Export;

/// A file ends after so many row groups: about 256 MB of CSV.
const FILE_GROUPS: usize = 64;

/// The files of one landing, as far as they are written.
pub(super) struct Output<'a> {
    landing: &'a Landing<'a>,
    export: &'a Export,
    fingerprint: Fingerprint,
    pub shape: Option<Arc<Shape>>,
    open: Option<(ParquetFile, usize)>,
    files: Vec<DataFile>,
    quarantine: Option<(ParquetFile, Shape)>,
    read: u64,
    quarantined: u64,
    pub warnings: Vec<String>,
}

impl<'a> Output<'a> {
    pub(super) fn new(landing: &'a Landing<'a>, export: &'a Export, fingerprint: Fingerprint) -> Self {
        Self {
            landing,
            export,
            fingerprint,
            shape: None,
            open: None,
            files: Vec::new(),
            quarantine: None,
            read: 0,
            quarantined: 0,
            warnings: Vec::new(),
        }
    }

    pub(super) fn unwritable(&self, cause: ParquetError) -> SourceError {
        SourceError::Parquet { doing: "write", path: self.folder(), cause }
    }

    fn folder(&self) -> String {
        format!("landed/{}/{}/{}", self.landing.source.name, self.fingerprint, self.landing.attempt)
    }

    /// Returns the memory of the segment.
    pub(super) async fn append(&mut self, encoded: Result<Encoded, ParquetError>) -> Result<Vec<u8>, SourceError> {
        let encoded = encoded.map_err(|cause| self.unwritable(cause))?;
        self.read += encoded.read;
        if encoded.cut_off {
            self.warnings.push("it seems to be cut off: it ends in the middle of a record".to_owned());
        }
        for group in encoded.groups {
            self.append_group(group).await.map_err(|cause| self.unwritable(cause))?;
        }
        if !encoded.bad.is_empty() {
            self.set_aside(&encoded.bad).await.map_err(|cause| self.unwritable(cause))?;
        }
        Ok(encoded.buffer)
    }

    async fn append_group(&mut self, group: Group) -> Result<(), ParquetError> {
        if self.open.as_ref().is_some_and(|(_, groups)| *groups >= FILE_GROUPS)
            && let Some((full, _)) = self.open.take()
        {
            self.files.push(full.finish().await?);
        }
        let (mut file, groups) = match self.open.take() {
            Some(open) => open,
            None => (self.new_file()?, 0),
        };
        let appended = file.append(group).await;
        self.open = Some((file, groups + 1));
        appended
    }

    fn new_file(&mut self) -> Result<ParquetFile, ParquetError> {
        let shape = match &self.shape {
            Some(shape) => Arc::clone(shape),
            None => Arc::new(Shape::new(&file_schema(self.landing.source), None)?),
        };
        ParquetFile::create(self.landing.lake, format!("{}/part-{}.parquet", self.folder(), self.files.len()), &shape)
    }

    async fn set_aside(&mut self, bad: &[BadRow]) -> Result<(), ParquetError> {
        let batch = quarantine_batch(self.landing.source, &self.export.path, bad)?;
        let (mut file, shape) = if let Some(open) = self.quarantine.take() {
            open
        } else {
            let (source, attempt) = (&self.landing.source.name, self.landing.attempt);
            let path = paths::quarantine(source, &self.fingerprint, attempt);
            let shape = Shape::new(&quarantine_schema(), Some(&batch))?;
            (ParquetFile::create(self.landing.lake, path, &shape)?, shape)
        };
        self.quarantined += bad.len() as u64;
        let mut group = shape.group()?;
        group.write(&batch)?;
        let appended = file.append(group.close()?).await;
        self.quarantine = Some((file, shape));
        appended
    }

    pub(super) async fn finish(&mut self) -> Result<Landed, SourceError> {
        if self.open.is_none() {
            self.open = Some((self.new_file().map_err(|cause| self.unwritable(cause))?, 0));
        }
        if let Some((file, _)) = self.open.take() {
            self.files.push(file.finish().await.map_err(|cause| self.unwritable(cause))?);
        }
        let quarantine = match self.quarantine.take() {
            Some((file, _)) => Some(file.finish().await.map_err(|cause| self.unwritable(cause))?),
            None => None,
        };
        let landed = self.files.iter().map(|file| file.rows).sum();
        let balance = Balance { read: self.read, landed, quarantined: self.quarantined, deduplicated: 0 };
        let (of, path) = (self.landing.source.name.clone(), self.export.path.clone());
        if !balance.holds() {
            return Err(SourceError::Balance { of, path, balance });
        }
        Ok(Landed {
            fingerprint: self.fingerprint,
            source: of,
            export: self.export.clone(),
            files: std::mem::take(&mut self.files),
            rows_read: self.read,
            rows_landed: landed,
            rows_quarantined: self.quarantined,
            quarantine,
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    pub(super) async fn abort(self) {
        if let Some((file, _)) = self.open {
            file.abort().await;
        }
        if let Some((file, _)) = self.quarantine {
            file.abort().await;
        }
    }
}
