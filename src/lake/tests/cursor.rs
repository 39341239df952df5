//! How far a schedule is accounted for: it moves with what is published, and never back.

use chrono::TimeDelta;

use super::{day, publication, take};
use crate::base::Fingerprint;
use crate::lake::testing::{both_kinds, fingerprint, in_memory, now, pipeline};
use crate::lake::{Held, Lake};
use crate::plan::Cursor;

fn cursor(version: &str, days: i64) -> Cursor {
    let at = now() + TimeDelta::days(days);
    Cursor {
        version: fingerprint(version),
        paused: false,
        fires_until: at,
        intervals_until: at,
        next: None,
        after: std::collections::BTreeMap::new(),
        skipped: vec![],
    }
}

async fn standing(lake: &Lake) -> Option<Cursor> {
    lake.latest(&pipeline()).await.expect("read").expect("a link").cursor
}

async fn account(lake: &Lake, held: &mut Held, from: Option<Fingerprint>, cursor: Cursor, nonce: &str) {
    held.account(from, cursor);
    held.release(lake, nonce, now()).await.expect("released");
}

#[tokio::test]
async fn it_moves_with_the_put_that_publishes_and_stays_in_every_link() {
    for (lake, _folder) in both_kinds() {
        let mut held = take(&lake, "a").await;
        account(&lake, &mut held, None, cursor("v", 0), "a1").await;
        let mut held = take(&lake, "b").await;
        assert_eq!(standing(&lake).await, Some(cursor("v", 0)), "taking the lease carries it on");
        held.account(Some(fingerprint("v")), cursor("v", 1));
        held.publish(&lake, publication("b", day(1)), Vec::new(), false, "b1", now()).await.expect("published");
        assert_eq!(standing(&lake).await, Some(cursor("v", 1)));
        held.publish(&lake, publication("b", day(2)), Vec::new(), true, "b2", now()).await.expect("published");
        assert_eq!(standing(&lake).await, Some(cursor("v", 1)), "a person's run says nothing of it");
        // The pipeline's readers see no difference.
        assert_eq!(lake.publications(&pipeline(), 9).await.expect("read").len(), 2);
    }
}

#[tokio::test]
async fn an_old_decision_does_not_move_it_back() {
    let lake = in_memory();
    let mut held = take(&lake, "a").await;
    account(&lake, &mut held, None, cursor("v", 5), "a1").await;
    // Decided before another scheduler did the same night and the ones after it.
    let mut held = take(&lake, "b").await;
    account(&lake, &mut held, Some(fingerprint("v")), cursor("v", 2), "b1").await;
    assert_eq!(standing(&lake).await, Some(cursor("v", 5)));
    // The schedule was changed since it was decided.
    let mut held = take(&lake, "c").await;
    account(&lake, &mut held, Some(fingerprint("v")), cursor("w", 3), "c1").await;
    assert_eq!(standing(&lake).await, Some(cursor("w", 3)), "a new version may begin anywhere");
    let mut held = take(&lake, "d").await;
    account(&lake, &mut held, Some(fingerprint("v")), cursor("v", 9), "d1").await;
    assert_eq!(standing(&lake).await, Some(cursor("w", 3)));
}
