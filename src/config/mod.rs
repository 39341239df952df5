//! Text → validated project, with the place every setting was written at; all mistakes at once. Touches no store.
//!
//! Two sets of types: what a person wrote (`written`) and what it means (`model`). `load` goes from one to the other.

mod model;

pub use model::*;
