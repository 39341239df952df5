//! Reads the mailbox to which notices of non-delivery come, and marks the messages and mailboxes they are about.

use std::io::ErrorKind;
use std::path::Path;

use crate::base::Event;
use crate::deliver::{Notice, notices};
use crate::lake::{Bounce, MessageState, OutboxMessage};
use crate::run::RunError;
use crate::run::outbox::{Post, Sent, as_it_stands};

/// A notice quotes the message it is about, and that has a limit too.
const LARGEST: u64 = 20 << 20;

/// Takes what is new in the maildir of `mail.bounces`. A notice counts only if it names a message of the outbox and the very
/// recipient that was sent to: anybody can write to that mailbox.
pub async fn read_bounces(post: &Post) -> Result<Vec<Sent>, RunError> {
    let Some(folder) = &post.project.mail.bounces else { return Ok(vec![]) };
    let folder = post.project.root.join(folder);
    let new = match names(&folder.join("new")).await {
        Ok(names) => names,
        Err(error) => {
            // Messages go out all the same.
            let message = format!("the maildir of `bounces` cannot be read: {}: {error}", folder.join("new").display());
            post.observer.see(&Event::Warning { message });
            return Ok(vec![]);
        }
    };
    let mut touched = Vec::new();
    for name in new {
        let path = folder.join("new").join(&name);
        let failed = |cause| RunError::Files { what: path.display().to_string(), cause };
        let bytes = match read(&path).await {
            Ok(bytes) => bytes,
            // Another process was quicker, and has dealt with it.
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(e)),
        };
        let found = notices(&bytes);
        for notice in &found {
            touched.extend(mark(post, notice).await?);
        }
        // Seen, so that it is read once; `S` tells a person's mail program that it was dealt with.
        let flags = if found.is_empty() { ":2," } else { ":2,S" };
        tokio::fs::create_dir_all(folder.join("cur")).await.map_err(failed)?;
        // What fetched it may have given it flags already, as mbsync does.
        let plain = name.split_once(":2,").map_or(name.as_str(), |(plain, _)| plain);
        match tokio::fs::rename(&path, folder.join("cur").join(format!("{plain}{flags}"))).await {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
    }
    Ok(touched)
}

/// Nothing of a mail that is too large to be a notice.
async fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if tokio::fs::metadata(path).await?.len() > LARGEST { Ok(vec![]) } else { tokio::fs::read(path).await }
}

async fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound && folder.parent().is_some_and(Path::is_dir) => return Ok(vec![]),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_type().await?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

async fn mark(post: &Post, notice: &Notice) -> Result<Option<Sent>, RunError> {
    let Some(message) = sent_last(post, notice).await? else { return Ok(None) };
    let envelope = &message.envelope;
    if envelope.to.to_lowercase() != notice.recipient {
        return Ok(None);
    }
    let step = post.step(MessageState::Failed, Some(format!("it came back: {}", notice.why)));
    let marked = post.lake.advance_from(&envelope.id, message.steps, message.state, &step).await?;
    if notice.permanent {
        let (address, why, message) = (notice.recipient.clone(), notice.why.clone(), envelope.id.clone());
        post.lake.mark_bounce(&Bounce { address, at: post.system.clock.now(), why, message }).await?;
    }
    if marked { as_it_stands(post, &envelope.id).await.map(Some) } else { Ok(None) }
}

/// The last revision of the message a notice is about: all of them have one Message-ID.
async fn sent_last(post: &Post, notice: &Notice) -> Result<Option<OutboxMessage>, RunError> {
    let Some((id, _)) = notice.message_id.rsplit_once('@') else { return Ok(None) };
    // Whoever wrote the notice may have made the id up.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if id.is_empty() || id.len() > 150 || !id.chars().all(plain) {
        return Ok(None);
    }
    let mut last = post.lake.message(id).await?;
    for revision in 1.. {
        if last.is_none() {
            break;
        }
        match post.lake.message(&format!("{id}-r{revision}")).await? {
            Some(next) => last = Some(next),
            None => break,
        }
    }
    Ok(last)
}
