//! Markers: create-only objects that say a thing is made, and name the attempt that won. Files are durable before them.

use std::collections::BTreeMap;

use crate::base::{Fingerprint, SourceName, TableName};

use super::disk::{Stored, encode};
use super::error::LakeError;
use super::lake::{Create, Lake};
use super::paths;
use super::types::{CheckOutcome, DataFile, Landed, RawTable, TablePart};

impl Stored for Landed {
    const KIND: &'static str = "landed";
}
impl Stored for RawTable {
    const KIND: &'static str = "raw-table";
}
impl Stored for TablePart {
    const KIND: &'static str = "table-part";
}
impl Stored for Vec<CheckOutcome> {
    const KIND: &'static str = "check-outcomes";
}

impl Lake {
    /// What is landed under a fingerprint, if it is.
    pub async fn landed(&self, source: &SourceName, fingerprint: &Fingerprint) -> Result<Option<Landed>, LakeError> {
        self.read_json(&paths::landed_marker(source, fingerprint)).await
    }

    /// Those of many exports that have landed.
    pub async fn landed_many(
        &self,
        source: &SourceName,
        fingerprints: &[Fingerprint],
    ) -> Result<BTreeMap<Fingerprint, Landed>, LakeError> {
        let paths = fingerprints.iter().map(|f| paths::landed_marker(source, f)).collect();
        let read = self.read_many_json(paths).await?;
        Ok(fingerprints.iter().zip(read).filter_map(|(f, landed)| Some((*f, landed?))).collect())
    }

    /// Marks an export as landed. Gives back the marker that stands: another attempt's, if it was first.
    pub async fn put_landed(&self, landed: Landed) -> Result<Landed, LakeError> {
        let path = paths::landed_marker(&landed.source, &landed.fingerprint);
        let files = files(&landed.files, landed.quarantine.as_ref());
        self.mark(&path, landed, &files).await
    }

    pub async fn raw_table(
        &self,
        source: &SourceName,
        fingerprint: &Fingerprint,
    ) -> Result<Option<RawTable>, LakeError> {
        self.read_json(&paths::table_marker(&TableName::raw(source), fingerprint)).await
    }

    /// Marks a raw table as made; gives back the marker that stands.
    pub async fn put_raw_table(&self, table: RawTable) -> Result<RawTable, LakeError> {
        let path = paths::table_marker(&TableName::raw(&table.source), &table.fingerprint);
        // The exports' own files were durable when they landed.
        let files = files(&[], table.dropped.as_ref());
        self.mark(&path, table, &files).await
    }

    pub async fn part(&self, table: &TableName, fingerprint: &Fingerprint) -> Result<Option<TablePart>, LakeError> {
        self.read_json(&paths::table_marker(table, fingerprint)).await
    }

    /// The parts of a table that are made.
    pub async fn parts(
        &self,
        table: &TableName,
        fingerprints: &[Fingerprint],
    ) -> Result<BTreeMap<Fingerprint, TablePart>, LakeError> {
        self.parts_of(&fingerprints.iter().map(|f| (table, *f)).collect::<Vec<_>>()).await
    }

    /// The parts of many tables that are made.
    pub async fn parts_of(
        &self,
        parts: &[(&TableName, Fingerprint)],
    ) -> Result<BTreeMap<Fingerprint, TablePart>, LakeError> {
        let paths = parts.iter().map(|(table, f)| paths::table_marker(table, f)).collect();
        let read = self.read_many_json(paths).await?;
        Ok(parts.iter().zip(read).filter_map(|((_, f), part)| Some((*f, part?))).collect())
    }

    /// Marks a part of a table as made; gives back the marker that stands.
    pub async fn put_part(&self, part: TablePart) -> Result<TablePart, LakeError> {
        let path = paths::table_marker(&part.table, &part.fingerprint);
        let files = files(&part.files, part.quarantine.as_ref());
        self.mark(&path, part, &files).await
    }

    /// What sets of checks found on tables, where they were evaluated: of each the table, its fingerprint, and that of the checks.
    pub async fn check_outcomes(
        &self,
        asked: &[(TableName, Fingerprint, Fingerprint)],
    ) -> Result<Vec<Option<Vec<CheckOutcome>>>, LakeError> {
        let paths = asked.iter().map(|(table, made, checks)| paths::check_outcomes(table, made, checks));
        self.read_many_json(paths.collect()).await
    }

    pub async fn put_check_outcomes(
        &self,
        table: &TableName,
        fingerprint: &Fingerprint,
        checks: &Fingerprint,
        outcomes: Vec<CheckOutcome>,
    ) -> Result<Vec<CheckOutcome>, LakeError> {
        self.mark(&paths::check_outcomes(table, fingerprint, checks), outcomes, &[]).await
    }

    async fn mark<T: Stored>(&self, path: &str, value: T, files: &[String]) -> Result<T, LakeError> {
        match self.create_marker(path, encode(path, &value)?.into(), files).await? {
            Create::Created => Ok(value),
            Create::Exists => self
                .read_json(path)
                .await?
                .ok_or_else(|| LakeError::Missing { path: path.to_owned(), location: self.location().to_owned() }),
        }
    }
}

fn files(data: &[DataFile], other: Option<&DataFile>) -> Vec<String> {
    data.iter().chain(other).map(|f| f.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::testing::{both_kinds, fingerprint, landed, on_disk, source};

    #[tokio::test]
    async fn the_first_marker_stands() {
        for (lake, _folder) in both_kinds() {
            let first = landed(&lake, "one", "attempt-1").await;
            let second = landed(&lake, "one", "attempt-2").await;
            assert_eq!(lake.put_landed(first.clone()).await.expect("marked"), first);
            assert_eq!(lake.put_landed(second).await.expect("marked"), first);
            let found = lake.landed_many(&source(), &[fingerprint("one"), fingerprint("two")]).await.expect("read");
            assert_eq!(found.into_values().collect::<Vec<_>>(), [first]);
        }
    }

    /// Files are synced before the marker is written: were it the other way round, the marker would be there.
    #[tokio::test]
    async fn no_marker_is_written_for_files_that_could_not_be_made_durable() {
        let (lake, folder) = on_disk();
        let landed = landed(&lake, "one", "attempt-1").await;
        std::fs::remove_file(folder.path().join(&landed.files[0].path)).expect("removed");
        let error = lake.put_landed(landed).await.expect_err("nothing to sync");
        assert!(error.to_string().starts_with("cannot sync `landed/orders/"), "{error}");
        assert!(lake.landed(&source(), &fingerprint("one")).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn check_outcomes_are_kept_by_their_set() {
        let (lake, _folder) = on_disk();
        let table: TableName = "core.orders".parse().expect("a name");
        let (of, checks) = (fingerprint("table"), fingerprint("checks"));
        lake.put_check_outcomes(&table, &of, &checks, Vec::new()).await.expect("put");
        let asked = [(table.clone(), of, of), (table, of, checks)];
        assert_eq!(lake.check_outcomes(&asked).await.expect("read"), [None, Some(Vec::new())]);
    }
}
