//! The one `DataFusion` session: tuning, our functions, spilling. Knows no pipelines.

pub mod exact;
