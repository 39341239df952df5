//! Project + as-of + what exists → steps. Fingerprints, lineage, reasons. Does no I/O.

mod export;

pub use export::{Export, Inventory, contract_fingerprint};
