//! What `matins serve` does: wakes, finds out from the records what is due, and has it run. Computes no data.
//!
//! Every decision is `plan::Agenda`'s, from the schedule, the cursor in the chain and the clock. What is kept here, when to
//! look again and how often something failed, may be lost at any instant.

mod accounts;
mod batch;
mod look;
mod serve;
#[cfg(test)]
mod serve_tests;
mod ticks;
mod upkeep;

pub use serve::{Observers, Serving, serve};
