//! Reading a pipeline's chain of snapshots: its end, the one readers follow, and what was published. Writes nothing but a
//! hint of where the end is.

use std::collections::BTreeMap;

use crate::base::{Fingerprint, PipelineName, Recipe, TableName};

use super::disk::Stored;
use super::error::LakeError;
use super::lake::Lake;
use super::paths;
use super::types::{Manifest, PublishedTable};

/// Links read one by one past the hint before the rest is listed.
const PROBES: u32 = 8;

impl Stored for Manifest {
    const KIND: &'static str = "manifest";
}

/// Of the tables' names and fingerprints: what a snapshot holds, whoever published it and when.
pub fn content_of(tables: &BTreeMap<TableName, PublishedTable>) -> Fingerprint {
    tables
        .iter()
        .fold(Recipe::new("content/1"), |recipe, (name, table)| recipe.made_from(&name.to_string(), &table.fingerprint))
        .finish()
}

impl Lake {
    /// One link, which must be there.
    pub async fn manifest(&self, pipeline: &PipelineName, number: u64) -> Result<Manifest, LakeError> {
        let path = paths::manifest(pipeline, number);
        let found = self.read_json(&path).await?;
        found.ok_or_else(|| LakeError::Missing { path, location: self.location().to_owned() })
    }

    /// The end of the chain. A few reads however long the chain is: a hint says where to begin, and because a chain has
    /// no gaps, its end is where the next number is absent.
    pub async fn latest(&self, pipeline: &PipelineName) -> Result<Option<Manifest>, LakeError> {
        let hinted = match self.hint(pipeline).await? {
            Some(number) => self.link(pipeline, number).await?,
            None => None,
        };
        let Some(mut last) = (match hinted {
            Some(link) => Some(link),
            None => self.last_listed(pipeline, 0).await?,
        }) else {
            return Ok(None);
        };
        let mut probes = 0;
        while let Some(next) = self.link(pipeline, last.number + 1).await? {
            last = next;
            probes += 1;
            if probes == PROBES
                && let Some(further) = self.last_listed(pipeline, last.number).await?
            {
                last = further;
            }
        }
        Ok(Some(last))
    }

    /// The snapshot readers follow. Whether they are held at it, and what was published last, are those of the end of the chain.
    pub async fn head(&self, pipeline: &PipelineName) -> Result<Option<Manifest>, LakeError> {
        let Some(latest) = self.latest(pipeline).await? else { return Ok(None) };
        match latest.head {
            Some(number) if number == latest.number => Ok(Some(latest)),
            Some(number) => {
                let head = self.manifest(pipeline, number).await?;
                Ok(Some(Manifest { head_held: latest.head_held, last_publication: latest.last_publication, ..head }))
            }
            None => Ok(None),
        }
    }

    /// The links that publish something, newest first, at most so many.
    pub async fn publications(&self, pipeline: &PipelineName, limit: usize) -> Result<Vec<Manifest>, LakeError> {
        let mut found: Vec<Manifest> = Vec::new();
        let Some(latest) = self.latest(pipeline).await? else { return Ok(found) };
        let mut next = latest.last_publication;
        if latest.publication.is_some() && limit > 0 {
            next = latest.previous_publication;
            found.push(latest);
        }
        while let Some(number) = next
            && found.len() < limit
        {
            let link = self.manifest(pipeline, number).await?;
            // A walk only goes back, so it ends whatever is written there.
            next = link.previous_publication.filter(|previous| *previous < number);
            found.push(link);
        }
        Ok(found)
    }

    pub(super) async fn link(&self, pipeline: &PipelineName, number: u64) -> Result<Option<Manifest>, LakeError> {
        self.read_json(&paths::manifest(pipeline, number)).await
    }

    /// Remembers where the end was. It only saves time, so a failure to write it is none of a run's.
    pub(super) async fn set_hint(&self, pipeline: &PipelineName, number: u64) {
        let written = self.put(&paths::latest_hint(pipeline), number.to_string().into_bytes()).await;
        if let Err(error) = written {
            tracing::debug!(%pipeline, %error, "the hint of the latest snapshot was not written");
        }
    }

    async fn hint(&self, pipeline: &PipelineName) -> Result<Option<u64>, LakeError> {
        let bytes = self.get(&paths::latest_hint(pipeline)).await?;
        Ok(bytes.and_then(|b| std::str::from_utf8(&b).ok()?.trim().parse().ok()))
    }

    async fn last_listed(&self, pipeline: &PipelineName, after: u64) -> Result<Option<Manifest>, LakeError> {
        let listed = self.list_after(&paths::snapshots(pipeline), &paths::manifest(pipeline, after)).await?;
        match listed.iter().filter_map(|m| paths::manifest_number(m.location.as_ref())).max() {
            Some(number) => self.link(pipeline, number).await,
            None => Ok(None),
        }
    }
}
