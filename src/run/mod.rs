//! The conductor: the only room that calls rooms in order. Lease, retries, time-outs, events. Holds no SQL and no HTML.

mod archive;
mod backfill;
mod bounces;
mod burst;
mod check;
mod error;
mod explain;
mod garbage;
mod keeper;
mod kpis;
mod look;
mod night;
mod notices;
mod notify;
mod open;
pub mod outbox;
#[cfg(test)]
mod outbox_tests;
mod pdf;
mod posting;
#[cfg(test)]
mod posting_tests;
mod preview;
mod proof;
mod publish;
mod query;
mod report;
mod retry;
mod running;
mod sample;
mod session;
mod slots;
mod step;
mod test;
mod turns;
mod urgency;
mod watch;
mod work;
#[cfg(test)]
mod work_tests;

pub use archive::{archived, rebuild};
pub use backfill::{Filling, Outlook, backfill, outlook};
pub use check::{Checked, check_project};
pub use error::{RunError, code_of, describe};
pub use explain::{Explained, OF_CLOSED, SourceExports, TableLine, balance_of, explain, rests_on};
pub use garbage::collect_garbage;
pub use keeper::{Keeper, asked_lease_timeout, lease_timeout};
pub use kpis::{KpiValue, Restated};
pub use night::{Night, Options, plan_interval, run_interval};
pub use notices::{overdue, tell_delays};
pub use notify::{Desk, help, nearest, tell_failure, tell_lateness, tell_outcome};
pub use open::{Workshop, engine, open, open_beside, open_exports, open_lake, open_without_exports};
pub use preview::{Preview, preview};
pub use publish::{notable, total};
pub use query::query;
pub use report::{Rendered, report};
pub use retry::jitter;
pub use running::{Running, stop};
pub use sample::{ensure_sample, write_sample};
pub use session::Session;
pub use test::{Finding, Outcome, Tested, test_stages};
pub use watch::{cancel, heard_within};
