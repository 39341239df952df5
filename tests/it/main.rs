//! Integration tests: one binary, because linking `DataFusion` many times is what makes such a suite slow.
//!
//! What a user sees is asked of the program itself, never of the library.

#![expect(
    clippy::format_collect,
    clippy::format_push_string,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test says what it means"
)]

mod basket;
mod burst;
mod by_hand;
mod check;
mod churn;
mod cli;
mod closed;
mod crm;
mod faults;
mod fixtures;
mod growth;
mod hostile;
mod incremental;
mod kpis;
mod marketplace;
mod messages;
mod moments;
mod nights;
mod notices;
mod plants;
mod preview;
mod project;
mod rooms;
mod s3;
mod sample;
mod segments;
mod service;
mod smtp;
mod value;
mod voice;
mod watching;
mod world;
