//! Integration tests: one binary, because linking DataFusion many times is what makes such a suite slow.
//!
//! What a user sees is asked of the program itself, never of the library.

mod check;
mod cli;
mod faults;
mod nights;
mod project;
mod rooms;
mod s3;
mod sample;
