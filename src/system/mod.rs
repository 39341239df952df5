//! The outside world as values: clock, environment, randomness, the machine, the project's files. Knows no pipelines.
//!
//! Everything else takes a `System`, so that a test can give one whose clock stands still.

mod files;
mod machine;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};

pub use files::{ProjectFiles, read_project};
pub use machine::{Machine, Process};

/// The one value through which the outside world is seen.
#[derive(Debug, Clone)]
pub struct System {
    pub clock: Clock,
    pub environment: Environment,
    pub ids: Ids,
    pub machine: Machine,
}

impl System {
    pub fn real() -> Self {
        Self {
            clock: Clock::Real,
            environment: Environment(std::env::vars().collect()),
            ids: Ids::Random,
            machine: Machine::this(),
        }
    }
}

/// Wall-clock time.
#[derive(Debug, Clone)]
pub enum Clock {
    Real,
    /// Milliseconds since the epoch, moved by a test.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system for the time")]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Real => Utc::now(),
            Self::Manual(ms) => DateTime::from_timestamp_millis(ms.load(Ordering::SeqCst)).unwrap_or_default(),
        }
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
