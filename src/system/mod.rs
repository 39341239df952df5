//! The outside world as values: clock, environment, randomness, the machine, the project's files. Knows no pipelines.
//!
//! Everything else takes a `System`, so that a test can give one whose clock stands still.

mod clock;
mod files;
mod machine;
mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use clock::Clock;
pub use files::{ProjectFiles, read_project};
pub use machine::{Machine, Process, Usage};
pub use memory::settle_allocator;

/// The one value through which the outside world is seen.
#[derive(Debug, Clone)]
pub struct System {
    pub clock: Clock,
    pub environment: Environment,
    pub ids: Ids,
    pub machine: Machine,
}

impl System {
    /// The real one; `MATINS_CLOCK` makes a rehearsal of it, and a mistake in it is told.
    pub fn real() -> Result<Self, String> {
        let environment = Environment(std::env::vars().collect());
        let clock = match environment.get("MATINS_CLOCK") {
            Some(text) => text.parse()?,
            None => Clock::Real,
        };
        Ok(Self { clock, environment, ids: Ids::Random, machine: Machine::this() })
    }
}

/// Environment variables.
#[derive(Debug, Clone, Default)]
pub struct Environment(pub BTreeMap<String, String>);

impl Environment {
    /// The value of a variable; one set to nothing counts as not set, as in a shell's `${NAME:-default}`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

/// Where unique ids come from.
#[derive(Debug, Clone)]
pub enum Ids {
    Random,
    /// 1, 2, 3 …, for tests whose output is compared.
    Counting(Arc<AtomicU64>),
}

impl Ids {
    /// A new id of lower-case letters and digits that sorts by the time it was made.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes random ids")]
    pub fn next(&self) -> String {
        match self {
            Self::Random => uuid::Uuid::now_v7().simple().to_string(),
            Self::Counting(last) => format!("{:032}", last.fetch_add(1, Ordering::SeqCst) + 1),
        }
    }
}
