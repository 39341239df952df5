//! `matins outbox`: what became of each message, and what a person decides about it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::Observer;
use crate::cli::args::{Cli, OutboxArgs, OutboxVerb};
use crate::cli::progress::Progress;
use crate::cli::project::{pipeline, project};
use crate::cli::screen::Screen;
use crate::lake::{Bounce, OutboxMessage};
use crate::run::outbox::{Post, Sent, deliver_due, resend, suppress, verdict};
use crate::run::{Keeper, RunError, engine, open_lake, open_without_exports, tell_delays, tell_lateness};
use crate::system::System;

pub async fn outbox(cli: &Cli, screen: &Screen, system: &System, args: &OutboxArgs) -> Result<(), RunError> {
    let project = project(cli, screen, system)?;
    let lake = open_lake(&project, system)?;
    let observer: Arc<dyn Observer> = Arc::new(Progress::new(screen));
    let post = Post { project: Arc::clone(&project), lake, system: system.clone(), observer, lease: Keeper::default() };
    match &args.what {
        OutboxVerb::List { state, limit } => {
            // What is looked for may be older than the last messages there are.
            let all = post.lake.list_outbox(if state.is_some() { usize::MAX } else { *limit }).await?;
            let of = |m: &OutboxMessage| state.as_ref().is_none_or(|s| *s == m.state.to_string());
            let all: Vec<OutboxMessage> = all.into_iter().filter(of).collect();
            list(screen, &all[all.len().saturating_sub(*limit)..]);
        }
        OutboxVerb::Show { id, eml: true } => {
            let message = post.lake.message(id).await?.ok_or_else(|| unknown(id))?;
            let bytes = post.lake.message_bytes(&message.envelope).await?.ok_or_else(|| unknown(id))?;
            screen.print(&String::from_utf8_lossy(&bytes));
        }
        OutboxVerb::Show { id, eml: false } => show(screen, &post, id).await?,
        OutboxVerb::Resend { id } => {
            let sent = resend(&post, id).await?;
            said(screen, std::slice::from_ref(&sent));
            verdict(&[sent])?;
        }
        OutboxVerb::Suppress { id, why } => said(screen, &[suppress(&post, id, why.as_deref()).await?]),
        OutboxVerb::Bounces { forget: Some(address) } => {
            if !post.lake.forget_bounce(address).await? {
                return Err(RunError::Usage(format!("nothing came back from {address}; see `matins outbox bounces`")));
            }
            screen.print(&format!("messages to {address} are sent again"));
        }
        OutboxVerb::Bounces { forget: None } => bounces(screen, &post.lake.bounces().await?),
        OutboxVerb::Deliver { pipeline: name } => {
            let pipeline = pipeline(&project, name.as_deref())?;
            let mut sent = tell_lateness((&post, pipeline)).await?;
            let engine = Arc::new(engine(&project, system, &post.lake)?);
            let shop = open_without_exports(&project, pipeline, system, &post.observer, &post.lake, &engine)?;
            sent.extend(tell_delays(&shop).await?);
            sent.extend(deliver_due(&post, std::time::Duration::ZERO).await?);
            said(screen, &sent);
            verdict(&sent)?;
        }
    }
    Ok(())
}

fn unknown(id: &str) -> RunError {
    RunError::Usage(format!("there is no message `{id}`; see `matins outbox list`"))
}

fn list(screen: &Screen, all: &[OutboxMessage]) {
    if screen.json {
        screen.print_json(&all.iter().map(as_json).collect());
        return;
    }
    if all.is_empty() {
        screen.print("no message");
        return;
    }
    let header = ["message", "what", "to", "state", "steps", "said"].map(str::to_owned);
    let body = all.iter().map(|m| {
        let what = format!("{} {}", m.envelope.pipeline, m.envelope.subject_of);
        let said = m.last.as_ref().and_then(|l| l.note.clone()).unwrap_or_default();
        let state = match m.last.as_ref().and_then(|l| l.next_try) {
            Some(at) => format!("{} until {}", m.state, at.format("%Y-%m-%d %H:%M:%SZ")),
            None => m.state.to_string(),
        };
        vec![m.envelope.id.clone(), what, m.envelope.to.clone(), state, m.steps.to_string(), said]
    });
    screen.table(&header, &[false, false, false, false, true, false], body.collect());
}

fn bounces(screen: &Screen, all: &[Bounce]) {
    if screen.json {
        screen.print_json(&json!(all));
        return;
    }
    if all.is_empty() {
        screen.print("no mailbox has sent a message back");
        return;
    }
    let header = ["address", "since", "message", "said"].map(str::to_owned);
    let body = all.iter().map(|b| {
        vec![b.address.clone(), b.at.format("%Y-%m-%d %H:%M:%SZ").to_string(), b.message.clone(), b.why.clone()]
    });
    screen.table(&header, &[false; 4], body.collect());
}

fn as_json(message: &OutboxMessage) -> Value {
    let last = message.last.as_ref();
    json!({
        "message": message.envelope,
        "state": message.state,
        "steps": message.steps,
        "at": last.map(|l| l.at),
        "note": last.and_then(|l| l.note.clone()),
        "next_try": last.and_then(|l| l.next_try),
    })
}

async fn show(screen: &Screen, post: &Post, id: &str) -> Result<(), RunError> {
    let message = post.lake.message(id).await?.ok_or_else(|| unknown(id))?;
    let history = post.lake.message_history(id).await?;
    if screen.json {
        let mut all = as_json(&message);
        all["history"] = json!(history);
        screen.print_json(&all);
        return Ok(());
    }
    let envelope = &message.envelope;
    screen.print(&format!("message {} of {} as of {}", envelope.id, envelope.pipeline, envelope.as_of));
    screen.print(&format!("  to       {}", envelope.recipient));
    screen.print(&format!("  subject  {}", envelope.subject));
    screen.print(&format!("  header   {}", envelope.message_id));
    screen.print(&format!("  pending  {}", envelope.enqueued_at.format("%Y-%m-%d %H:%M:%SZ")));
    for step in history {
        let note = step.note.map(|n| format!(": {n}")).unwrap_or_default();
        screen.print(&format!(
            "  {:<10} {} by process {} on {}{note}",
            step.state,
            step.at.format("%Y-%m-%d %H:%M:%SZ"),
            step.by.pid,
            step.by.host
        ));
    }
    Ok(())
}

/// What became of messages, one a line.
fn said(screen: &Screen, all: &[Sent]) {
    if screen.json {
        screen.print_json(&all.iter().map(sent_json).collect());
        return;
    }
    if all.is_empty() {
        screen.print("nothing is due");
    }
    for one in all {
        screen.print(&format!("{} {}", one.id, line(one)));
    }
}

/// `board@example.com accepted: 250 ok`.
pub fn line(sent: &Sent) -> String {
    let note = sent.note.as_deref().map(|n| format!(": {n}")).unwrap_or_default();
    format!("{} {}{note}", sent.recipient, sent.state)
}

/// The shape of one message in the JSON of a run.
pub fn sent_json(sent: &Sent) -> Value {
    json!({ "id": sent.id, "recipient": sent.recipient, "state": sent.state, "note": sent.note })
}
