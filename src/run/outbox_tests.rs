//! A mail server that fails at every point of the dialogue, and what the outbox says of each message afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use object_store::memory::InMemory;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::outbox::{self, Post, deliver_due, enqueue, resend, suppress};
use super::{Keeper, RunError};
use crate::base::{AsOf, Event, Observer, SourceText};
use crate::config::{Destination, load};
use crate::deliver::{Content, Letter, Links, Message};
use crate::lake::{Lake, MessageKind, MessageState, MessageStep};
use crate::system::{Clock, Environment, Ids, Machine, Process, ProjectFiles, System};

/// Where in the dialogue something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    Greeting,
    Mail,
    Rcpt,
    Data,
    /// While the message is being read.
    Body,
    /// After the whole message was read.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Say(&'static str),
    /// Goes away without a word.
    Reset,
    Stall,
    /// Says that it was reached, and goes on as usual when it is told to.
    Hold,
}

/// What a server was told, and what it does next.
#[derive(Default)]
struct Server {
    /// For the next connections, in order; afterwards all is well.
    plans: Mutex<Vec<(Point, Act)>>,
    /// How often DATA was asked for.
    asked: Mutex<usize>,
    /// Recipient and text of what it took.
    took: Mutex<Vec<(String, String)>>,
    reached: Notify,
    go_on: Notify,
}

async fn serve(server: Arc<Server>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let plan = {
                    let mut plans = server.plans.lock().expect("plans");
                    if plans.is_empty() { None } else { Some(plans.remove(0)) }
                };
                talk(&server, plan, stream).await;
            });
        }
    });
    port
}

/// One connection; ends when the client leaves or the plan says so.
async fn talk(server: &Server, plan: Option<(Point, Act)>, stream: tokio::net::TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let act = |at: Point| plan.filter(|(point, _)| *point == at).map(|(_, act)| act);
    let mut spent = false;
    let mut recipient = String::new();
    macro_rules! answer {
        ($at:expr, $usual:expr) => {
            match act($at).filter(|_| !std::mem::replace(&mut spent, act($at).is_some())) {
                Some(Act::Reset) => return,
                Some(Act::Stall) => {
                    tokio::time::sleep(Duration::from_mins(1)).await;
                    return;
                }
                Some(Act::Hold) => {
                    server.reached.notify_one();
                    server.go_on.notified().await;
                    let _ = write.write_all(format!("{}\r\n", $usual).as_bytes()).await;
                    true
                }
                Some(Act::Say(words)) => {
                    let _ = write.write_all(format!("{words}\r\n").as_bytes()).await;
                    false
                }
                None => {
                    let _ = write.write_all(format!("{}\r\n", $usual).as_bytes()).await;
                    true
                }
            }
        };
    }
    answer!(Point::Greeting, "220 fake ESMTP");
    while let Ok(Some(line)) = lines.next_line().await {
        let upper = line.to_uppercase();
        if upper.starts_with("EHLO") {
            let _ = write.write_all(b"250-fake\r\n250 SIZE 1000000\r\n").await;
        } else if upper.starts_with("MAIL") {
            answer!(Point::Mail, "250 ok");
        } else if upper.starts_with("RCPT") {
            recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
            answer!(Point::Rcpt, "250 ok");
        } else if upper.starts_with("DATA") {
            *server.asked.lock().expect("asked") += 1;
            if !answer!(Point::Data, "354 go on") {
                continue;
            }
            let mut text = String::new();
            loop {
                let Ok(Some(line)) = lines.next_line().await else { return };
                if act(Point::Body) == Some(Act::Reset) {
                    return;
                }
                if line == "." {
                    break;
                }
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
            }
            let taken = match act(Point::End) {
                // It keeps the message, and its answer never arrives.
                Some(Act::Reset | Act::Stall | Act::Hold) | None => true,
                Some(Act::Say(_)) => false,
            };
            if taken {
                server.took.lock().expect("took").push((recipient.clone(), text));
            }
            answer!(Point::End, "250 2.0.0 queued");
        } else if upper.starts_with("QUIT") {
            let _ = write.write_all(b"221 bye\r\n").await;
            return;
        } else {
            let _ = write.write_all(b"250 ok\r\n").await;
        }
    }
}

struct Silent;

impl Observer for Silent {
    fn see(&self, _: &Event) {}
}

pub(super) fn post(mail: &str) -> (Post, Arc<AtomicI64>) {
    let texts = BTreeMap::from([("matins.yaml".to_owned(), SourceText::new("matins.yaml", mail))]);
    let (project, found) = load(&ProjectFiles { root: "/nowhere".into(), texts }, &Environment::default());
    assert!(found.is_empty(), "{found:?}");
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
    let system = System {
        clock: Clock::Manual(Arc::clone(&clock)),
        environment: Environment::default(),
        ids: Ids::Counting(Arc::new(AtomicU64::new(0))),
        machine: Machine::this(),
    };
    let lake = Lake::in_store(Arc::new(InMemory::new()), "memory:///");
    let project = Arc::new(project.expect("a project"));
    (Post { project, lake, system, observer: Arc::new(Silent), lease: Keeper::default() }, clock)
}

fn to_server(port: u16, more: &str) -> (Post, Arc<AtomicI64>) {
    post(&format!(
        "mail:\n  from: matins@example.com\n  transport: {{smtp: {{host: 127.0.0.1, port: {port}, security: none, timeout_s: 1}}}}\n{more}"
    ))
}

pub(super) fn messages(post: &Post, recipients: &[&str]) -> Vec<Message> {
    let as_of = AsOf::parse("2011-12-10", chrono_tz::Europe::London).expect("a date");
    let pipeline = "shop".parse().expect("a name");
    let content = Content::Plain { subject: "s", text: ".\nfor one\n" };
    let to: Vec<Destination> = recipients
        .iter()
        .map(|r| {
            if r.contains('@') {
                Destination::Address((*r).into())
            } else {
                Destination::Channel(r.parse().expect("a name"))
            }
        })
        .collect();
    let letter = |to| {
        let (kind, subject_of, as_of, date) = (MessageKind::Report, "executive", &as_of, as_of.0.to_utc());
        Letter { kind, pipeline: &pipeline, subject_of, as_of, to, date }
    };
    let letters: Vec<Letter<'_>> = to.iter().map(letter).collect();
    outbox::composed(post, &letters, content, &Links::default()).expect("composed")
}

pub(super) async fn state(post: &Post, id: &str) -> MessageState {
    post.lake.message(id).await.expect("read").expect("there").state
}

#[tokio::test]
async fn every_fault_leaves_its_message_in_the_right_state() {
    use MessageState::{Accepted, Deferred, Failed, Unknown};
    let (later, never) = (Act::Say("451 4.7.1 try again later"), Act::Say("550 5.1.1 no such mailbox"));
    // Where, what, the state then, and after the next try.
    let cases = [
        (Point::Greeting, Act::Reset, Deferred, Accepted),
        (Point::Greeting, Act::Stall, Deferred, Accepted),
        (Point::Greeting, Act::Say("554 no service"), Deferred, Accepted),
        (Point::Mail, later, Deferred, Accepted),
        (Point::Mail, Act::Reset, Deferred, Accepted),
        (Point::Mail, never, Failed, Failed),
        (Point::Rcpt, later, Deferred, Accepted),
        (Point::Rcpt, never, Failed, Failed),
        (Point::Rcpt, Act::Stall, Deferred, Accepted),
        (Point::Rcpt, Act::Say("421 closing"), Deferred, Accepted),
        (Point::Data, later, Deferred, Accepted),
        (Point::Data, never, Failed, Failed),
        (Point::Data, Act::Reset, Unknown, Unknown),
        (Point::Body, Act::Reset, Unknown, Unknown),
        (Point::End, Act::Say("452 full"), Deferred, Accepted),
        (Point::End, Act::Say("554 spam"), Failed, Failed),
        (Point::End, Act::Reset, Unknown, Unknown),
        (Point::End, Act::Stall, Unknown, Unknown),
    ];
    let each = cases.into_iter().map(|(point, act, first, second)| async move {
        let server = Arc::new(Server::default());
        server.plans.lock().expect("plans").push((point, act));
        let port = serve(Arc::clone(&server)).await;
        let (post, clock) = to_server(port, "");
        let ids = enqueue(&post, messages(&post, &["board@example.com"])).await.expect("kept");
        deliver_due(&post, Duration::ZERO).await.expect("delivered or not");
        assert_eq!(state(&post, &ids[0]).await, first, "{point:?} {act:?}");
        let message = post.lake.message(&ids[0]).await.expect("read").expect("there");
        let last = message.last.expect("a step");
        assert_eq!(last.next_try.is_some(), first == Deferred, "{point:?} {act:?}");
        if let Act::Say(words) = act {
            let said = last.note.expect("the server's words");
            assert!(said.contains(words.split(' ').next().unwrap_or_default()), "{said}");
        }
        clock.fetch_add(3_600_000, Ordering::SeqCst);
        deliver_due(&post, Duration::ZERO).await.expect("delivered or not");
        assert_eq!(state(&post, &ids[0]).await, second, "{point:?} {act:?}, the next try");
        let took = server.took.lock().expect("took").len();
        assert!(took <= 1, "{point:?} {act:?}: nobody gets two, and {took} were taken");
        assert!(second != Accepted || took == 1);
        let answered = matches!(act, Act::Say(_));
        let asked = *server.asked.lock().expect("asked");
        assert!(answered || asked <= 1, "{point:?} {act:?}: DATA {asked} times");
        clock.fetch_add(90_000_000, Ordering::SeqCst);
        assert!(deliver_due(&post, Duration::ZERO).await.expect("nothing").is_empty(), "settled");
    });
    futures::future::join_all(each).await;
}

#[tokio::test]
async fn a_refused_message_is_given_up_in_the_end_and_the_wait_grows() {
    let server = Arc::new(Server::default());
    let port = serve(Arc::clone(&server)).await;
    let (post, clock) = to_server(port, "  give_up_after_hours: 2\n");
    let ids = enqueue(&post, messages(&post, &["board@example.com"])).await.expect("kept");
    let mut tries = 0;
    while state(&post, &ids[0]).await != MessageState::Failed {
        server.plans.lock().expect("plans").push((Point::Rcpt, Act::Say("450 greylisted")));
        deliver_due(&post, Duration::ZERO).await.expect("tried");
        server.plans.lock().expect("plans").clear();
        tries += 1;
        assert!(tries < 60, "it ends");
        clock.fetch_add(600_000, Ordering::SeqCst);
    }
    let history = post.lake.message_history(&ids[0]).await.expect("read");
    let note = history.last().and_then(|s| s.note.clone()).unwrap_or_default();
    assert!(note.starts_with("given up after 2 h") && note.contains("450"), "{note}");
    assert!(server.took.lock().expect("took").is_empty());
}

#[tokio::test]
async fn what_a_dead_process_left_in_sending_is_unknown_and_only_a_person_sends_it_again() {
    let server = Arc::new(Server::default());
    let port = serve(Arc::clone(&server)).await;
    let (post, _) = to_server(port, "");
    let ids = enqueue(&post, messages(&post, &["board@example.com"])).await.expect("kept");
    let dead = Process { started_s: 1, ..post.system.machine.process() };
    let at = post.system.clock.now();
    let step =
        MessageStep { state: MessageState::Sending, at, by: dead, nonce: "n".into(), note: None, next_try: None };
    assert!(post.lake.advance(&ids[0], &step).await.expect("marked"));
    let sent = deliver_due(&post, Duration::ZERO).await.expect("looked");
    assert_eq!(sent[0].state, MessageState::Unknown);
    assert!(outbox::verdict(&sent).is_err_and(|e| e.exit_code() == 5));
    assert!(server.took.lock().expect("took").is_empty());
    let again = resend(&post, &ids[0]).await.expect("sent again");
    assert_eq!((again.state, again.id.ends_with("-r1")), (MessageState::Accepted, true));
    assert_eq!(state(&post, &ids[0]).await, MessageState::Suppressed);
    assert_eq!(server.took.lock().expect("took").len(), 1);
    assert!(matches!(resend(&post, "nothing").await, Err(RunError::Usage(_))));
    assert!(matches!(suppress(&post, &again.id, None).await, Err(RunError::Usage(_))), "accepted stays accepted");
}

/// A sender that stands still in the middle of the dialogue, while another finds the same message.
#[tokio::test]
async fn of_two_senders_of_one_message_the_frozen_one_sends_it_only_if_the_mark_is_its_own() {
    use MessageState::{Accepted, Sending, Unknown};
    // Before its mark and after it; what the other makes of the message at once, and two hours later.
    for (point, at_once, later) in [(Point::Rcpt, Accepted, Accepted), (Point::Data, Sending, Unknown)] {
        let server = Arc::new(Server::default());
        server.plans.lock().expect("plans").push((point, Act::Hold));
        let port = serve(Arc::clone(&server)).await;
        let (post, clock) = to_server(port, "");
        let ids = enqueue(&post, messages(&post, &["board@example.com"])).await.expect("kept");
        let meanwhile = async {
            server.reached.notified().await;
            let other = post.clone();
            deliver_due(&other, Duration::ZERO).await.expect("looked");
            let first = state(&other, &ids[0]).await;
            clock.fetch_add(7_200_000, Ordering::SeqCst);
            deliver_due(&other, Duration::ZERO).await.expect("looked");
            let second = state(&other, &ids[0]).await;
            server.go_on.notify_one();
            (first, second)
        };
        let (woken, found) = tokio::join!(deliver_due(&post, Duration::ZERO), meanwhile);
        woken.expect("it ends well");
        assert_eq!(found, (at_once, later), "{point:?}");
        assert_eq!(state(&post, &ids[0]).await, later, "{point:?}: what stands is not written over");
        assert_eq!(server.took.lock().expect("took").len(), 1, "{point:?}: one delivery");
        clock.fetch_add(90_000_000, Ordering::SeqCst);
        assert!(deliver_due(&post, Duration::ZERO).await.expect("nothing").is_empty(), "{point:?}: settled");
        assert_eq!(*server.asked.lock().expect("asked"), 1, "{point:?}: one DATA");
    }
}

#[tokio::test]
async fn recipients_that_are_not_allowed_get_nothing() {
    use MessageState::{Accepted, Suppressed};
    let server = Arc::new(Server::default());
    let port = serve(Arc::clone(&server)).await;
    let (post, _) = to_server(port, "  allow: [\"*@Example.com\", boss@other.org]\n");
    let people = ["a@example.com", "b@other.org", "Boss <BOSS@other.org>", "c@notexample.com"];
    let ids = enqueue(&post, messages(&post, &people)).await.expect("kept");
    deliver_due(&post, Duration::ZERO).await.expect("delivered");
    let mut states = Vec::new();
    for id in &ids {
        states.push(state(&post, id).await);
    }
    assert_eq!(states, [Accepted, Suppressed, Accepted, Suppressed]);
    let took = server.took.lock().expect("took").clone();
    assert_eq!(took.len(), 2);
    assert!(took.iter().all(|(_, text)| text.contains("\n.\nfor one\n")), "a lone point arrives as it was written");
}

#[tokio::test]
async fn many_messages_over_few_connections_are_sent_once_each_by_two_processes_at_once() {
    let server = Arc::new(Server::default());
    let port = serve(Arc::clone(&server)).await;
    let (post, _) = to_server(port, "");
    let people: Vec<String> = (0..60).map(|n| format!("p{n}@example.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    enqueue(&post, messages(&post, &people)).await.expect("kept");
    let (one, other) =
        tokio::join!(deliver_due(&post, Duration::ZERO), async { deliver_due(&post.clone(), Duration::ZERO).await });
    one.and(other).expect("delivered");
    let mut got: Vec<String> = server.took.lock().expect("took").iter().map(|(to, _)| to.clone()).collect();
    got.sort();
    let mut wanted: Vec<String> = people.iter().map(|p| (*p).to_owned()).collect();
    wanted.sort();
    assert_eq!(got, wanted);
}
