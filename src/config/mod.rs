//! Text → validated project, with the place every setting was written at; all mistakes at once. Touches no store.
//!
//! A text becomes a tree of nodes with places (`tree`), is held against the declared shapes (`shape`, `keys`), and is
//! decoded into what it means (`model`), file by file. Nothing stops at the first mistake. The JSON Schema for editors is
//! written from the same declarations (`schema`).

mod check;
mod column;
mod contract;
mod keys;
mod kpi;
mod mail;
mod model;
mod number;
mod pack;
mod phrases;
mod pipeline;
mod project;
mod schedule;
mod schema;
mod shape;
mod source;
mod stage;
mod substitute;
mod test;
#[cfg(test)]
mod tests;
mod tree;
mod words;

pub use contract::{CORE, CoreColumn, CoreTable, CoreType, core_table};
pub use model::*;
pub use phrases::{Phrases, phrases};
pub use project::load;
pub use schema::{SchemaKind, schema};
pub use test::stage_tests;
