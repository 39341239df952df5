//! Publishing, fencing, the head, and walking back.

use super::{day, publication, publish, sealed, take};
use crate::lake::lease::{self, Sighting};
use crate::lake::testing::{Lies, Lying, both_kinds, fingerprint, holder, in_memory, now, pipeline, run};
use crate::lake::{ChainError, Held, content_of, paths};

#[tokio::test]
async fn what_is_published_is_what_readers_follow() {
    for (lake, _folder) in both_kinds() {
        let mut held = take(&lake, "a").await;
        assert!(lake.head(&pipeline()).await.expect("read").is_none());
        let tables = vec![sealed("core.orders", fingerprint("t"))];
        let number = publish(&lake, &mut held, "a1", day(1), tables).await;
        let head = lake.head(&pipeline()).await.expect("read").expect("a head");
        assert_eq!(head.number, number);
        let published = head.publication.expect("a publication");
        assert_eq!(published.tables.len(), 1);
        assert_eq!(published.content, content_of(&published.tables));
    }
}

#[tokio::test]
async fn a_fenced_holder_cannot_publish() {
    for (lake, _folder) in both_kinds() {
        let mut frozen = take(&lake, "frozen").await;
        frozen.verify(&lake).await.expect("still ours");
        let expired = Sighting { number: 1, epoch: 1, beat: None };
        let mut awake = lease::take_over(&lake, &pipeline(), holder(), run("awake"), "awake", now(), &expired)
            .await
            .expect("taken");
        let refused = frozen.publish(&lake, publication("frozen", day(1)), Vec::new(), false, "f", now()).await;
        let Err(ChainError::Fenced { by: Some(by), number: 2, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(by, *awake.lease());
        assert!(matches!(frozen.verify(&lake).await, Err(ChainError::Fenced { .. })));
        assert!(matches!(frozen.release(&lake, "f", now()).await, Err(ChainError::Fenced { .. })));
        assert_eq!(publish(&lake, &mut awake, "awake", day(1), Vec::new()).await, 3);
        let refused = frozen.publish(&lake, publication("frozen", day(1)), Vec::new(), false, "f", now()).await;
        assert!(matches!(refused, Err(ChainError::Fenced { .. })), "however often it tries");
    }
}

#[tokio::test]
async fn a_released_lease_publishes_nothing_more() {
    let lake = in_memory();
    let mut held = take(&lake, "a").await;
    held.publish(&lake, publication("a", day(1)), Vec::new(), true, "a1", now()).await.expect("published");
    held.release(&lake, "a2", now()).await.expect("it is released already");
    let again = held.publish(&lake, publication("a", day(2)), Vec::new(), true, "a3", now()).await;
    assert!(matches!(again, Err(ChainError::Fenced { by: None, .. })));
    assert_eq!(lake.latest(&pipeline()).await.expect("read").expect("a link").number, 2);
}

#[tokio::test]
async fn backfilling_does_not_move_the_head() {
    let lake = in_memory();
    let mut held = take(&lake, "a").await;
    let today = publish(&lake, &mut held, "a1", day(10), Vec::new()).await;
    publish(&lake, &mut held, "a2", day(3), Vec::new()).await;
    assert_eq!(lake.head(&pipeline()).await.expect("read").expect("a head").number, today);
    held.release(&lake, "a3", now()).await.expect("released");
    // Another holder knows no less.
    let mut held = take(&lake, "b").await;
    publish(&lake, &mut held, "b1", day(4), Vec::new()).await;
    assert_eq!(held.head(), Some(today));
    let again = publish(&lake, &mut held, "b2", day(10), Vec::new()).await;
    assert_eq!(held.head(), Some(again), "the same interval published again is the later word");
}

#[tokio::test]
async fn a_rollback_holds_the_head_until_it_is_released() {
    let lake = in_memory();
    let mut held = take(&lake, "a").await;
    let good = publish(&lake, &mut held, "a1", day(1), Vec::new()).await;
    publish(&lake, &mut held, "a2", day(2), Vec::new()).await;
    let taken = held.rollback(&lake, 1, false, "x", now()).await;
    assert!(matches!(taken, Err(ChainError::NotPublished { number: 1, .. })), "a lease change is nothing to follow");
    held.rollback(&lake, good, true, "a3", now()).await.expect("rolled back");
    let mut held = take(&lake, "b").await;
    let newest = publish(&lake, &mut held, "b1", day(3), Vec::new()).await;
    assert_eq!(lake.head(&pipeline()).await.expect("read").expect("a head").number, good);
    publish(&lake, &mut held, "b2", day(2), Vec::new()).await;
    held.release_rollback(&lake, false, "b3", now()).await.expect("released");
    assert_eq!(lake.head(&pipeline()).await.expect("read").expect("a head").number, newest);
    let next = publish(&lake, &mut held, "b4", day(4), Vec::new()).await;
    assert_eq!(held.head(), Some(next));
}

#[tokio::test]
async fn publications_are_walked_newest_first() {
    let lake = in_memory();
    let mut published = Vec::new();
    for id in ["a", "b", "c"] {
        let mut held = take(&lake, id).await;
        published.push(publish(&lake, &mut held, &format!("{id}1"), day(1), Vec::new()).await);
        published.push(publish(&lake, &mut held, &format!("{id}2"), day(2), Vec::new()).await);
        held.release(&lake, &format!("{id}3"), now()).await.expect("released");
    }
    published.reverse();
    let walked = lake.publications(&pipeline(), usize::MAX).await.expect("walked");
    assert_eq!(walked.iter().map(|m| m.number).collect::<Vec<_>>(), published);
    assert_eq!(lake.publications(&pipeline(), 2).await.expect("walked").len(), 2);
    assert!(lake.publications(&pipeline(), 0).await.expect("walked").is_empty());
}

#[tokio::test]
async fn a_hint_that_is_wrong_only_costs_time() {
    for (lake, _folder) in both_kinds() {
        let mut held = take(&lake, "a").await;
        for n in 0..30 {
            publish(&lake, &mut held, &format!("a{n}"), day(n), Vec::new()).await;
        }
        let hint = paths::latest_hint(&pipeline());
        for wrong in ["1", "29", "77", "garbage", ""] {
            lake.put(&hint, wrong.as_bytes().to_vec()).await.expect("written");
            assert_eq!(lake.latest(&pipeline()).await.expect("read").expect("a link").number, 31, "{wrong}");
        }
        lake.delete(&[hint]).await.expect("deleted");
        assert_eq!(lake.latest(&pipeline()).await.expect("read").expect("a link").number, 31);
    }
}

#[tokio::test]
async fn a_taking_that_reported_exists_is_ours() {
    for lies in [Lies::WroteSaidExists, Lies::AnswerLost] {
        let lake = Lying::lake(lies);
        assert_eq!(take(&lake, "a").await.lease().epoch, 1);
    }
}

/// The answer to a publication was lost, and so was looking it up. Asked again, with another nonce, it is not made twice.
#[tokio::test]
async fn a_publication_whose_answer_was_lost_is_not_made_twice() {
    let lake = in_memory();
    let mut held = take(&lake, "a").await;
    let taking = lake.latest(&pipeline()).await.expect("read").expect("a link");
    publish(&lake, &mut held, "a1", day(1), Vec::new()).await;
    // A holder that saw only the taking.
    let mut behind = Held::new(&lake, &pipeline(), taking).await.expect("held");
    assert_eq!(publish(&lake, &mut behind, "a1", day(1), Vec::new()).await, 2);
    assert_eq!(publish(&lake, &mut behind, "a2", day(2), Vec::new()).await, 3);
    assert_eq!(behind.head(), Some(3));
}

#[tokio::test]
async fn the_same_run_asking_again_has_what_it_holds() {
    let lake = in_memory();
    let first = take(&lake, "a").await;
    let again = take(&lake, "a").await;
    assert_eq!(first.lease(), again.lease());
    assert_eq!(lake.latest(&pipeline()).await.expect("read").expect("a link").number, 1);
}
