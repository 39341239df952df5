//! One run of one interval: look, take the lease, work, publish, report.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::base::{BadName, Event, Fingerprint, Interval, RunId};
use crate::lake::{Balance, Manifest, Publication, RunFinished, RunStarted, RunStatus, StepRecord};
use crate::plan::{Cursor, Plan, Wanted};
use crate::run::error::describe;
use crate::run::look::{self, with};
use crate::run::notices::withhold;
use crate::run::report::{Rendered, prepare, report};
use crate::run::running::end;
use crate::run::session::Session;
use crate::run::turns::Turns;
use crate::run::watch::{cancelled, watched};
use crate::run::work::{Work, work};
use crate::run::{RunError, Workshop, publish};

/// What is asked of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Wait for whoever holds the pipeline.
    pub wait: bool,
    /// Render the reports.
    pub reports: bool,
    /// Put messages into the outbox and send them.
    pub mail: bool,
    /// For the record, when no person started it: `cron`, `backfill` …
    pub cause: Option<String>,
    /// Since when a scheduled run was due.
    pub due_at: Option<DateTime<Utc>>,
    /// Given when its reports are to say that they are late.
    pub late_since: Option<DateTime<Utc>>,
    /// What its publication says of the schedule, decided on a cursor of this version.
    pub account: Option<(Fingerprint, Cursor)>,
}

/// How a run of one interval ended.
#[derive(Debug)]
pub struct Night {
    pub as_of: String,
    pub snapshot: u64,
    pub publication: Publication,
    /// False when everything was there already.
    pub published: bool,
    pub steps: Vec<StepRecord>,
    pub reused: usize,
    pub warnings: Vec<String>,
    pub reports: Vec<Rendered>,
    pub phases_ms: BTreeMap<String, u64>,
    pub took: Duration,
}

/// Milliseconds by phase.
#[derive(Default)]
pub(super) struct Phases(BTreeMap<String, u64>);

impl Phases {
    pub(super) fn add(&mut self, name: &str, since: Instant) {
        *self.0.entry(name.to_owned()).or_default() += u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    }
}

/// Plans an interval and writes nothing.
pub async fn plan_interval(shop: &Workshop, interval: Interval) -> Result<(Plan, Option<Manifest>), RunError> {
    let mut session = Session::default();
    let mut phases = Phases::default();
    let (wanted, head) = session.look(shop, interval, &mut phases).await?;
    let published = session.published(shop, &wanted, head.as_ref()).await?.is_some();
    let existing = look::existing(shop, &wanted, &session.known).await?;
    let plan = with(&session.known, |k| look::decide(wanted, &existing, head.as_ref(), k, !published));
    Ok((plan, head))
}

/// Runs one interval. With `keep_lease` the lease stays for the next one.
pub async fn run_interval(
    shop: &Workshop,
    interval: Interval,
    session: &mut Session,
    options: &Options,
    keep_lease: bool,
) -> Result<Night, RunError> {
    let started = Instant::now();
    let mut phases = Phases::default();
    let (wanted, head) = session.look(shop, interval, &mut phases).await?;
    if let Some(found) = session.published(shop, &wanted, head.as_ref()).await? {
        session.remarks.clear();
        return nothing_to_do(shop, found, wanted.warnings, options, phases, started).await;
    }
    let run: RunId =
        format!("r{}", shop.system.ids.next()).parse().map_err(|e: BadName| RunError::Usage(e.to_string()))?;
    if options.reports {
        prepare(shop);
    }
    let since = Instant::now();
    if shop.lease.take(shop, &run, options.wait).await? {
        // Until now others could publish, so what was read of the chain may be old.
        session.editions = None;
    }
    phases.add("lease", since);
    let (seen, _telling) = watched(shop, &run);
    let limit = shop.pipeline.timeouts.run;
    let looked = (wanted, head);
    let work = leased(&seen, interval, looked, session, options, keep_lease, &run, phases, started);
    let done = tokio::select! {
        done = tokio::time::timeout(limit, work) => done.unwrap_or_else(|_| {
            Err(RunError::TimedOut { what: format!("run {run} of `{}`", shop.pipeline.name), limit, key: "`timeouts: {run: …}`" })
        }),
        wish = cancelled(shop, &run) => Err(RunError::Cancelled { by: wish.by, why: wish.why }),
    };
    if let Err(error @ (RunError::Cancelled { .. } | RunError::TimedOut { .. })) = &done {
        // Its work was dropped at any place, even while it published.
        let cancelled = matches!(error, RunError::Cancelled { .. });
        let status = if cancelled { RunStatus::Cancelled } else { RunStatus::Failed };
        end(shop, (status, error.exit_code()), &describe(error)).await;
    } else if let Err(error) = &done {
        shop.running.ends_early(shop, error).await;
        if !keep_lease {
            shop.lease.release(shop).await.ok();
        }
    }
    done
}

/// The tables stand; what is missing is the report, whenever it is asked for.
fn undelivered(error: RunError) -> RunError {
    match error {
        RunError::NotDelivered(_) => error,
        other => RunError::NotDelivered(describe(&other)),
    }
}

/// What is asked for stands in a snapshot; only its reports may be missing.
async fn nothing_to_do(
    shop: &Workshop,
    (number, publication): (u64, Publication),
    warnings: Vec<String>,
    options: &Options,
    phases: Phases,
    started: Instant,
) -> Result<Night, RunError> {
    let reports = if options.reports {
        report(shop, &publication, number, options.mail, options.late_since).await.map_err(undelivered)?
    } else {
        vec![]
    };
    Ok(Night {
        as_of: publication.as_of.clone(),
        snapshot: number,
        publication,
        published: false,
        steps: vec![],
        reused: 0,
        warnings,
        reports,
        phases_ms: phases.0,
        took: started.elapsed(),
    })
}

#[expect(clippy::too_many_arguments, reason = "the second half of one function, behind the lease")]
async fn leased(
    shop: &Workshop,
    interval: Interval,
    (mut wanted, mut head): (Wanted, Option<Manifest>),
    session: &mut Session,
    options: &Options,
    keep_lease: bool,
    run: &RunId,
    mut phases: Phases,
    started: Instant,
) -> Result<Night, RunError> {
    // Between the first look and the lease somebody else may have published, and be it an interval that readers do not follow:
    // what was published last tells.
    if shop.lake.head(&shop.pipeline.name).await? != head {
        (wanted, head) = session.look(shop, interval, &mut phases).await?;
        if let Some(found) = session.published(shop, &wanted, head.as_ref()).await? {
            if !keep_lease {
                shop.lease.release(shop).await?;
            }
            return nothing_to_do(shop, found, wanted.warnings, options, phases, started).await;
        }
    }
    let since = Instant::now();
    // Before the record: a put that is dropped halfway may still be carried out.
    shop.running.begins(run);
    shop.lake
        .start_run(&RunStarted {
            run: run.clone(),
            pipeline: shop.pipeline.name.clone(),
            as_of: interval.as_of().to_string(),
            started_at: shop.system.clock.now(),
            process: shop.system.machine.process(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            cause: options.cause.clone(),
            due_at: options.due_at,
        })
        .await?;
    phases.add("records", since);
    let since = Instant::now();
    let existing = look::claim(shop, &wanted, &session.known).await?;
    let plan = with(&session.known, |k| look::decide(wanted, &existing, head.as_ref(), k, true));
    phases.add("plan", since);
    shop.observer.see(&Event::RunStarted {
        pipeline: shop.pipeline.name.clone(),
        run: run.clone(),
        as_of: interval.as_of().to_string(),
        steps: plan.steps.len(),
    });
    session.remarks.clear();
    for message in &plan.wanted.warnings {
        shop.observer.see(&Event::Warning { message: message.clone() });
    }
    let since = Instant::now();
    let turns = session.turns.clone().unwrap_or_else(|| Turns::new(shop.engine.cores(), false));
    let mut done = work(shop, &plan, &session.known, &turns).await;
    phases.add("work", since);
    let ahead = session.ahead.take().unwrap_or_default();
    let reused = plan.reused.saturating_sub(ahead.counted);
    done.records.splice(0..0, ahead.records);
    done.warnings.splice(0..0, plan.wanted.warnings.iter().cloned().chain(ahead.warnings));
    for step in &done.records {
        let kind = step.step.split(' ').next().unwrap_or_default();
        *phases.0.entry(format!("work.{kind}")).or_default() += step.took_ms;
    }
    let Work { records, warnings, failure, failed, .. } = done;
    let ended = |status, code, phases: &Phases| RunFinished {
        steps: records.clone(),
        warnings: warnings.clone(),
        phases_ms: phases.0.clone(),
        ..RunFinished::new(run.clone(), shop.system.clock.now(), status, code)
    };
    if let Some(first) = failure {
        let failure = if failed == 1 && plan.steps.len() == 1 {
            first
        } else {
            RunError::Steps {
                pipeline: shop.pipeline.name.clone(),
                failed,
                steps: plan.steps.len(),
                first: Box::new(first),
            }
        };
        let message = Some(describe(&failure));
        let end = RunFinished { message, ..ended(RunStatus::Failed, failure.exit_code(), &phases) };
        shop.running.ends(shop, end).await;
        return Err(failure);
    }
    let since = Instant::now();
    session.load_editions(shop, head.as_ref(), &interval).await?;
    let before = session.before(&interval, head.as_ref());
    let edition = with(&session.known, |k| publish::edition(shop, &plan.wanted, k, before.as_ref(), run));
    let mut edition = match edition {
        Ok(edition) => edition,
        Err((blocked, outcomes)) => {
            if options.mail
                && let Err(error) = withhold(shop, &interval, &blocked).await
            {
                let message = format!("the notice that the report is withheld: {}", describe(&error));
                shop.observer.see(&Event::Warning { message });
            }
            let failure = RunError::Blocked(blocked);
            let (balances, quarantine) = with(&session.known, |k| publish::set_aside(&plan.wanted, k));
            let end = RunFinished {
                message: Some(failure.to_string()),
                checks: outcomes,
                balances,
                quarantine,
                ..ended(RunStatus::Blocked, failure.exit_code(), &phases)
            };
            shop.running.ends(shop, end).await;
            return Err(failure);
        }
    };
    let kept = session.keep_kpis(shop, &mut edition, &interval, head.as_ref()).await;
    let checks = edition.publication.checks.clone();
    let balances = edition.publication.balances.clone();
    let published = match kept {
        Ok(()) => {
            let account = options.account.clone();
            shop.lease.publish(shop, edition.publication, &edition.sealed, account, !keep_lease).await
        }
        Err(error) => Err(error),
    };
    let number = match published {
        Ok(number) => number,
        Err(error) => {
            let status = if error.exit_code() == 6 { RunStatus::Fenced } else { RunStatus::Failed };
            let message = Some(error.to_string());
            let end = RunFinished { message, checks, balances, ..ended(status, error.exit_code(), &phases) };
            shop.running.ends(shop, end).await;
            return Err(error);
        }
    };
    phases.add("publish", since);
    let Balance { read, landed, quarantined, deduplicated } = publish::total(&balances);
    let as_of = interval.as_of().to_string();
    shop.observer.see(&Event::Published { snapshot: number, as_of, read, landed, quarantined, deduplicated });
    // As it was written, with the content's name the lake gave it.
    let Some(publication) = shop.lake.manifest(&shop.pipeline.name, number).await?.publication else {
        return Err(RunError::Usage(format!("snapshot {number} publishes nothing")));
    };
    session.remember(number, &publication);
    let since = Instant::now();
    let reports = if options.reports {
        report(shop, &publication, number, options.mail, options.late_since).await
    } else {
        Ok(vec![])
    };
    phases.add("report", since);
    let message = reports.as_ref().err().map(ToString::to_string);
    let reports = reports.map_err(undelivered);
    let code = reports.as_ref().err().map_or(0, RunError::exit_code);
    let end = RunFinished {
        message,
        snapshot: Some(number),
        checks,
        balances,
        alerts: publication.alerts.clone(),
        ..ended(RunStatus::Published, code, &phases)
    };
    shop.running.ends(shop, end).await;
    Ok(Night {
        as_of: publication.as_of.clone(),
        snapshot: number,
        publication,
        published: true,
        steps: records,
        reused,
        warnings,
        reports: reports?,
        phases_ms: phases.0,
        took: started.elapsed(),
    })
}
