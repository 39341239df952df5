//! What is shown over HTTP. Changes no data.

mod preview;
mod status;

pub use preview::{Make, Stamp, serve as serve_preview};
pub use status::{Ready, serve as serve_status};
