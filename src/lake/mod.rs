//! Everything durable: paths, create-only commits, snapshots, run records, leases, outbox states, gc. Knows no SQL.
//!
//! One rule carries it all: an object that decides something is created once and never written over. `lake` has the create,
//! `markers` use it for what is made, `chain` and `held` for what is published and by whom, `outbox` for what was sent.

mod bounces;
mod chain;
mod disk;
mod durable;
mod error;
mod gc;
mod held;
#[expect(clippy::module_inception, reason = "the lake is the room's main value")]
mod lake;
pub mod lease;
mod markers;
mod near;
mod outbox;
pub mod paths;
mod reach;
mod records;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod types;

pub use bounces::Bounce;
pub use chain::content_of;
pub use disk::Stored;
pub use error::{ChainError, LakeError, TakeError};
pub use gc::{Doomed, GcPhase, GcPolicy, GcReport, gc, gc_doomed};
pub use held::{Beater, Held};
pub use lake::{Create, Lake};
pub use outbox::{Envelope, MessageKind, MessageState, MessageStep, OutboxMessage};
pub use store::{RootedStore, open_store};
pub use types::*;
