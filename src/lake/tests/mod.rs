//! Stories that need more than one file of the room.

mod chain;
mod cursor;
mod gc;
mod model;
mod simulation;

use chrono::{DateTime, FixedOffset, TimeDelta};
use std::collections::BTreeMap;

use crate::base::{Fingerprint, TableName};
use crate::lake::testing::{fingerprint, holder, now, pipeline, run, this_machine};
use crate::lake::{Held, Lake, Publication, PublishedTable, Sealed, lease, seal};

async fn take(lake: &Lake, id: &str) -> Held {
    lease::take(lake, &pipeline(), holder(), run(id), id, now(), &this_machine()).await.expect("taken")
}

/// The end of a day's interval.
fn day(n: i64) -> DateTime<FixedOffset> {
    now().fixed_offset() + TimeDelta::days(n)
}

fn publication(id: &str, end: DateTime<FixedOffset>) -> Publication {
    Publication {
        run: run(id),
        start: end - TimeDelta::days(1),
        end,
        as_of: end.date_naive().to_string(),
        time_zone: "UTC".into(),
        content: fingerprint("nothing yet"),
        reproducible: true,
        tables: std::collections::BTreeMap::new(),
        balances: std::collections::BTreeMap::new(),
        checks: Vec::new(),
        kpis: None,
        alerts: Vec::new(),
    }
}

fn sealed(name: &str, of: Fingerprint) -> Sealed {
    let name: TableName = name.parse().expect("a name");
    let table = PublishedTable {
        name,
        fingerprint: of,
        rows: 1,
        parts: vec![of],
        checks: fingerprint("checks"),
        made_from: BTreeMap::new(),
    };
    seal(table, &[]).expect("nothing failed")
}

async fn publish(lake: &Lake, held: &mut Held, id: &str, end: DateTime<FixedOffset>, tables: Vec<Sealed>) -> u64 {
    held.publish(lake, publication(id, end), tables, false, id, now()).await.expect("published")
}
