//! Deleting what no kept snapshot needs, in two calls with a wait between them. Reaches for nothing a run may be using.
//!
//! The first call writes a list. From then on no run takes what is on it for made: it either makes something else, or
//! calls the list off. The second, later than any run lasts, decides the list's fate, looks again and deletes. Both, fate
//! and calling off, are one create-only object, so exactly one of them happens.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::base::Fingerprint;
use crate::system::Machine;

use super::disk::Stored;
use super::error::LakeError;
use super::lake::{Create, Lake};
use super::paths;
use super::reach::reach;

/// Objects deleted between two looks at whether the list still stands.
const BATCH: usize = 500;

#[derive(Debug, Clone, Copy)]
pub struct GcPolicy {
    /// Publications kept for each pipeline, besides the one readers follow; at least one.
    pub keep: usize,
    /// Younger things are left alone: a run may be making them.
    pub min_age: TimeDelta,
    /// Between list and deletion: longer than a run may last.
    pub wait: TimeDelta,
    /// Says what would be done.
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GcPhase {
    /// Everything is needed or young.
    Nothing,
    /// A list was written; call again after the wait.
    Listed,
    /// There is a list, and it is too early to delete.
    Waiting {
        until: DateTime<Utc>,
    },
    /// There is a list, and a run that may be using something on it.
    Held {
        pipeline: String,
    },
    Deleted,
    /// A run needed something on the list. Call again for a new one.
    CalledOff,
}

impl GcPhase {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Listed => "listed",
            Self::Waiting { .. } => "waiting",
            Self::Held { .. } => "held",
            Self::Deleted => "deleted",
            Self::CalledOff => "called off",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GcReport {
    pub phase: GcPhase,
    /// Paths below the lake.
    pub objects: Vec<String>,
    pub size_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct GcList {
    id: String,
    written_at: DateTime<Utc>,
    objects: Vec<GcObject>,
    fingerprints: BTreeSet<Fingerprint>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct GcObject {
    path: String,
    size_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GcVerdict {
    delete: bool,
    at: DateTime<Utc>,
    nonce: String,
}

impl Stored for GcList {
    const KIND: &'static str = "gc-list";
}
impl Stored for GcVerdict {
    const KIND: &'static str = "gc-verdict";
}

/// One step of collecting: a new list, or the deletion of an old one.
pub async fn gc(
    lake: &Lake,
    machine: &Machine,
    policy: &GcPolicy,
    nonce: &str,
    now: DateTime<Utc>,
) -> Result<GcReport, LakeError> {
    if !policy.dry_run {
        lake.sweep_staging((now - policy.min_age.max(policy.wait)).into()).await?;
    }
    for list in lists(lake).await? {
        match lake.read_json::<GcVerdict>(&paths::gc_verdict(&list.id)).await? {
            Some(verdict) if !verdict.delete => {
                if !policy.dry_run {
                    forget(lake, &list).await?;
                }
            }
            verdict => return carry_out(lake, machine, policy, nonce, now, &list, verdict.is_some()).await,
        }
    }
    write_list(lake, policy, nonce, now).await
}

async fn write_list(lake: &Lake, policy: &GcPolicy, nonce: &str, now: DateTime<Utc>) -> Result<GcReport, LakeError> {
    let unreached = reach(lake, policy.keep).await?.others(lake, now - policy.min_age).await?;
    let objects: Vec<_> =
        unreached.objects.iter().map(|o| GcObject { path: o.location.to_string(), size_bytes: o.size }).collect();
    if objects.is_empty() {
        return Ok(report(GcPhase::Nothing, &[]));
    }
    if !policy.dry_run {
        let id = format!("{}-{nonce}", now.format("%Y%m%dT%H%M%SZ"));
        let list = GcList { id, written_at: now, objects: objects.clone(), fingerprints: unreached.fingerprints };
        lake.create_json(&paths::gc_list(&list.id), &list).await?;
    }
    Ok(report(GcPhase::Listed, &objects))
}

async fn carry_out(
    lake: &Lake,
    machine: &Machine,
    policy: &GcPolicy,
    nonce: &str,
    now: DateTime<Utc>,
    list: &GcList,
    decided: bool,
) -> Result<GcReport, LakeError> {
    let until = list.written_at + policy.wait;
    if !decided {
        if now < until {
            return Ok(report(GcPhase::Waiting { until }, &list.objects));
        }
        if let Some(pipeline) = running(lake, machine, now - policy.wait).await? {
            return Ok(report(GcPhase::Held { pipeline }, &list.objects));
        }
        if !policy.dry_run {
            let verdict = GcVerdict { delete: true, at: now, nonce: nonce.to_owned() };
            let path = paths::gc_verdict(&list.id);
            if lake.create_json(&path, &verdict).await? == Create::Exists
                && lake.read_json::<GcVerdict>(&path).await?.is_none_or(|v| !v.delete)
            {
                return Ok(report(GcPhase::CalledOff, &[]));
            }
        }
    }
    // The second look comes after the verdict: from here on no run can begin to use what is on the list.
    let reached = reach(lake, policy.keep).await?;
    let doomed: Vec<_> = list.objects.iter().filter(|o| !reached.holds(&o.path)).cloned().collect();
    if !policy.dry_run {
        for batch in doomed.chunks(BATCH) {
            // Another `gc` may have finished this list while we were frozen, and a run made these things anew.
            if !lake.exists(&paths::gc_list(&list.id)).await? {
                break;
            }
            lake.delete(&batch.iter().map(|o| o.path.clone()).collect::<Vec<_>>()).await?;
        }
        lake.remove_empty_folders(doomed.iter().map(|o| o.path.clone()).collect()).await?;
        forget(lake, list).await?;
    }
    Ok(report(GcPhase::Deleted, &doomed))
}

/// A pipeline whose lease is held by somebody who may still be at work. One that has been silent for longer than a run may
/// last is not.
async fn running(lake: &Lake, machine: &Machine, silent_since: DateTime<Utc>) -> Result<Option<String>, LakeError> {
    for pipeline in lake.pipelines().await? {
        if let Some(latest) = lake.latest(&pipeline).await?
            && let Some(lease) = &latest.lease
            && !machine.is_dead(&lease.holder)
            && latest.written_at > silent_since
        {
            return Ok(Some(pipeline.to_string()));
        }
    }
    Ok(None)
}

/// The list first: a verdict without a list means nothing, a list without its verdict would count again.
async fn forget(lake: &Lake, list: &GcList) -> Result<(), LakeError> {
    lake.delete(&[paths::gc_list(&list.id)]).await?;
    lake.delete(&[paths::gc_verdict(&list.id)]).await
}

/// What is on a list that has not been called off. A run asks for it after taking the lease and before looking for what
/// exists, and calls `spare` for what it needs before using it.
#[derive(Debug, Clone, Default)]
pub struct Doomed(pub(super) Vec<(String, BTreeSet<Fingerprint>)>);

pub async fn gc_doomed(lake: &Lake) -> Result<Doomed, LakeError> {
    let mut doomed = Vec::new();
    for list in lists(lake).await? {
        let verdict = lake.read_json::<GcVerdict>(&paths::gc_verdict(&list.id)).await?;
        if verdict.is_none_or(|v| v.delete) {
            doomed.push((list.id, list.fingerprints));
        }
    }
    Ok(Doomed(doomed))
}

impl Doomed {
    pub fn contains(&self, fingerprint: &Fingerprint) -> bool {
        self.0.iter().any(|(_, on_it)| on_it.contains(fingerprint))
    }

    /// Calls off every list with something on it that is needed, made or to be made: its objects are safe afterwards.
    /// When it is too late for that, `LakeError::BeingCollected`, which passes.
    pub async fn spare(
        &self,
        lake: &Lake,
        needed: impl IntoIterator<Item = Fingerprint>,
        nonce: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LakeError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let needed: BTreeSet<_> = needed.into_iter().collect();
        for (id, on_it) in &self.0 {
            let Some(fingerprint) = on_it.intersection(&needed).next().copied() else { continue };
            let path = paths::gc_verdict(id);
            let verdict = GcVerdict { delete: false, at: now, nonce: nonce.to_owned() };
            if lake.create_json(&path, &verdict).await? == Create::Exists {
                if lake.read_json::<GcVerdict>(&path).await?.is_none_or(|v| v.delete) {
                    return Err(LakeError::BeingCollected { fingerprint });
                }
            } else if !lake.exists(&paths::gc_list(id)).await? {
                // The deletion was finished in the meantime: our word came after it.
                lake.delete(&[path]).await?;
                return Err(LakeError::BeingCollected { fingerprint });
            }
        }
        Ok(())
    }
}

async fn lists(lake: &Lake) -> Result<Vec<GcList>, LakeError> {
    let mut found = Vec::new();
    for object in lake.list(paths::GC).await? {
        if object.location.as_ref().ends_with(".list.json") {
            found.extend(lake.read_json::<GcList>(object.location.as_ref()).await?);
        }
    }
    Ok(found)
}

fn report(phase: GcPhase, objects: &[GcObject]) -> GcReport {
    GcReport {
        phase,
        objects: objects.iter().map(|o| o.path.clone()).collect(),
        size_bytes: objects.iter().map(|o| o.size_bytes).sum(),
    }
}
