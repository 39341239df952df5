//! Which objects the kept snapshots need, and which of the others are old enough to go. Deletes nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;

use crate::base::{Fingerprint, PipelineName, TableName};

use super::error::LakeError;
use super::lake::{AT_ONCE, Lake};
use super::paths;
use super::types::{DataFile, Manifest, Publication, PublishedTable};

/// What the kept snapshots of every pipeline need.
#[derive(Debug, Default)]
pub(super) struct Reached {
    fingerprints: BTreeSet<Fingerprint>,
    files: HashSet<String>,
    /// Pipeline and number, as they stand in the paths of reports.
    snapshots: HashSet<(String, u64)>,
    seen: HashSet<(TableName, Fingerprint)>,
}

/// What no kept snapshot needs.
#[derive(Debug, Default)]
pub(super) struct Unreached {
    pub(super) objects: Vec<ObjectMeta>,
    /// Those of which nothing stays: a run must not take them for made.
    pub(super) fingerprints: BTreeSet<Fingerprint>,
}

/// Keeps the last publications of every pipeline, and the one its readers follow.
pub(super) async fn reach(lake: &Lake, keep: usize) -> Result<Reached, LakeError> {
    let mut reached = Reached::default();
    for pipeline in lake.pipelines().await? {
        let mut kept = lake.publications(&pipeline, keep.max(1)).await?;
        if let Some(head) = lake.head(&pipeline).await? {
            kept.push(head);
        }
        for link in &kept {
            reached.add(lake, &pipeline, link).await?;
        }
    }
    Ok(reached)
}

impl Lake {
    /// Whether all tables of a snapshot are in the lake: of one that was collected only the link is. What is `there` anyway is not
    /// asked for.
    pub async fn holds(&self, publication: &Publication, there: Option<&Publication>) -> Result<bool, LakeError> {
        let markers = |publication: &Publication| -> BTreeSet<String> {
            let tables = publication.tables.values();
            tables.flat_map(|t| t.parts.iter().map(|part| paths::table_marker(&t.name, part))).collect()
        };
        let there = there.map(markers).unwrap_or_default();
        futures::stream::iter(markers(publication).into_iter().filter(|marker| !there.contains(marker)))
            .map(|marker| async move { self.exists(&marker).await })
            .buffer_unordered(AT_ONCE)
            .try_all(std::future::ready)
            .await
    }
}

impl Reached {
    async fn add(&mut self, lake: &Lake, pipeline: &PipelineName, link: &Manifest) -> Result<(), LakeError> {
        self.snapshots.insert((pipeline.to_string(), link.number));
        for table in link.publication.iter().flat_map(|p| p.tables.values()) {
            // Its checks are kept under the fingerprint of the whole table.
            self.fingerprints.insert(table.fingerprint);
            for part in &table.parts {
                if self.seen.insert((table.name.clone(), *part)) {
                    self.add_part(lake, table, part).await?;
                }
            }
        }
        Ok(())
    }

    /// A marker that a kept snapshot needs and that is not there is an error: without it nobody can tell which files
    /// are the right ones.
    async fn add_part(&mut self, lake: &Lake, table: &PublishedTable, part: &Fingerprint) -> Result<(), LakeError> {
        let missing = || LakeError::Missing {
            path: paths::table_marker(&table.name, part),
            location: lake.location().to_owned(),
        };
        self.fingerprints.insert(*part);
        if let Some(source) = table.name.source() {
            let raw = lake.raw_table(&source, part).await?.ok_or_else(missing)?;
            self.add_files(&[], raw.dropped.as_ref());
            for export in &raw.exports {
                self.fingerprints.insert(export.fingerprint);
                self.add_files(&export.files, export.quarantine.as_ref());
            }
        } else {
            let part = lake.part(&table.name, part).await?.ok_or_else(missing)?;
            self.add_files(&part.files, part.quarantine.as_ref());
        }
        Ok(())
    }

    fn add_files(&mut self, data: &[DataFile], other: Option<&DataFile>) {
        self.files.extend(data.iter().chain(other).map(|f| f.path.clone()));
    }

    /// Whether one object must stay. Of something reached, markers and outcomes stay with the files they name; what an
    /// attempt that lost left there does not.
    pub(super) fn holds(&self, path: &str) -> bool {
        match owner(path) {
            Owner::Fingerprint(fingerprint) => {
                self.fingerprints.contains(&fingerprint)
                    && (path.strip_suffix(".json").is_some() || self.files.contains(path))
            }
            Owner::Snapshot(pipeline, number) => self.snapshots.contains(&(pipeline, number)),
            Owner::Nobody => true,
        }
    }

    /// What is not reached and was all written before an instant. One fingerprint's objects go or stay together: a fresh
    /// marker may name a file that is older than it.
    pub(super) async fn others(&self, lake: &Lake, before: DateTime<Utc>) -> Result<Unreached, LakeError> {
        let mut groups: BTreeMap<Fingerprint, Vec<ObjectMeta>> = BTreeMap::new();
        let mut found = Unreached::default();
        for folder in [paths::LANDED, paths::TABLES, paths::QUARANTINE, paths::REPORTS] {
            for object in lake.list(folder).await? {
                match owner(object.location.as_ref()) {
                    Owner::Fingerprint(fingerprint) => groups.entry(fingerprint).or_default().push(object),
                    Owner::Snapshot(..) if object.last_modified < before && !self.holds(object.location.as_ref()) => {
                        found.objects.push(object);
                    }
                    _ => {}
                }
            }
        }
        for (fingerprint, objects) in groups {
            if objects.iter().any(|o| o.last_modified >= before) {
                continue;
            }
            if !self.fingerprints.contains(&fingerprint) {
                found.fingerprints.insert(fingerprint);
            }
            found.objects.extend(objects.into_iter().filter(|o| !self.holds(o.location.as_ref())));
        }
        Ok(found)
    }
}

/// What an object belongs to, by its path.
enum Owner {
    Fingerprint(Fingerprint),
    Snapshot(String, u64),
    /// Not of a kind that is ever collected.
    Nobody,
}

fn owner(path: &str) -> Owner {
    let parts: Vec<_> = path.split('/').collect();
    let found = match parts.as_slice() {
        [paths::LANDED | paths::TABLES, _, fingerprint, _, ..] => fingerprint.parse().ok().map(Owner::Fingerprint),
        // `<fingerprint>-<attempt>.parquet`
        [paths::QUARANTINE, _, file] => file.get(..32).and_then(|f| f.parse().ok()).map(Owner::Fingerprint),
        [paths::REPORTS, pipeline, _, number, _, ..] => {
            number.parse().ok().map(|number| Owner::Snapshot((*pipeline).to_owned(), number))
        }
        _ => None,
    };
    found.unwrap_or(Owner::Nobody)
}
