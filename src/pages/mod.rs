//! What is shown over HTTP. Changes no data.

mod preview;

pub use preview::{Make, Stamp, serve as serve_preview};
