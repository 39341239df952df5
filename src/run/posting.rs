//! Takes posts from the outbox to their channels. The same states as a mail's: nothing leaves before the create-only marker
//! stands, and after it only an answer says what became of the post.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};

use crate::base::ChannelName;
use crate::config::{Channel, ChannelKind};
use crate::deliver::{Fault, Hook};
use crate::lake::{MessageState, OutboxMessage};
use crate::run::RunError;
use crate::run::error::describe;
use crate::run::open::known;
use crate::run::outbox::{Post, Sent, as_it_stands, later};

const POSTS_AT_ONCE: usize = 4;

/// A channel as it can be used now, or why it cannot.
type Opened = Result<Hook, Fault>;

pub(super) async fn by_post(post: &Post, due: Vec<OutboxMessage>) -> Result<Vec<Sent>, RunError> {
    let mut hooks: BTreeMap<ChannelName, Opened> = BTreeMap::new();
    for name in due.iter().filter_map(|m| m.envelope.channel.as_ref()) {
        if !hooks.contains_key(name) {
            hooks.insert(name.clone(), open(post.project.channels.get(name), name));
        }
    }
    let hooks = &hooks;
    let each = due.into_iter().map(|message| async move {
        let hook = message.envelope.channel.as_ref().and_then(|name| hooks.get(name));
        match hook {
            Some(hook) => one_by_post(post, hook, message).await,
            None => as_it_stands(post, &message.envelope.id).await,
        }
    });
    futures::stream::iter(each).buffered(POSTS_AT_ONCE).try_collect().await
}

fn open(channel: Option<&Channel>, name: &ChannelName) -> Opened {
    let Some(channel) = channel else {
        return Err(Fault::Refused(format!("matins.yaml declares no channel `{name}` any more")));
    };
    // A variable that is not set today may be tomorrow.
    let text = |setting| known(setting).map_err(|_| Fault::Later(format!("a variable of channel `{name}` is not set")));
    let url = text(&channel.url.0)?;
    let secret = match &channel.kind {
        ChannelKind::Webhook { secret: Some(secret) } => Some(text(&secret.0)?),
        _ => None,
    };
    let timeout = Duration::from_secs(u64::from(channel.timeout_s));
    Hook::new(&url, secret.as_deref(), timeout).map_err(|e| Fault::Later(describe(&e)))
}

async fn one_by_post(post: &Post, hook: &Opened, message: OutboxMessage) -> Result<Sent, RunError> {
    let id = &message.envelope.id;
    if message.state == MessageState::Sending {
        let note = "its process ended after it had begun to post the message".to_owned();
        let step = post.step(MessageState::Unknown, Some(note));
        post.lake.advance_from(id, message.steps, message.state, &step).await?;
        return as_it_stands(post, id).await;
    }
    let Some(bytes) = post.lake.message_bytes(&message.envelope).await? else { return as_it_stands(post, id).await };
    let mut number = message.steps;
    let done = match hook {
        Err(fault) => Err(fault.clone()),
        Ok(hook) => {
            post.lease.verify(&post.lake).await?;
            let marked = post.step(MessageState::Sending, None);
            if !post.lake.advance_from(id, number, message.state, &marked).await? {
                return as_it_stands(post, id).await;
            }
            number += 1;
            hook.post(id, &bytes, post.system.clock.now()).await
        }
    };
    let from = if hook.is_ok() { MessageState::Sending } else { message.state };
    let step = match done {
        Ok(words) => post.step(MessageState::Accepted, Some(words)),
        Err(Fault::Refused(words)) => post.step(MessageState::Failed, Some(words)),
        Err(Fault::Later(words)) => later(post, id, number, words).await?,
        Err(Fault::Lost(words)) => {
            post.step(MessageState::Unknown, Some(format!("there was no answer to the post: {words}")))
        }
    };
    post.lake.advance_from(id, number, from, &step).await?;
    as_it_stands(post, id).await
}
