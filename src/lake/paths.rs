//! Where everything lies in the lake: one function for each path, relative to the lake. Touches nothing.
//!
//! Attempts are unique ids, so that two runs making one thing never write to one file; a marker names the winner's.

use std::fmt::Display;

use crate::base::{Fingerprint, PipelineName, ReportName, RunId, SourceName, TableName};

/// Digits of a snapshot's number, so that names sort as numbers do.
const DIGITS: usize = 10;

/// Created empty and renamed into place by writers on a local folder; nothing below it is ever listed.
pub const STAGING: &str = ".staging";

pub const LANDED: &str = "landed";
pub const TABLES: &str = "tables";
pub const QUARANTINE: &str = "quarantine";
pub const SNAPSHOTS: &str = "snapshots";
pub const RUNS: &str = "runs";
pub const OUTBOX: &str = "outbox";
/// One empty object for each message that is not settled, so that nobody reads the whole outbox to find them.
pub const OUTBOX_DUE: &str = "outbox-due";
/// One object for each mailbox that sent a message back.
pub const BOUNCES: &str = "bounces";
pub const REPORTS: &str = "reports";
/// The folder of the pages that explain figures, beside the folders of reports; so no report is called so.
pub const WHY: &str = "why";
pub const GC: &str = "gc";

/// The folder that one attempt at landing an export writes its files to.
pub fn landed_attempt(source: &SourceName, fingerprint: &Fingerprint, attempt: &str) -> String {
    format!("{LANDED}/{source}/{fingerprint}/{attempt}")
}

pub fn landed_marker(source: &SourceName, fingerprint: &Fingerprint) -> String {
    format!("{LANDED}/{source}/{fingerprint}/_landed.json")
}

/// The folder that one attempt at making a part of a table writes its files to.
pub fn table_attempt(table: &TableName, fingerprint: &Fingerprint, attempt: &str) -> String {
    format!("{TABLES}/{table}/{fingerprint}/{attempt}")
}

/// Of a raw table and of a stage's part alike.
pub fn table_marker(table: &TableName, fingerprint: &Fingerprint) -> String {
    format!("{TABLES}/{table}/{fingerprint}/_table.json")
}

/// The outcomes of one set of checks on a table.
pub fn check_outcomes(table: &TableName, fingerprint: &Fingerprint, checks: &Fingerprint) -> String {
    format!("{TABLES}/{table}/{fingerprint}/checks/{checks}.json")
}

/// The rows taken out of one export or table; `of` is the source's or the table's name.
pub fn quarantine(of: &impl Display, fingerprint: &Fingerprint, attempt: &str) -> String {
    format!("{QUARANTINE}/{of}/{fingerprint}-{attempt}.parquet")
}

pub fn snapshots(pipeline: &PipelineName) -> String {
    format!("{SNAPSHOTS}/{pipeline}")
}

pub fn manifest(pipeline: &PipelineName, number: u64) -> String {
    format!("{SNAPSHOTS}/{pipeline}/{number:0DIGITS$}.json")
}

/// The number in a manifest's path, and nothing for whatever else lies there.
pub fn manifest_number(path: &str) -> Option<u64> {
    let stem = path.rsplit('/').next()?.strip_suffix(".json")?;
    (stem.len() == DIGITS).then(|| stem.parse().ok()).flatten()
}

/// Says where to begin looking for the end of a chain. A hint: it may be old, wrong or absent.
pub fn latest_hint(pipeline: &PipelineName) -> String {
    format!("{SNAPSHOTS}/{pipeline}/_latest")
}

pub fn beat(pipeline: &PipelineName, epoch: u64) -> String {
    format!("beats/{pipeline}/{epoch:0DIGITS$}.json")
}

/// Says that a run which is due waits for the holder. One object, written over; a backfill looks for it between intervals.
pub fn waiting(pipeline: &PipelineName) -> String {
    format!("beats/{pipeline}/waiting.json")
}

pub fn runs(pipeline: &PipelineName) -> String {
    format!("{RUNS}/{pipeline}")
}

pub fn run_started(pipeline: &PipelineName, run: &RunId) -> String {
    format!("{RUNS}/{pipeline}/{run}/started.json")
}

pub fn run_finished(pipeline: &PipelineName, run: &RunId) -> String {
    format!("{RUNS}/{pipeline}/{run}/finished.json")
}

/// A person's wish that a run end now.
pub fn run_cancel(pipeline: &PipelineName, run: &RunId) -> String {
    format!("{RUNS}/{pipeline}/{run}/cancel.json")
}

/// How far a run is: one object, written over, for whoever watches.
pub fn run_progress(pipeline: &PipelineName, run: &RunId) -> String {
    format!("{RUNS}/{pipeline}/{run}/progress.json")
}

/// The published values of the KPIs of one snapshot, kept for ever.
pub fn kpis(pipeline: &PipelineName, number: u64) -> String {
    format!("kpis/{pipeline}/{number:0DIGITS$}.parquet")
}

/// The snapshot's number in the path of its KPI values.
pub fn kpis_number(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".parquet")?.parse().ok()
}

/// The folder of everything rendered for one report from one snapshot.
pub fn report(pipeline: &PipelineName, as_of: &str, number: u64, report: &ReportName) -> String {
    format!("{REPORTS}/{pipeline}/{as_of}/{number:0DIGITS$}/{report}")
}

/// The folder of everything rendered for a pipeline, with its index.
pub fn archive(pipeline: &PipelineName) -> String {
    format!("{REPORTS}/{pipeline}")
}

pub fn archive_index(pipeline: &PipelineName) -> String {
    format!("{REPORTS}/{pipeline}/index.html")
}

pub fn archive_list(pipeline: &PipelineName) -> String {
    format!("{REPORTS}/{pipeline}/index.json")
}

/// The folder of the pages that explain the figures of one snapshot.
pub fn why(pipeline: &PipelineName, as_of: &str, number: u64) -> String {
    format!("{REPORTS}/{pipeline}/{as_of}/{number:0DIGITS$}/{WHY}")
}

pub fn message(id: &str) -> String {
    format!("{OUTBOX}/{id}/message.eml")
}

/// The bytes of a message that is posted to a channel.
pub fn post(id: &str) -> String {
    format!("{OUTBOX}/{id}/message.json")
}

/// What the message is and whom it is for.
pub fn message_envelope(id: &str) -> String {
    format!("{OUTBOX}/{id}/envelope.json")
}

/// A hint: put before the message, deleted after its last step.
pub fn message_due(id: &str) -> String {
    format!("{OUTBOX_DUE}/{id}")
}

pub fn message_states(id: &str) -> String {
    format!("{OUTBOX}/{id}/state")
}

/// The step, not the state, is in the name: so two processes cannot take two different ways from one state.
pub fn message_state(id: &str, step: u32) -> String {
    format!("{OUTBOX}/{id}/state/{step:02}.json")
}

/// Addresses that differ in case are one mailbox; none of them is in a path.
pub fn bounce(address: &str) -> String {
    format!("{BOUNCES}/{}.json", Fingerprint::of_bytes(address.trim().to_lowercase().as_bytes()))
}

pub fn gc_list(id: &str) -> String {
    format!("{GC}/{id}.list.json")
}

/// Decides once what becomes of a list: it is deleted, or a run that needs something on it calls it off.
pub fn gc_verdict(id: &str) -> String {
    format!("{GC}/{id}.verdict.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_sort_as_numbers_and_their_number_reads_back() {
        let pipeline: PipelineName = "p".parse().expect("a name");
        let (nine, ten) = (manifest(&pipeline, 9), manifest(&pipeline, 10));
        assert!(nine < ten);
        assert_eq!(ten, "snapshots/p/0000000010.json");
        assert_eq!(manifest_number(&ten), Some(10));
        assert_eq!(manifest_number(&latest_hint(&pipeline)), None);
        assert_eq!(manifest_number("snapshots/p/7.json"), None);
    }
}
