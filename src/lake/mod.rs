//! Everything durable: paths, create-only commits, snapshots, run records, leases, outbox states, gc. Knows no SQL.

mod types;

pub use types::*;
