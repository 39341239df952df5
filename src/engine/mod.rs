//! The one `DataFusion` session: tuning, our functions, memory and spilling. Knows no pipelines.

pub mod exact;
pub mod functions;

mod between;
mod counts;
mod error;
mod few;
mod file;
mod held;
mod keys;
mod listing;
mod matching;
mod order;
mod output;
mod parts;
mod planner;
mod pool;
mod ranks;
mod rows;
mod rules;
mod seen;
mod session;
mod shared;
mod windows;

pub use error::EngineError;
pub use file::{from_parquet, to_parquet};
pub use held::{Held, hold};
pub use listing::{Kind, listing};
pub use matching::matching;
pub use order::is_grouped_by;
pub use output::{Destination, Output, write};
pub use parts::{Layout, PartFile, PartsTable, read_layout};
pub use rows::{Cell, Rows, collect};
pub use seen::{Condition, Seen, Watch};
pub use session::{Effort, Engine, Settings, Table, Tables};
