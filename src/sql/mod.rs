//! Parses a stage's SQL: canonical form, what it reads and uses, what is refused. Needs neither data nor a session.

mod bind;
mod columns;
mod expression;
pub mod functions;
mod query;
mod question;
mod refuse;
mod suspects;

pub use bind::{BindError, Bindings, bind};
pub use columns::ColumnUse;
pub use expression::{predicate, quote, quote_text};
pub use query::{Query, Reference, Statements, parse};
pub use question::{Question, question};
pub use suspects::{Clue, Suspect, suspects};
