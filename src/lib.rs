//! Matins: every night, raw exports become checked, published tables and a report.
//!
//! The rooms stand in reading order, and a room may name only rooms above it (`ARCHITECTURE.md`; a test holds it).

pub mod base;
pub mod system;
pub mod sample;
pub mod config;
pub mod sql;
pub mod plan;
pub mod lake;
pub mod engine;
pub mod source;
pub mod stage;
pub mod report;
pub mod deliver;
pub mod run;
pub mod cli;
