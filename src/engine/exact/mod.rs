//! Aggregates whose digits do not depend on the order of the rows or the number of cores: equal means equal.
//!
//! `sum`, `avg`, `var*` and `stddev*` under the engine's own names. Floats are added exactly, in integers, and rounded
//! once at the end; integer and decimal sums fail instead of wrapping. Everything else about these functions (types,
//! names, rewrites, DISTINCT sets) stays the engine's: this room never decides what an aggregate accepts or returns.

mod checked;
mod distinct;
mod float;
mod function;
mod moments;
mod rows;
mod wide;

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::float_cmp, clippy::cast_precision_loss, reason = "tests of exact digits")]
mod sql_tests;

pub(super) use checked::checked_sums;
pub use function::functions;
pub(super) use function::the_rest_is_the_engines;
