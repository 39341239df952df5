//! Parses a stage's SQL: canonical form, what it reads and uses, what is refused. Needs neither data nor a session.

mod bind;
mod columns;
mod expression;
mod query;
mod refuse;

pub use bind::{BindError, Bindings, bind};
pub use columns::ColumnUse;
pub use expression::{predicate, quote, quote_text};
pub use query::{Query, Reference, names, parse};

/// The engine's functions as a whole: raise it when one of them gives another answer, so that tables are made again.
pub const FUNCTIONS: &str = "datafusion-55.2+exact-1";
