//! Matins: every night, raw exports become checked, published tables and a report.
//!
//! The rooms stand in reading order, and a room may name only rooms above it (`ARCHITECTURE.md`; a test holds it).

pub mod base;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod engine;
pub mod lake;
pub mod pages;
pub mod plan;
pub mod report;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod source;
pub mod sql;
pub mod stage;
pub mod system;
pub mod telemetry;
