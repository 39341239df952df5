//! A channel that answers in every way, and notices of non-delivery: what the outbox says of each message afterwards.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::outbox::{deliver_due, enqueue, resend};
use super::outbox_tests::{messages, post, state};
use crate::lake::MessageState;

/// What a channel was sent: its head, lower-case, and its body.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

/// Answers each request with the next of `answers`, then with 200; an empty one hangs up after reading.
async fn serve(answers: Vec<&'static str>) -> (u16, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let taken = Taken::default();
    let kept = Arc::clone(&taken);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            let (head, body) = loop {
                let mut some = [0; 4096];
                let n = stream.read(&mut some).await.unwrap_or(0);
                read.extend_from_slice(&some[..n]);
                let text = String::from_utf8_lossy(&read).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let head = head.to_lowercase();
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
                    if body.len() >= length.unwrap_or(0) {
                        break (head, body.to_owned());
                    }
                }
                assert!(n > 0, "a whole request");
            };
            kept.lock().expect("taken").push((head, body));
            let answer = answers.next().unwrap_or("200 OK");
            if !answer.is_empty() {
                let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsaid");
                let _ = stream.write_all(text.as_bytes()).await;
            }
        }
    });
    (port, taken)
}

fn channel(port: u16) -> String {
    format!("channels:\n  ops: {{webhook: \"http://127.0.0.1:{port}/hook\", secret: Jefe, timeout_s: 2}}\n")
}

#[tokio::test]
async fn every_answer_of_a_channel_leaves_its_post_in_the_right_state() {
    use MessageState::{Accepted, Deferred, Failed, Unknown};
    let cases = [
        ("204 No Content", Accepted, 1),
        ("500 Oops", Deferred, 2),
        ("429 Slow down", Deferred, 2),
        ("404 Not found", Failed, 1),
        // Followed, it could lead the figures to somebody else.
        ("307 Elsewhere", Failed, 1),
        // Somebody behind the gateway may have taken it.
        ("502 Bad gateway", Unknown, 1),
        ("", Unknown, 1),
    ];
    let each = cases.into_iter().map(|(answer, expected, requests)| async move {
        let (port, taken) = serve(vec![answer]).await;
        let (post, clock) = post(&channel(port));
        let ids = enqueue(&post, messages(&post, &["ops"])).await.expect("kept");
        deliver_due(&post, Duration::ZERO).await.expect("posted or not");
        assert_eq!(state(&post, &ids[0]).await, expected, "{answer}");
        clock.fetch_add(3_600_000, Ordering::SeqCst);
        deliver_due(&post, Duration::ZERO).await.expect("posted or not");
        let after = if expected == Deferred { Accepted } else { expected };
        assert_eq!(state(&post, &ids[0]).await, after, "{answer}, the next try");
        let taken = taken.lock().expect("taken").clone();
        assert_eq!(taken.len(), requests, "{answer}");
        let (head, body) = &taken[0];
        assert!(
            head.contains(&format!("idempotency-key: {}", ids[0])) && head.contains("matins-signature: t="),
            "{head}"
        );
        let said: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((said["kind"].as_str(), said["subject"].as_str()), (Some("report"), Some("s")));
        assert!(taken.iter().all(|(_, again)| again == body), "the same bytes each time");
    });
    futures::future::join_all(each).await;
}

#[tokio::test]
async fn a_channel_that_is_not_reached_or_not_declared_any_more_gives_nothing_away() {
    let (post, _) = post(&channel(1));
    let ids = enqueue(&post, messages(&post, &["ops"])).await.expect("kept");
    deliver_due(&post, Duration::ZERO).await.expect("not posted");
    assert_eq!(state(&post, &ids[0]).await, MessageState::Deferred);
    let mut project = (*post.project).clone();
    project.channels.clear();
    let later = super::outbox::Post { project: Arc::new(project), ..post };
    let (clock, at) = (later.system.clock.clone(), later.system.clock.now());
    if let crate::system::Clock::Manual(ms) = &clock {
        ms.store(at.timestamp_millis() + 3_600_000, Ordering::SeqCst);
    }
    let sent = deliver_due(&later, Duration::ZERO).await.expect("said");
    assert_eq!(sent[0].state, MessageState::Failed);
    assert!(sent[0].note.as_ref().is_some_and(|n| n.contains("no channel `ops`")), "{sent:?}");
}

fn notice(recipient: &str, message_id: &str) -> String {
    format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=\"B\"\r\nMIME-Version: 1.0\r\n\r\n--B\r\n\
         Content-Type: text/plain\r\n\r\nsorry\r\n--B\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--B\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Message-ID: {message_id}\r\n\r\n--B--\r\n"
    )
}

#[tokio::test]
async fn a_message_that_came_back_is_failed_and_its_mailbox_gets_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let maildir = folder.path().join("bounces");
    std::fs::create_dir_all(maildir.join("new")).expect("a maildir");
    let (mail, bounces) = (folder.path().join("mail"), maildir.display());
    let (post, _) = post(&format!("mail:\n  folder: {}\n  bounces: {bounces}\n", mail.display()));
    let ids = enqueue(&post, messages(&post, &["gone@example.com", "here@example.com"])).await.expect("kept");
    deliver_due(&post, Duration::ZERO).await.expect("delivered");
    let header = post.lake.message(&ids[0]).await.expect("read").expect("there").envelope.message_id;
    // One that is true, one of somebody who was not written to, one of a message that never was, and no notice at all.
    for (n, text) in [
        notice("Gone@Example.com", &header),
        notice("here@example.com", &header),
        notice("gone@example.com", "<2011-12-10-none@example.com>"),
        "Subject: Out of office\r\n\r\nBack on Monday\r\n".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        // As mbsync calls what it fetches: with flags, of which there are none yet.
        std::fs::write(maildir.join(format!("new/{n},U={n}:2,")), text).expect("a notice");
    }
    let touched = deliver_due(&post, Duration::ZERO).await.expect("read");
    assert_eq!(touched.len(), 1, "{touched:?}");
    let note = touched[0].note.clone().unwrap_or_default();
    assert_eq!((touched[0].state, note.as_str()), (MessageState::Failed, "it came back: 550 5.1.1 no such user"));
    assert_eq!(state(&post, &ids[1]).await, MessageState::Accepted);
    assert_eq!(std::fs::read_dir(maildir.join("new")).expect("read").count(), 0, "each is read once");
    let seen = std::fs::read_dir(maildir.join("cur")).expect("read");
    let mut seen: Vec<_> = seen.map(|e| e.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    seen.sort();
    assert_eq!(seen, ["0,U=0:2,S", "1,U=1:2,S", "2,U=2:2,S", "3,U=3:2,"]);
    // The next report to that mailbox stands in the outbox with the reason.
    let mut next = messages(&post, &["gone@example.com"]);
    next[0].envelope.id = "2011-12-11-next".into();
    let next = enqueue(&post, next).await.expect("kept");
    assert_eq!(state(&post, &next[0]).await, MessageState::Suppressed);
    // A person who sends it again knows better; and so does one who says that all is well.
    let again = resend(&post, &ids[0]).await.expect("sent again");
    assert_eq!(again.state, MessageState::Accepted);
    assert!(post.lake.forget_bounce("GONE@example.com").await.expect("forgotten"));
    assert!(post.lake.bounces().await.expect("read").is_empty());
}
