//! What a run leaves behind about itself: that it began, and how it ended. Append-only; a run that never ended was stopped.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};

use crate::base::{PipelineName, RunId};

use super::disk::Stored;
use super::error::LakeError;
use super::lake::{AT_ONCE, Create, Lake};
use super::paths;
use super::types::{Cancellation, RunFinished, RunProgress, RunStarted};

impl Stored for RunStarted {
    const KIND: &'static str = "run-started";
}
impl Stored for RunFinished {
    const KIND: &'static str = "run-finished";
}

impl Stored for Cancellation {
    const KIND: &'static str = "cancellation";
}
impl Stored for RunProgress {
    const KIND: &'static str = "run-progress";
}

impl Lake {
    /// Asks the holder of a run to end it. The first to ask is the one who is named; `false` when somebody had asked.
    pub async fn cancel_run(
        &self,
        pipeline: &PipelineName,
        run: &RunId,
        cancellation: &Cancellation,
    ) -> Result<bool, LakeError> {
        Ok(self.create_json(&paths::run_cancel(pipeline, run), cancellation).await? == Create::Created)
    }

    pub async fn cancellation(&self, pipeline: &PipelineName, run: &RunId) -> Result<Option<Cancellation>, LakeError> {
        self.read_json(&paths::run_cancel(pipeline, run)).await
    }

    pub async fn set_progress(
        &self,
        pipeline: &PipelineName,
        run: &RunId,
        progress: &RunProgress,
    ) -> Result<(), LakeError> {
        self.write_json(&paths::run_progress(pipeline, run), progress).await
    }

    pub async fn progress(&self, pipeline: &PipelineName, run: &RunId) -> Result<Option<RunProgress>, LakeError> {
        self.read_json(&paths::run_progress(pipeline, run)).await
    }

    pub async fn start_run(&self, started: &RunStarted) -> Result<(), LakeError> {
        self.create_json(&paths::run_started(&started.pipeline, &started.run), started).await.map(drop)
    }

    /// Records how a run ended. The first word stands; `false` when there was one.
    pub async fn finish_run(&self, pipeline: &PipelineName, finished: &RunFinished) -> Result<bool, LakeError> {
        let made = self.create_json(&paths::run_finished(pipeline, &finished.run), finished).await?;
        Ok(made == Create::Created)
    }

    pub async fn run_record(
        &self,
        pipeline: &PipelineName,
        run: &RunId,
    ) -> Result<Option<(RunStarted, Option<RunFinished>)>, LakeError> {
        let (started, finished) = (paths::run_started(pipeline, run), paths::run_finished(pipeline, run));
        let Some(started) = self.read_json(&started).await? else { return Ok(None) };
        Ok(Some((started, self.read_json(&finished).await?)))
    }

    /// The last runs of a pipeline, newest first: their ids sort by time.
    pub async fn list_runs(
        &self,
        pipeline: &PipelineName,
        limit: usize,
    ) -> Result<Vec<(RunStarted, Option<RunFinished>)>, LakeError> {
        let mut ids: Vec<RunId> =
            self.list_folders(&paths::runs(pipeline)).await?.iter().filter_map(|id| id.parse().ok()).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(limit);
        futures::stream::iter(ids)
            .map(|id| async move { self.run_record(pipeline, &id).await })
            .buffered(AT_ONCE)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    /// The pipelines that have left anything here, whether or not the project still has them.
    pub async fn pipelines(&self) -> Result<Vec<PipelineName>, LakeError> {
        let mut names = BTreeSet::new();
        for folder in [paths::SNAPSHOTS, paths::RUNS] {
            names.extend(self.list_folders(folder).await?.iter().filter_map(|n| n.parse::<PipelineName>().ok()));
        }
        Ok(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::lake::RunStatus;
    use crate::lake::testing::{both_kinds, finished, pipeline, run, started};

    #[tokio::test]
    async fn runs_are_listed_newest_first() {
        for (lake, _folder) in both_kinds() {
            for id in ["1", "2", "3"] {
                lake.start_run(&started(run(id))).await.expect("recorded");
            }
            assert!(lake.finish_run(&pipeline(), &finished(run("2"), RunStatus::Published)).await.expect("recorded"));
            assert!(!lake.finish_run(&pipeline(), &finished(run("2"), RunStatus::Failed)).await.expect("recorded"));
            let listed = lake.list_runs(&pipeline(), 2).await.expect("listed");
            let seen: Vec<_> = listed.iter().map(|(s, f)| (s.run.as_str(), f.as_ref().map(|f| f.status))).collect();
            assert_eq!(seen, [("r-3", None), ("r-2", Some(RunStatus::Published))]);
            assert_eq!(lake.pipelines().await.expect("listed"), [pipeline()]);
        }
    }
}
