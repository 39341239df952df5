//! Tells those who look after a pipeline that it failed, that it works again, or that it has not published in time. Each
//! once an interval, through the outbox like any other message. Needs neither exports nor stages: they may be what failed.

use std::fmt::Write;

use crate::base::{AsOf, Event, Interval, Scheduling};
use crate::config::{Destination, Pipeline};
use crate::deliver::{Letter, message_id};
use crate::lake::{LakeError, MessageKind, RunStatus};
use crate::plan::Agenda;
use crate::run::outbox::{self, Post, Sent};
use crate::run::{RunError, describe};

/// Runs looked back at for a failure that people were told of.
const LOOK_BACK: usize = 8;

/// What telling needs: the outbox, and the pipeline it is about.
pub type Desk<'a> = (&'a Post, &'a Pipeline);

/// What a message is about; its name in the outbox and in the `List-Id` that mail programs sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Failure,
    Recovery,
    Late,
}

impl About {
    fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Late => "late",
        }
    }
}

/// Tells how a run ended, where that is news: it failed, or it published after people were told of a failure. What a person
/// or a signal stopped is none, and neither is a pipeline that somebody else holds.
pub async fn tell_outcome(desk: Desk<'_>, as_of: &AsOf, failure: Option<&RunError>) -> Result<Vec<Sent>, RunError> {
    if desk.1.notify.is_empty() {
        return Ok(Vec::new());
    }
    match failure {
        Some(RunError::Stopped { .. } | RunError::Cancelled { .. }) => Ok(Vec::new()),
        Some(error) if error.exit_code() == 6 => Ok(Vec::new()),
        Some(error) => tell_failure(desk, as_of, &in_full(error), help(error.exit_code())).await,
        None => tell_recovery(desk, as_of).await,
    }
}

/// Tells that an interval could not be run, with the reason in words.
pub async fn tell_failure(desk: Desk<'_>, as_of: &AsOf, why: &str, help: &str) -> Result<Vec<Sent>, RunError> {
    let name = &desk.1.name;
    let subject = format!("{name} failed, as of {as_of}");
    let text = format!(
        "The run of {name} as of {as_of} failed. Nothing of it was published; what readers see is the last snapshot.\n\n\
         {why}\n\n{help}\n\nmatins runs show --pipeline {name}\n"
    );
    send(desk, as_of, About::Failure, &subject, &text).await
}

async fn tell_recovery(desk: Desk<'_>, as_of: &AsOf) -> Result<Vec<Sent>, RunError> {
    let Some(failed) = told_failure(desk, as_of).await? else { return Ok(Vec::new()) };
    let name = &desk.1.name;
    let subject = format!("{name} works again, as of {as_of}");
    let also = if failed == as_of.to_string() {
        String::new()
    } else {
        format!(
            " The interval that failed ended at {failed}; `matins runs --pipeline {name}` says whether it was run since, \
             and `matins backfill` runs it."
        )
    };
    let text = format!("{name} has published {as_of} after it had failed.{also}\n");
    send(desk, as_of, About::Recovery, &subject, &text).await
}

/// The `as_of` of the newest failure that people were told of and that nothing good has followed.
async fn told_failure(desk: Desk<'_>, as_of: &AsOf) -> Result<Option<String>, RunError> {
    let now = as_of.to_string();
    if is_told(desk, as_of, About::Failure).await? {
        return Ok((!is_told(desk, as_of, About::Recovery).await?).then_some(now));
    }
    for (started, finished) in desk.0.lake.list_runs(&desk.1.name, LOOK_BACK).await? {
        if started.as_of == now {
            continue;
        }
        let Ok(before) = AsOf::parse(&started.as_of, desk.1.time_zone) else { continue };
        if is_told(desk, &before, About::Recovery).await? {
            return Ok(None);
        }
        if is_told(desk, &before, About::Failure).await? {
            return Ok(Some(started.as_of));
        }
        if finished.is_some_and(|f| f.status == RunStatus::Published) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Tells that an interval is not published although its `publish_by` has passed. Only the chain decides, so whoever looks
/// may do so from any machine.
pub async fn tell_lateness(desk: Desk<'_>) -> Result<Vec<Sent>, RunError> {
    let now = desk.0.system.clock.now();
    let promised = Agenda::of(desk.1).and_then(|agenda| agenda.promised(now));
    let Some(interval) = promised else { return Ok(Vec::new()) };
    let name = &desk.1.name;
    let latest = desk.0.lake.latest(name).await?;
    let accounted = latest.as_ref().and_then(|link| link.cursor.as_ref()).map(|cursor| cursor.intervals_until);
    let head = desk.0.lake.head(name).await?.and_then(|link| link.publication);
    let published = head.as_ref().map(|publication| publication.end.to_utc());
    let end = interval.end.to_utc();
    // Never run and never scheduled, nobody has promised anything; one that was left out for a reason is no silence.
    let nobody_waits = accounted.is_none() && published.is_none();
    if nobody_waits || accounted.max(published).is_some_and(|until| until >= end) {
        return Ok(Vec::new());
    }
    let as_of = interval.as_of();
    let what = Scheduling::Late { as_of: as_of.to_string() };
    desk.0.observer.see(&Event::Schedule { pipeline: name.clone(), what });
    let stands = head.map_or_else(|| "Nothing was ever published".to_owned(), |p| format!("Readers see {}", p.as_of));
    let holder = latest.and_then(|link| link.lease).map_or_else(
        || "No run is at work: is a scheduler running?".to_owned(),
        |lease| {
            format!(
                "Run {} of process {} on {} is at work: `matins runs watch --pipeline {name}`.",
                lease.run, lease.holder.pid, lease.holder.host
            )
        },
    );
    let by = desk.1.schedule.as_ref().and_then(|s| s.publish_by);
    let by = by.map(|by| by.format("%H:%M").to_string()).unwrap_or_default();
    let subject = format!("{name} has not published {as_of} by {by}");
    let text = format!("{name} should have published {as_of} by {by} and has not. {stands}.\n\n{holder}\n");
    send(desk, &as_of, About::Late, &subject, &text).await
}

async fn send(desk: Desk<'_>, as_of: &AsOf, about: About, subject: &str, text: &str) -> Result<Vec<Sent>, RunError> {
    let letters: Vec<Letter<'_>> = desk.1.notify.iter().map(|to| letter(desk, as_of, about, to)).collect();
    if letters.is_empty() {
        return Ok(Vec::new());
    }
    let host = &desk.0.system.machine.host;
    let text = format!("{text}\nThis message was written by Matins on {host}.\n");
    outbox::send_plain(desk.0, &letters, subject, &text).await
}

fn letter<'a>((post, pipeline): Desk<'a>, as_of: &'a AsOf, about: About, to: &'a Destination) -> Letter<'a> {
    let (pipeline, date) = (&pipeline.name, post.system.clock.now());
    Letter { kind: MessageKind::Alert, pipeline, subject_of: about.word(), as_of, to, date }
}

async fn is_told(desk: Desk<'_>, as_of: &AsOf, about: About) -> Result<bool, LakeError> {
    let Some(to) = desk.1.notify.first() else { return Ok(false) };
    let id = message_id(&letter(desk, as_of, about, to), 0);
    Ok(desk.0.lake.message(&id).await?.is_some())
}

/// With the checks that failed, where it was those.
fn in_full(error: &RunError) -> String {
    let mut text = describe(error);
    match error {
        RunError::Blocked(blocked) => {
            for one in &blocked.0 {
                let _ = write!(text, "\n- {} on {}: {} of {} rows", one.check, one.table, one.bad_rows, one.rows);
            }
        }
        RunError::Project(mistakes) => {
            for one in &mistakes.0 {
                let place = one.place.as_ref().map(|p| format!("{p}: ")).unwrap_or_default();
                let _ = write!(text, "\n- {place}{}", one.message);
            }
        }
        _ => {}
    }
    text
}

/// Where to look first, by what kind of failure it is.
pub fn help(exit_code: u8) -> &'static str {
    match exit_code {
        2 => "The project is wrong: `matins check`, and the variables of the service.",
        3 => {
            "The data did not pass: `matins query \"SELECT * FROM system.checks\"` and `system.quarantine`; then run it again."
        }
        4 => "The store, the network or the disk failed, or memory ran out. When that is mended, run it again.",
        5 => "The tables are published and a message did not go out: `matins outbox list`.",
        _ => "This is a mistake of Matins: please keep the record of the run.",
    }
}

/// The end of the interval a failure without one of its own is told for.
pub fn nearest(desk: Desk<'_>) -> Interval {
    desk.1.interval.last_closed(desk.0.system.clock.now().with_timezone(&desk.1.time_zone))
}
