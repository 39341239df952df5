//! The promises of the night, kept by the real binary as a process: published figures, resuming, killing, freezing, two at
//! once. Every wait has a limit, and only processes that were started here are signalled, by their id.
//!
//! What reads the real drops looks for them in `ONLINE_RETAIL_EXPORTS`, then in `../shared`, and passes with a note where
//! they are absent. `MATINS_TEST_FULL=1` makes them the whole year, `MATINS_TEST_KILLS=50` kills that often,
//! `MATINS_TEST_SEED` chooses other instants, `MATINS_TEST_BINARY` another build.

mod backfill;
mod figures;
mod ground;
mod killed;
mod lease;
mod mail;
mod restore;
mod serve;

pub use ground::{Random, asked};
