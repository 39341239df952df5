//! Short messages in place of a report: that it is withheld, because its data did not pass, or delayed. Each once an interval.

use chrono::{DateTime, Utc};

use crate::base::{AsOf, Interval};
use crate::config::{Pipeline, Report};
use crate::deliver::{Letter, message_id};
use crate::lake::{Blocked, MessageKind, Publication};
use crate::plan::first_after;
use crate::run::burst::addressed;
use crate::run::outbox::{self, Post};
use crate::run::report::{letter, worth_sending};
use crate::run::{RunError, Workshop};

/// Sends a notice in place of every report of an interval whose data did not pass its checks; once for each interval.
pub async fn withhold(shop: &Workshop, interval: &Interval, blocked: &Blocked) -> Result<(), RunError> {
    let failed: Vec<String> =
        blocked.0.iter().map(|o| format!("- {} on {}: {} of {} rows", o.check, o.table, o.bad_rows, o.rows)).collect();
    let why = format!("Checks that failed:\n{}", failed.join("\n"));
    let head = shop.lake.head(&shop.pipeline.name).await?.and_then(|m| m.publication);
    for one in &shop.pipeline.reports {
        let one = recipients(shop, head.as_ref(), one).await?;
        instead(shop, &one, interval, MessageKind::Withheld, &why).await?;
    }
    Ok(())
}

/// A report with all its recipients; those of a table as they were last published.
async fn recipients(shop: &Workshop, head: Option<&Publication>, one: &Report) -> Result<Report, RunError> {
    match head {
        Some(publication) => addressed(shop, publication, one).await,
        None => Ok(one.clone()),
    }
}

async fn instead(
    shop: &Workshop,
    one: &Report,
    interval: &Interval,
    kind: MessageKind,
    why: &str,
) -> Result<Vec<outbox::Sent>, RunError> {
    let as_of = interval.as_of();
    let letters: Vec<Letter<'_>> = one
        .recipients
        .iter()
        .map(|recipient| Letter {
            kind,
            pipeline: &shop.pipeline.name,
            subject_of: one.name.as_str(),
            as_of: &as_of,
            to: &recipient.to,
            date: shop.system.clock.now(),
        })
        .collect();
    let start = AsOf(interval.start).to_string();
    let (subject, text) = outbox::notice(kind, &one.title, &start, why);
    outbox::send_plain(&Post::of(shop), &letters, &subject, &text).await
}

/// Sends a notice in place of every report that should be out by now and is not. For whoever watches the time: a scheduler
/// at each tick, or `matins outbox deliver`.
pub async fn tell_delays(shop: &Workshop) -> Result<Vec<outbox::Sent>, RunError> {
    let now = shop.system.clock.now().with_timezone(&shop.pipeline.time_zone);
    let interval = shop.pipeline.interval.last_closed(now);
    let mut sent = Vec::new();
    let Some(head) = shop.lake.head(&shop.pipeline.name).await?.and_then(|m| m.publication) else { return Ok(sent) };
    for one in &shop.pipeline.reports {
        let Some(by) = one.deliver_by.filter(|by| now >= first_after(interval.end, *by)) else { continue };
        let one = &recipients(shop, Some(&head), one).await?;
        let as_of = interval.as_of();
        // Published, and nothing to tell: nobody waits for a message.
        if head.as_of == as_of.to_string() && !worth_sending(one, &head) {
            continue;
        }
        let mut missing = false;
        for recipient in &one.recipients {
            let report = letter(shop, one, &as_of, &recipient.to);
            let withheld = Letter { kind: MessageKind::Withheld, ..report.clone() };
            // A message that waits for the mail server cannot be announced by another one.
            let report = shop.lake.message(&message_id(&report, 0)).await?;
            let withheld = shop.lake.message(&message_id(&withheld, 0)).await?;
            missing = report.is_none() && withheld.is_none();
            if missing {
                break;
            }
        }
        if missing {
            let why = format!("It should have been out by {}.", by.format("%H:%M"));
            sent.extend(instead(shop, one, &interval, MessageKind::Delayed, &why).await?);
        }
    }
    Ok(sent)
}

/// The end of the last closed interval, when a report of it should be out by now; whether it is, `tell_delays` finds out.
pub fn overdue(pipeline: &Pipeline, now: DateTime<Utc>) -> Option<AsOf> {
    let now = now.with_timezone(&pipeline.time_zone);
    let interval = pipeline.interval.last_closed(now);
    let late = pipeline.reports.iter().filter_map(|one| one.deliver_by).any(|by| now >= first_after(interval.end, by));
    late.then(|| interval.as_of())
}
