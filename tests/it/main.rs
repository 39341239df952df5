//! Integration tests.

mod nights;
mod rooms;
